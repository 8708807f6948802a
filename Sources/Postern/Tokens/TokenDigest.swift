internal import CSodium

/// The SHA-256 (FIPS 180-4) of a token's text: what the store holds and looks up in its place.
///
/// A token is found by its digest, so no comparison of secrets byte by byte takes place whose duration
/// could tell how much of a guess was right.
public struct TokenDigest: Sendable, Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// The digest of a token as it was presented.
    public init(of text: ArraySlice<UInt8>) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { digest in
            guard let digest = digest.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
            text.withUnsafeBufferPointer { text in
                // The call cannot fail, and reads no byte of an empty text, which may have no address.
                _ = crypto_hash_sha256(digest, text.baseAddress ?? UnsafePointer(digest), UInt64(text.count))
            }
        }
        self.words = words
    }

    /// Reads 64 hexadecimal digits in lower case; nil for anything else.
    init?(hexadecimal text: [UInt8]) {
        guard text.count == 64 else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let isHexadecimal = withUnsafeMutableBytes(of: &words) { digest in
            for position in 0..<32 {
                guard let high = Self.digit(text[2 * position]), let low = Self.digit(text[2 * position + 1])
                else { return false }
                digest[position] = high << 4 | low
            }
            return true
        }
        guard isHexadecimal else { return nil }
        self.words = words
    }

    /// 64 hexadecimal digits in lower case.
    var hexadecimal: [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return withUnsafeBytes(of: words) { bytes in
            bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        }
    }

    public static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    /// The digest is as good as random already, so one word of it is enough.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
