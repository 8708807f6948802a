internal import Glibc

/// A moment of UTC to the microsecond, written as RFC 3339 does.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Since 1970-01-01T00:00:00Z, without leap seconds.
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// What the system's clock says.
    public static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1000)
    }

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
    public var rfc3339: String {
        let (days, time) = microseconds.flooredQuotient(by: 86_400_000_000)
        let (year, month, day) = Self.date(of: days)
        let seconds = time / 1_000_000
        return "\(year.padded(4))-\(month.padded(2))-\(day.padded(2))"
            + "T\((seconds / 3600).padded(2)):\((seconds / 60 % 60).padded(2)):\((seconds % 60).padded(2))"
            + ".\((time % 1_000_000).padded(6))Z"
    }

    /// Reads `YYYY-MM-DDTHH:MM:SS`, an optional fraction of up to six digits, and `Z`; nil for anything else.
    public init?(rfc3339 text: ArraySlice<UInt8>) {
        let text = Array(text)
        let pattern = Array("####-##-##T##:##:##".utf8)
        guard text.count > pattern.count, text.count <= pattern.count + 8, text.last == UInt8(ascii: "Z"),
            zip(text, pattern).allSatisfy({ $1 == UInt8(ascii: "#") ? Self.isDigit($0) : $0 == $1 })
        else { return nil }
        func number(_ range: Range<Int>) -> Int64 { text[range].reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) } }
        var fraction: Int64 = 0
        let rest = text[pattern.count..<text.count - 1]
        if !rest.isEmpty {
            guard rest.first == UInt8(ascii: "."), rest.count > 1, rest.dropFirst().allSatisfy(Self.isDigit) else {
                return nil
            }
            fraction = number(rest.indices.dropFirst().startIndex..<rest.endIndex)
            for _ in rest.count..<7 { fraction *= 10 }
        }
        let (year, month, day) = (number(0..<4), number(5..<7), number(8..<10))
        let (hour, minute, second) = (number(11..<13), number(14..<16), number(17..<19))
        let days = Self.days(year, month, day)
        guard (1...12).contains(month), hour < 24, minute < 60, second < 60, Self.date(of: days) == (year, month, day)
        else { return nil }
        microseconds = ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + fraction
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

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

    fileprivate func padded(_ width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }
}
