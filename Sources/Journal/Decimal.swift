/// Decimal digits from outside. Swift's own `Int("+5")` takes signs and leading zeros.
public enum Decimal {
    /// The number that `digits` write; nil when there is anything but digits, a leading zero, or too many.
    public static func parse(_ digits: ArraySlice<UInt8>) -> Int64? { digits.withUnsafeBytes(parse) }

    package static func parse(_ digits: UnsafeRawBufferPointer) -> Int64? {
        guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
        var number: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflowOfSum) = tens.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !overflow, !overflowOfSum else { return nil }
            number = sum
        }
        return number
    }
}
