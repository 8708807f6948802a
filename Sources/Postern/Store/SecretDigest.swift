internal import Crypto
internal import Journal

/// The SHA-256 (FIPS 180-4) of a secret's text: what the store holds and looks up in its place.
///
/// A token or a session is found by its digest, so no comparison of secrets byte by byte takes place whose duration
/// could tell how much of a guess was right.
public struct SecretDigest: Sendable, Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// The digest of a secret as it was presented.
    public init(of text: ArraySlice<UInt8>) {
        var function = SHA256()
        text.withUnsafeBytes { function.update(bufferPointer: $0) }
        words = function.finalize().words
    }

    /// Reads 64 hexadecimal digits in lower case; nil for anything else.
    init?(hexadecimal text: UnsafeRawBufferPointer) {
        guard text.count == 64 else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let isHexadecimal = withUnsafeMutableBytes(of: &words) { digest in
            for position in 0..<8 {
                guard let four = Hexadecimal.bytesOfWord(text, at: 8 * position) else { return false }
                digest.storeBytes(of: four.littleEndian, toByteOffset: 4 * position, as: UInt32.self)
            }
            return true
        }
        guard isHexadecimal else { return nil }
        self.words = words
    }

    /// As events write it: `sha256:` and 64 hexadecimal digits.
    package var column: [UInt8] { Self.columnPrefix + hexadecimal }

    init?(column: UnsafeRawBufferPointer) {
        guard column.starts(with: Self.columnPrefix) else { return nil }
        self.init(hexadecimal: UnsafeRawBufferPointer(rebasing: column[Self.columnPrefix.count...]))
    }

    /// The digest itself, of 32 bytes.
    var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

    /// As good as random, too.
    var firstWord: UInt64 { words.0 }

    private static let columnPrefix = Array("sha256:".utf8)

    /// 64 hexadecimal digits in lower case.
    var hexadecimal: [UInt8] {
        withUnsafeBytes(of: words) { Hexadecimal.digits($0) }
    }

    public static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    /// The digest is as good as random already, so one word of it is enough.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension SHA256Digest {
    /// Its 32 bytes as they lie in memory.
    var words: (UInt64, UInt64, UInt64, UInt64) {
        withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
    }
}
