internal import Glibc
internal import Synchronization

/// Eight counters and their lock in 1024 bytes of shared memory: the lock's word, then for each counter its tag, its
/// end and ``Counter/capacity`` entries, a word each.
///
/// The words that are read without the lock, the lock's own and the tags, are atomic; all others are touched only by
/// whoever has the lock. What a process leaves half done when it is killed is at worst a wrong count: every word that
/// can be there is a counter.
struct CounterSet {
    private let bytes: UnsafeMutableRawPointer

    private static let wayCount = 8
    private static let waySize = (2 + Counter.capacity) * 8

    /// Milliseconds after which a lock is taken from a process that was stopped or killed with it.
    private static let longestHold: UInt64 = 50

    init(_ memory: UnsafeMutableRawBufferPointer, at position: Int) {
        // In bounds by the caller's layout; there is no memory without an address.
        bytes = memory.baseAddress! + position
    }

    func mayHave(_ tag: UInt64) -> Bool {
        (0..<Self.wayCount).contains { self.tag(of: $0).pointee.load(ordering: .relaxed) == tag }
    }

    func withLock<Result>(now: UInt64, _ body: () -> Result) -> Result {
        Self.withLock(Self.atomic(bytes, at: 0), now: now, body)
    }

    /// The counter of `tag`; nil when there is none.
    func counter(_ tag: UInt64, now: UInt64) -> Counter? {
        for way in 0..<Self.wayCount where self.tag(of: way).pointee.load(ordering: .relaxed) == tag {
            let words = words(of: way)
            return Counter(ends: words[1], entries: UnsafeBufferPointer(start: words + 2, count: Counter.capacity))
        }
        return nil
    }

    /// Keeps a counter where it was, or else in the place of the one that ends first. An empty one gives its place up.
    func store(_ counter: Counter, _ tag: UInt64, now: UInt64) {
        let known = (0..<Self.wayCount).first { self.tag(of: $0).pointee.load(ordering: .relaxed) == tag }
        guard counter.ends > now else {
            if let known { clear(known) }
            return
        }
        let way = known ?? (0..<Self.wayCount).min { words(of: $0)[1] < words(of: $1)[1] } ?? 0
        let place = words(of: way)
        place[1] = counter.ends
        counter.write(to: UnsafeMutableBufferPointer(start: place + 2, count: Counter.capacity))
        self.tag(of: way).pointee.store(tag, ordering: .relaxed)
    }

    private func clear(_ way: Int) {
        tag(of: way).pointee.store(0, ordering: .relaxed)
        words(of: way)[1] = 0
    }

    private func words(of way: Int) -> UnsafeMutablePointer<UInt64> {
        (bytes + 8 + way * Self.waySize).assumingMemoryBound(to: UInt64.self)
    }

    private func tag(of way: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        Self.atomic(bytes, at: 8 + way * Self.waySize)
    }

    // MARK: - The lock

    /// A word that is 0, or says when and by which thread it was taken. What is done under it takes nanoseconds, so
    /// whoever waits spins, and lets others run.
    static func withLock<Result>(
        _ lock: UnsafeMutablePointer<Atomic<UInt64>>,
        now: UInt64,
        _ body: () -> Result
    ) -> Result {
        let mine = max(1, now << 20 | UInt64(pthread_self()) >> 12 & 0xFFFFF)
        var (holder, spins): (UInt64, UInt64) = (0, 0)
        while true {
            let (isTaken, other) = lock.pointee.compareExchange(expected: 0, desired: mine, ordering: .acquiring)
            if isTaken { break }
            if other != holder { (holder, spins) = (other, 0) }
            spins += 1
            guard spins % 4096 == 0 else {
                if spins % 64 == 0 { sched_yield() }
                continue
            }
            usleep(1000)
            // At least so many milliseconds by the same holder.
            guard spins > 4096 * longestHold else { continue }
            if lock.pointee.compareExchange(expected: holder, desired: mine, ordering: .acquiring).exchanged { break }
        }
        defer { _ = lock.pointee.compareExchange(expected: mine, desired: 0, ordering: .releasing) }
        return body()
    }

    static func atomic(
        _ memory: UnsafeMutableRawPointer,
        at position: Int
    ) -> UnsafeMutablePointer<Atomic<UInt64>> {
        // An atomic is nothing but its value in memory, and all positions are multiples of eight.
        (memory + position).assumingMemoryBound(to: Atomic<UInt64>.self)
    }
}
