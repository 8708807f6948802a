/// When somebody did something, and how often: times in milliseconds from the earliest on, each with a count.
///
/// There is room for thirteen times. Where another one is needed, two that are close to each other become one with the
/// later time of both, so that what is counted is counted for its period at least.
struct Counter {
    static let capacity = 13
    static let maximumCount = 1 << 24 - 1

    private(set) var entries: [Entry] = []
    /// When the last of it ends.
    private(set) var ends: UInt64 = 0

    struct Entry: Equatable {
        /// 40 bits, which are 34 years.
        var time: UInt64
        /// 24 bits.
        var count: Int
    }

    init() {}

    init(ends: UInt64, entries words: UnsafeBufferPointer<UInt64>) {
        self.ends = ends
        for word in words where word != 0 { entries.append(Entry(time: word >> 24, count: Int(word & 0xFFFFFF))) }
    }

    func write(to words: UnsafeMutableBufferPointer<UInt64>) {
        for position in words.indices {
            words[position] =
                position < entries.count
                ? entries[position].time << 24 | UInt64(entries[position].count & 0xFFFFFF) : 0
        }
    }

    /// Forgets what is a period ago. A time that has not come yet is taken for now: no clock of ours goes back, and if
    /// one did, nothing may count for longer than its period.
    mutating func drop(period: UInt64, now: UInt64) {
        for position in entries.indices where entries[position].time > now { entries[position].time = now }
        entries.removeAll { $0.time &+ period <= now || $0.count == 0 }
        if entries.isEmpty { ends = 0 }
    }

    /// Of all that is remembered.
    var count: Int { entries.reduce(0) { $0 + $1.count } }

    mutating func add(period: UInt64, now: UInt64) {
        ends = max(ends, now &+ period)
        if let last = entries.indices.last, entries[last].time == now, entries[last].count < Self.maximumCount {
            entries[last].count += 1
            return
        }
        if entries.count == Self.capacity { mergeClosest() }
        entries.append(Entry(time: now, count: 1))
    }

    /// Takes the last one back.
    mutating func remove() {
        guard let last = entries.indices.last else { return }
        entries[last].count -= 1
        if entries[last].count == 0 { entries.removeLast() }
        if entries.isEmpty { ends = 0 }
    }

    /// Remembers that there was something, until `end`, without counting.
    mutating func keep(until end: UInt64) { ends = max(ends, end) }

    mutating func clear() { self = Counter() }

    /// The two of which the earlier one, with all that it counts, is put off by the least.
    private mutating func mergeClosest() {
        // Whatever stands in a damaged file makes a wrong count at worst.
        let costs = zip(entries, entries.dropFirst()).map { ($1.time &- $0.time) &* UInt64($0.count) }
        guard let position = costs.indices.min(by: { costs[$0] < costs[$1] }) else { return }
        let sum = entries[position].count + entries[position + 1].count
        entries[position + 1].count = min(sum, Self.maximumCount)
        entries.remove(at: position)
    }
}
