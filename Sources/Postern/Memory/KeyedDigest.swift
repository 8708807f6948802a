internal import CSodium
internal import Crypto

/// 256 bits that stand in memory for a secret that was presented: SHA-256 (FIPS 180-4) of a key that only this process
/// knows and the text, so that nobody can look for two texts with the same one, nor say from it what the text was. It is
/// never shown to anybody.
struct KeyedDigest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// A key of its own for each use.
    struct Key: Sendable {
        /// To which a whole block of random bytes was given.
        fileprivate let function: SHA256

        init() {
            var bytes = [UInt8](repeating: 0, count: SHA256.blockByteCount)
            randombytes_buf(&bytes, bytes.count)
            var function = SHA256()
            bytes.withUnsafeBytes { function.update(bufferPointer: $0) }
            sodium_memzero(&bytes, bytes.count)
            self.function = function
        }
    }

    /// Takes the parts of a text one after the other. Each says how long it is, so none can be taken for another.
    struct Builder {
        private var function: SHA256

        init(_ key: Key) { function = key.function }

        mutating func add(_ number: UInt64) {
            withUnsafeBytes(of: number.littleEndian) { function.update(bufferPointer: $0) }
        }

        mutating func add(_ part: ArraySlice<UInt8>) {
            add(UInt64(part.count))
            part.withUnsafeBytes { function.update(bufferPointer: $0) }
        }

        var digest: KeyedDigest { KeyedDigest(words: function.finalize().words) }
    }

    static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    /// As good as random already.
    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    /// One of `count` numbers, each for as many digests as the others.
    func number(below count: Int) -> Int { Int(words.3 % UInt64(count)) }
}
