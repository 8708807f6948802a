internal import Journal

/// A token in clear, in the form in which it is shown once and then presented by its owner:
/// `pst_`, 30 base62 characters from the system's random source (178 bits), and 6 base62 characters of
/// the CRC-32 over what stands before.
///
/// The prefix lets secret scanners find a leaked token; the checksum turns noise away before the store
/// is asked.
public struct TokenSecret: Sendable {
    static let prefix = Array("pst_".utf8)
    static let randomLength = 30
    static let checksumLength = 6
    static let length = prefix.count + randomLength + checksumLength

    /// The text of the token, in ASCII.
    public let text: String

    package init(text: String) { self.text = text }

    /// Makes a new one.
    public static func random() -> TokenSecret {
        var bytes = prefix + Base62.random(count: randomLength).utf8
        let checksum = CRC32.ieee.checksum(of: bytes)
        for position in 0..<checksumLength { bytes.append(digit(position, of: checksum)) }
        return TokenSecret(text: String(decoding: bytes, as: UTF8.self))
    }

    public var digest: SecretDigest { SecretDigest(of: Array(text.utf8)[...]) }

    /// What a presented text can be by its form alone.
    enum Form {
        /// One of ours with a checksum that holds, or a key of DRF's `TokenAuthentication` (40 hexadecimal digits), which
        /// may have been imported.
        case sha256
        /// A token of knox: 64 hexadecimal digits, and before them knox's `TOKEN_PREFIX` of at most ten characters.
        case knox
    }

    /// nil for what can be no token at all.
    static func form(of text: ArraySlice<UInt8>) -> Form? {
        guard isOurs(text) else {
            if text.count == 40, text.allSatisfy(isHexadecimal) { return .sha256 }
            return (64...74).contains(text.count) && text.suffix(64).allSatisfy(isHexadecimal) ? .knox : nil
        }
        guard text.count == length else { return nil }
        return text.withUnsafeBytes { text in
            let checksum = CRC32.ieee.checksum(of: .init(rebasing: text.dropLast(checksumLength)), seed: 0)
            for position in 0..<checksumLength
            where text[length - checksumLength + position] != digit(position, of: checksum) { return nil }
            return .sha256
        }
    }

    /// Whether a presented text carries our prefix.
    static func isOurs(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.count >= prefix.count else { return false }
        for position in 0..<prefix.count where text[text.startIndex + position] != prefix[position] { return false }
        return true
    }

    /// The digits of a checksum in base 62, the highest first.
    private static func digit(_ position: Int, of checksum: UInt32) -> UInt8 {
        Base62.alphabet[Int(checksum / powers[position] % 62)]
    }

    private static let powers: [UInt32] = [916_132_832, 14_776_336, 238_328, 3844, 62, 1]

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
