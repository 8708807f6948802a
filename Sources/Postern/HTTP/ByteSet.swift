/// Some of the bytes below 0x80: which ones, is said by two numbers, so that asking costs a shift.
struct ByteSet: ExpressibleByStringLiteral, Sendable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(stringLiteral text: StaticString) {
        text.withUTF8Buffer { for byte in $0 { insert(byte) } }
    }

    /// - Parameter isIn: Of each byte below 0x80.
    init(where isIn: (UInt8) -> Bool) {
        for byte in UInt8(0)..<0x80 where isIn(byte) { insert(byte) }
    }

    private mutating func insert(_ byte: UInt8) {
        if byte < 64 { low |= 1 << UInt64(byte) } else if byte < 128 { high |= 1 << UInt64(byte - 64) }
    }

    func contains(_ byte: UInt8) -> Bool {
        guard byte < 128 else { return false }
        return (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 != 0
    }

    func union(_ other: ByteSet) -> ByteSet {
        ByteSet { contains($0) || other.contains($0) }
    }
}
