internal import CSodium
internal import Journal

/// The SHA-256 (FIPS 180-4) of a secret's text: what the store holds and looks up in its place. Of a token that knox made,
/// the first half of its SHA-512, which is all that is known of it.
///
/// A token or a session is found by its digest, so no comparison of secrets byte by byte takes place whose duration
/// could tell how much of a guess was right.
public struct SecretDigest: Sendable, Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)
    private let isSHA512: Bool

    /// The digest of a secret as it was presented.
    public init(of text: ArraySlice<UInt8>) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { words in
            // Any memory is bytes as well, and these are as many as the digest has.
            guard let digest = words.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
            text.withUnsafeBufferPointer { _ = crypto_hash_sha256(digest, $0.baseAddress, UInt64($0.count)) }
        }
        self.words = words
        isSHA512 = false
    }

    /// knox's digest of a token.
    init(sha512Of text: some Collection<UInt8>) {
        var digest = [UInt8](repeating: 0, count: crypto_hash_sha512_bytes())
        _ = crypto_hash_sha512(&digest, Array(text), UInt64(text.count))
        words = digest.withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
        isSHA512 = true
    }

    /// Reads 128 hexadecimal digits in lower case, as knox has them in its column `digest`; nil for anything else.
    init?(knox text: [UInt8]) {
        guard text.count == 128,
            let words = text.withUnsafeBytes({ Self.words(UnsafeRawBufferPointer(rebasing: $0[..<64])) }),
            text[64...].allSatisfy({ Hexadecimal.value($0) != nil })
        else { return nil }
        self.words = words
        isSHA512 = true
    }

    /// Reads 64 hexadecimal digits in lower case; nil for anything else.
    init?(hexadecimal text: UnsafeRawBufferPointer) {
        guard let words = Self.words(text) else { return nil }
        self.words = words
        isSHA512 = false
    }

    private static func words(_ text: UnsafeRawBufferPointer) -> (UInt64, UInt64, UInt64, UInt64)? {
        guard text.count == 64 else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let isHexadecimal = withUnsafeMutableBytes(of: &words) { digest in
            for position in 0..<8 {
                guard let four = Hexadecimal.bytesOfWord(text, at: 8 * position) else { return false }
                digest.storeBytes(of: four.littleEndian, toByteOffset: 4 * position, as: UInt32.self)
            }
            return true
        }
        return isHexadecimal ? words : nil
    }

    /// As events write it: `sha256:` or `sha512:` and 64 hexadecimal digits.
    package var column: [UInt8] { (isSHA512 ? Self.sha512Prefix : Self.sha256Prefix) + hexadecimal }

    init?(column: UnsafeRawBufferPointer) {
        isSHA512 = column.starts(with: Self.sha512Prefix)
        guard isSHA512 || column.starts(with: Self.sha256Prefix),
            let words = Self.words(UnsafeRawBufferPointer(rebasing: column[Self.sha256Prefix.count...]))
        else { return nil }
        self.words = words
    }

    /// The digest itself, of 32 bytes.
    var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

    /// As good as random, too.
    var firstWord: UInt64 { words.0 }

    private static let sha256Prefix = Array("sha256:".utf8)
    private static let sha512Prefix = Array("sha512:".utf8)

    /// 64 hexadecimal digits in lower case.
    var hexadecimal: [UInt8] {
        withUnsafeBytes(of: words) { Hexadecimal.digits($0) }
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.words == right.words && left.isSHA512 == right.isSHA512
    }

    /// The digest is as good as random already, so one word of it is enough.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
