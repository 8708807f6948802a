internal import CSodium
internal import Crypto

/// HMAC with SHA-256 (RFC 2104) under one key, which both of its hashes have been given already: half of the work for a text
/// of a few hundred bytes. It is made of swift-crypto's SHA-256, for its own HMAC costs more by its generic types than by its
/// blocks.
struct KeyedHash: Sendable {
    private let inner, outer: SHA256

    init(_ key: SymmetricKey) {
        var block = key.withUnsafeBytes { Array($0) }
        if block.count > SHA256.blockByteCount {
            sodium_memzero(&block, block.count)
            block = key.withUnsafeBytes { Array(SHA256.hash(data: $0)) }
        }
        block += [UInt8](repeating: 0, count: SHA256.blockByteCount - block.count)
        inner = Self.begun(with: &block, 0x36)
        outer = Self.begun(with: &block, 0x5C)
        sodium_memzero(&block, block.count)
    }

    private static func begun(with block: inout [UInt8], _ padding: UInt8) -> SHA256 {
        for position in block.indices { block[position] ^= padding }
        var function = SHA256()
        block.withUnsafeBytes { function.update(bufferPointer: $0) }
        for position in block.indices { block[position] ^= padding }
        return function
    }

    func code(of text: ArraySlice<UInt8>) -> SHA256Digest {
        var (inner, outer) = (inner, outer)
        text.withUnsafeBytes { inner.update(bufferPointer: $0) }
        inner.finalize().withUnsafeBytes { outer.update(bufferPointer: $0) }
        return outer.finalize()
    }
}
