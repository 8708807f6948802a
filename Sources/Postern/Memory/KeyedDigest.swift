internal import CSodium

/// 128 bits that stand in memory for a secret that was presented: SipHash-2-4 with its long output, under a key that only
/// this process knows, so that nobody can look for two texts with the same one. It is never shown to anybody.
struct KeyedDigest: Equatable, Sendable {
    private typealias Words = (UInt64, UInt64)

    private var words: Words = (0, 0)

    /// Of no text: one in so many has it that nobody will ever see it.
    static let none = KeyedDigest()

    /// A key of its own for each use.
    struct Key: Sendable {
        fileprivate let bytes: [UInt8]

        init() {
            var bytes = [UInt8](repeating: 0, count: crypto_shorthash_siphashx24_keybytes())
            randombytes_buf(&bytes, bytes.count)
            self.bytes = bytes
        }
    }

    /// Takes the parts of a text one after the other. Each has a digest of its own, and is told from the others by its
    /// place and its length.
    struct Builder {
        private let key: Key
        private(set) var digest = KeyedDigest.none

        init(_ key: Key) { self.key = key }

        mutating func add(_ number: UInt64) { add((number, 0), length: 0) }

        mutating func add(_ part: ArraySlice<UInt8>) {
            add(part.withUnsafeBytes { words(of: $0) }, length: UInt64(part.count))
        }

        private mutating func add(_ part: Words, length: UInt64) {
            let chained = (digest.words, part, length)
            digest.words = withUnsafeBytes(of: chained) { words(of: $0) }
        }

        private func words(of bytes: UnsafeRawBufferPointer) -> Words {
            var words: Words = (0, 0)
            withUnsafeMutableBytes(of: &words) { words in
                // Any memory is bytes as well, and these are as many as the digest has. An empty text may have no address.
                guard let digest = words.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
                let text = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
                _ = crypto_shorthash_siphashx24(digest, text, UInt64(bytes.count), key.bytes)
            }
            return words
        }
    }

    static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    /// One of `count` numbers, each for as many digests as the others.
    func number(below count: Int) -> Int { Int(words.0 % UInt64(count)) }
}
