/// How many of the things that were timed took no longer than so long.
struct LatencyHistogram {
    /// Nanoseconds up to which a bucket goes; the last one goes on without end.
    static let bounds: [UInt64] = [
        50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000,
        100_000_000, 250_000_000, 1_000_000_000, 5_000_000_000,
    ]
    static let bucketCount = bounds.count + 1

    /// Not added up.
    let counts: [UInt64]
    /// Nanoseconds of all together.
    let sum: UInt64

    /// - Parameter words: One a bucket, and the sum.
    init(words: [UInt64]) {
        counts = Array(words.prefix(Self.bucketCount))
        sum = words.last ?? 0
    }

    var count: UInt64 { counts.reduce(0, &+) }

    /// Most of what is timed takes little.
    static func bucket(of nanoseconds: UInt64) -> Int {
        var bucket = 0
        while bucket < bounds.count, nanoseconds > bounds[bucket] { bucket += 1 }
        return bucket
    }
}
