internal import CLinux

/// A cyclic redundancy check of 32 bits with reflected bits, all ones before and after, computed eight bytes
/// at a time; CRC-32C by the processor where it can. It finds accidents, not forgeries.
public struct CRC32: Sendable {
    /// CRC-32C (Castagnoli; RFC 3720, appendix B.4): the checksum of journal lines.
    public static let castagnoli = CRC32(reflectedPolynomial: 0x82F6_3B78)

    /// CRC-32 of IEEE 802.3, zip and PNG.
    public static let ieee = CRC32(reflectedPolynomial: 0xEDB8_8320)

    /// Eight tables of 256 entries, one after the other.
    private let tables: [UInt32]
    private let isByProcessor: Bool

    private init(reflectedPolynomial: UInt32) {
        isByProcessor = reflectedPolynomial == 0x82F6_3B78 && cpu_has_crc32c()
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ reflectedPolynomial : value >> 1 }
            tables[byte] = value
        }
        for position in 256..<tables.count {
            let previous = tables[position - 256]
            tables[position] = previous >> 8 ^ tables[Int(previous & 0xFF)]
        }
        self.tables = tables
    }

    /// The checksum of `bytes` that go on after those whose checksum is `seed`.
    public func checksum(of bytes: some Sequence<UInt8>, seed: UInt32 = 0) -> UInt32 {
        bytes.withContiguousStorageIfAvailable { checksum(of: UnsafeRawBufferPointer($0), seed: seed) }
            ?? checksum(of: Array(bytes), seed: seed)
    }

    package func checksum(of bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
        isByProcessor ? cpu_crc32c(seed, bytes.baseAddress, bytes.count) : checksumByTables(of: bytes, seed: seed)
    }

    /// The seed from which `bytes` lead to this checksum; there is exactly one.
    func seed(of bytes: UnsafeRawBufferPointer, leadingTo checksum: UInt32) -> UInt32 {
        var value = ~checksum
        for byte in bytes.reversed() {
            // The highest byte of each entry is another one.
            let entry = (0..<256).first { tables[$0] >> 24 == value >> 24 } ?? 0
            value = (value ^ tables[entry]) << 8 | UInt32(entry) ^ UInt32(byte)
        }
        return ~value
    }

    /// On every machine.
    func checksumByTables(of bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
        var value = ~seed
        var position = 0
        tables.withUnsafeBufferPointer { tables in
            while bytes.count - position >= 8 {
                var low = value
                for shift in 0..<4 { low ^= UInt32(bytes[position + shift]) << (8 * UInt32(shift)) }
                value =
                    tables[1792 + Int(low & 0xFF)] ^ tables[1536 + Int(low >> 8 & 0xFF)]
                    ^ tables[1280 + Int(low >> 16 & 0xFF)] ^ tables[1024 + Int(low >> 24)]
                    ^ tables[768 + Int(bytes[position + 4])] ^ tables[512 + Int(bytes[position + 5])]
                    ^ tables[256 + Int(bytes[position + 6])] ^ tables[Int(bytes[position + 7])]
                position += 8
            }
            while position < bytes.count {
                value = value >> 8 ^ tables[Int((value ^ UInt32(bytes[position])) & 0xFF)]
                position += 1
            }
        }
        return ~value
    }
}
