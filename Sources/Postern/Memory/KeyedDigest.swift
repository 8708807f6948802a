internal import CSodium

/// 256 bits that stand in memory for a secret that was presented: BLAKE2b (RFC 7693) under a key that only this process
/// knows, so that nobody can look for two texts with the same one, nor say from it what the text was.
struct KeyedDigest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// A key of its own for each use.
    struct Key: Sendable {
        fileprivate let bytes: [UInt8]

        init() {
            var bytes = [UInt8](repeating: 0, count: Int(crypto_generichash_KEYBYTES))
            randombytes_buf(&bytes, bytes.count)
            self.bytes = bytes
        }
    }

    /// Takes the parts of a text one after the other. Each says how long it is, so none can be taken for another.
    struct Builder: ~Copyable {
        private var text: [UInt8] = []

        init(reserving count: Int) { text.reserveCapacity(count) }

        mutating func add(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { text.append(contentsOf: $0) } }

        mutating func add(_ part: some Collection<UInt8>) {
            add(UInt64(part.count))
            text.append(contentsOf: part)
        }

        /// Wipes the text, which was a secret's.
        mutating func digest(_ key: Key) -> KeyedDigest {
            defer { sodium_memzero(&text, text.count) }
            var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            withUnsafeMutableBytes(of: &words) { digest in
                guard let digest = digest.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
                _ = crypto_generichash(digest, 32, text, UInt64(text.count), key.bytes, key.bytes.count)
            }
            return KeyedDigest(words: words)
        }
    }

    static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    /// As good as random already.
    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    /// One of `count` numbers, each for as many digests as the others.
    func number(below count: Int) -> Int { Int(words.3 % UInt64(count)) }
}
