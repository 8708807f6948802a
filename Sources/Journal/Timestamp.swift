/// A moment of UTC to the microsecond, written as RFC 3339 does.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Since 1970-01-01T00:00:00Z, without leap seconds.
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// What the system's clock says.
    public static func now() -> Timestamp { Timestamp(microseconds: Linux().realTime()) }

    /// The last second of the year 9999, the last one that RFC 3339 can write.
    public static let lastSecond: Int64 = 253_402_300_799

    /// - Parameter seconds: Since 1970; from 0 to ``lastSecond``.
    public init(seconds: Int64) { microseconds = min(max(0, seconds), Self.lastSecond) * 1_000_000 }

    /// Whole seconds since 1970, rounded down: NumericDate of RFC 7519.
    public var seconds: Int64 { microseconds.flooredQuotient(by: 1_000_000).quotient }

    public func adding(seconds: Int64) -> Timestamp {
        let (product, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, overflowsToo) = microseconds.addingReportingOverflow(product)
        let last = Timestamp(seconds: Self.lastSecond)
        return overflows || overflowsToo ? last : min(Timestamp(microseconds: sum), last)
    }

    public static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    /// Always with six digits of fraction: `2026-11-23T14:43:00.000000Z`.
    public var rfc3339: String { String(decoding: rfc3339Bytes, as: UTF8.self) }

    var rfc3339Bytes: [UInt8] {
        let (days, time) = microseconds.flooredQuotient(by: 86_400_000_000)
        let (year, month, day) = Self.date(of: days)
        let seconds = time / 1_000_000
        var text: [UInt8] = []
        text.reserveCapacity(27)
        func add(_ number: Int64, _ width: Int64, _ end: UInt8) {
            var place = width
            while place > 0 {
                text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / place % 10))
                place /= 10
            }
            text.append(end)
        }
        add(year, 1000, UInt8(ascii: "-"))
        add(month, 10, UInt8(ascii: "-"))
        add(day, 10, UInt8(ascii: "T"))
        add(seconds / 3600, 10, UInt8(ascii: ":"))
        add(seconds / 60 % 60, 10, UInt8(ascii: ":"))
        add(seconds % 60, 10, UInt8(ascii: "."))
        add(time % 1_000_000, 100_000, UInt8(ascii: "Z"))
        return text
    }

    /// Reads `YYYY-MM-DDTHH:MM:SS`, an optional fraction of up to six digits, and `Z`; nil for anything else.
    public init?(rfc3339 text: ArraySlice<UInt8>) {
        guard let time = text.withUnsafeBytes({ Timestamp(rfc3339: $0) }) else { return nil }
        self = time
    }

    package init?(rfc3339 text: UnsafeRawBufferPointer) {
        guard (20...27).contains(text.count), text[text.count - 1] == UInt8(ascii: "Z"),
            text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"), text[10] == UInt8(ascii: "T"),
            text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":")
        else { return nil }
        var isNumber = true
        func number(_ range: Range<Int>) -> Int64 {
            var number: Int64 = 0
            for position in range {
                let digit = text[position] &- UInt8(ascii: "0")
                isNumber = isNumber && digit < 10
                number = number &* 10 &+ Int64(digit)
            }
            return number
        }
        let (year, month, day) = (number(0..<4), number(5..<7), number(8..<10))
        let (hour, minute, second) = (number(11..<13), number(14..<16), number(17..<19))
        var fraction: Int64 = 0
        if text.count > 20 {
            guard text[19] == UInt8(ascii: "."), text.count > 21 else { return nil }
            fraction = number(20..<text.count - 1)
            for _ in text.count..<27 { fraction *= 10 }
        }
        guard isNumber, (1...12).contains(month), (1...Self.daysInMonth(month, of: year)).contains(day), hour < 24,
            minute < 60, second < 60
        else { return nil }
        let minutes = (Self.days(year, month, day) * 24 + hour) * 60 + minute
        microseconds = minutes * 60_000_000 + second * 1_000_000 + fraction
    }

    private static func daysInMonth(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 in the Gregorian calendar, counted in eras of 400 years that begin in March.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shifted.flooredQuotient(by: 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(of days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredQuotient(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let calendarMonth = month < 10 ? month + 3 : month - 9
        return (
            yearOfEra + era * 400 + (calendarMonth <= 2 ? 1 : 0), calendarMonth, dayOfYear - (153 * month + 2) / 5 + 1
        )
    }
}

extension Int64 {
    /// Quotient and remainder such that the remainder is never negative.
    fileprivate func flooredQuotient(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
