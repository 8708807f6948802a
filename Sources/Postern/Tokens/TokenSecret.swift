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

    /// Makes a new one.
    public static func random() -> TokenSecret {
        let bytes = prefix + Base62.random(count: randomLength).utf8
        return TokenSecret(text: String(decoding: bytes + checksum(of: bytes[...]), as: UTF8.self))
    }

    public var digest: SecretDigest { SecretDigest(of: Array(text.utf8)[...]) }

    /// Whether a presented text can be a token at all: one of ours with a checksum that holds, or a key of
    /// DRF's `TokenAuthentication` (40 hexadecimal digits), which may have been imported.
    static func isPlausible(_ text: ArraySlice<UInt8>) -> Bool {
        isOurs(text)
            ? text.count == length && text.suffix(checksumLength) == checksum(of: text.dropLast(checksumLength))[...]
            : text.count == 40 && text.allSatisfy(isHexadecimal)
    }

    /// Whether a presented text carries our prefix.
    static func isOurs(_ text: ArraySlice<UInt8>) -> Bool { text.starts(with: prefix) }

    private static func checksum(of bytes: ArraySlice<UInt8>) -> [UInt8] {
        var rest = CRC32.ieee.checksum(of: bytes)
        var digits = [UInt8](repeating: Base62.alphabet[0], count: checksumLength)
        for position in digits.indices.reversed() {
            digits[position] = Base62.alphabet[Int(rest % 62)]
            rest /= 62
        }
        return digits
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
