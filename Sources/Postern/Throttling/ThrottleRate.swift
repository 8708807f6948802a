internal import Journal

/// So many in so long, as DRF writes it: `5/min`, `100/day`, `20/s`; and of several periods, `5/15min`.
struct ThrottleRate: Sendable, Equatable, CustomStringConvertible {
    let limit: Int
    /// Seconds.
    let period: Int64
    let description: String

    private static let units: [(names: [String], seconds: Int64)] = [
        (["s", "sec", "second", "seconds"], 1), (["m", "min", "minute", "minutes"], 60),
        (["h", "hour", "hours"], 3600), (["d", "day", "days"], 86400),
    ]

    /// - Returns: nil for anything else, for more than ten million, and for more than a year.
    init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 2, let limit = Decimal.parse(Array(parts[0])[...]), limit <= 10_000_000 else { return nil }
        let digits = parts[1].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let count = digits.isEmpty ? 1 : Decimal.parse(Array(digits)[...]), (1...31_622_400).contains(count),
            let unit = Self.units.first(where: { unit in
                unit.names.contains { $0.utf8.elementsEqual(parts[1].dropFirst(digits.count)) }
            }), count * unit.seconds <= 31_622_400
        else { return nil }
        self.limit = Int(limit)
        period = count * unit.seconds
        description = text
    }
}

/// A rate under a name by which it is counted.
struct ThrottleScope: Sendable {
    let name: String
    let rate: ThrottleRate
    /// Stands for both where they are looked up: the same in every process.
    let id: UInt64

    init(_ name: String, _ rate: ThrottleRate) {
        self.name = name
        self.rate = rate
        id = SecretDigest(of: Array("\(name)=\(rate.limit)/\(rate.period)".utf8)[...]).firstWord
    }

    /// So many times as often in the same period, under another name; nil where that is more than a rate can be.
    func widened(by factor: Int, _ name: String) -> ThrottleScope? {
        ThrottleRate("\(rate.limit * factor)/\(rate.period)s").map { ThrottleScope(name, $0) }
    }

    /// Counts one more, unless there are as many as may be.
    func take(_ counter: inout Counter, now: UInt64) -> ThrottleVerdict {
        let verdict = look(&counter, now: now)
        guard verdict.isAllowed else { return verdict }
        counter.add(period: period, now: now)
        return look(&counter, now: now, isAllowed: true)
    }

    /// What another one would be told.
    func look(_ counter: inout Counter, now: UInt64, isAllowed: Bool? = nil) -> ThrottleVerdict {
        counter.drop(period: period, now: now)
        let count = counter.count
        let wait = counter.entries.first.map { $0.time &+ period &- now } ?? period
        return ThrottleVerdict(
            isAllowed: isAllowed ?? (count < rate.limit),
            remaining: max(0, rate.limit - count),
            wait: wait
        )
    }

    /// Milliseconds.
    private var period: UInt64 { UInt64(rate.period) * 1000 }
}

/// What a throttle says of a request.
struct ThrottleVerdict: Sendable {
    let isAllowed: Bool
    /// How many more may come now.
    let remaining: Int
    /// Milliseconds until there is room for one more than now.
    let wait: UInt64

    /// Whole seconds, rounded up.
    var seconds: Int { Int((wait &+ 999) / 1000) }
}
