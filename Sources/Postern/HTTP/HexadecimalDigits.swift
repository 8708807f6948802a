/// What hexadecimal digits stand for, by a table, for those that read many: a loop makes it once, before.
struct HexadecimalDigits {
    /// Of each byte its value; -1 of one that is no digit. Nobody frees or changes it.
    private let values: UnsafePointer<Int32>

    private static nonisolated(unsafe) let values: UnsafePointer<Int32> = {
        let values = UnsafeMutablePointer<Int32>.allocate(capacity: 256)
        for byte in UInt8.min...UInt8.max {
            let value = ASCII.hexadecimalValue(byte)
            (values + Int(byte)).initialize(to: value < 16 ? Int32(value) : -1)
        }
        return UnsafePointer(values)
    }()

    init() { values = Self.values }

    /// The number that two digits make, in either case; below zero where one is none.
    @inline(__always)
    func two(_ digits: UnsafePointer<UInt8>) -> Int32 { values[Int(digits[0])] << 4 | values[Int(digits[1])] }

    /// Likewise, of four.
    @inline(__always)
    func four(_ digits: UnsafePointer<UInt8>) -> Int32 { two(digits) << 8 | two(digits + 2) }
}
