internal import CSodium
internal import Glibc
internal import Journal
internal import Synchronization

/// Counters that all threads and processes share, in memory that does not grow: who did how much within the last while.
///
/// A counter is a short list of times, each with how often, so that few requests are counted exactly, as by DRF, and
/// many within a fraction of the period and never too few. The table is made of sets of eight counters; a set has a lock
/// of its own, held for some nanoseconds. Where a ninth counter wants into a set, the one goes that ends first. Counters
/// of addresses, of users and of names that are nobody's have places of their own, so that whoever has a million
/// addresses pushes no user's counter out.
final class CounterTable: Sendable {
    private let file: MappedFile

    enum Region: Int, Sendable {
        case addresses, users, names

        /// The first set, and how many there are.
        fileprivate var sets: (first: Int, count: Int) {
            switch self {
            case .addresses: (0, 8192)
            case .users: (8192, 4096)
            case .names: (12288, 4096)
            }
        }
    }

    private enum Layout {
        static let magic = Array("postern1".utf8)
        /// Of a digest's key. Who cuts the file away gives it another one.
        static let keyOffset = 8
        /// What turns the time since the machine started into the time of the table.
        static let offsetOffset = 24
        static let latestOffset = 32
        static let lockOffset = 40
        static let headerSize = 4096
        static let setCount = 16384
        static let setSize = 1024
        static let size = headerSize + setCount * setSize
    }

    static let fileName = "throttle"

    /// - Throws: ``JournalError`` when the file can be neither opened nor made.
    init(in folder: JournalFolder) throws(JournalError) {
        file = try MappedFile(
            Self.fileName,
            in: folder,
            size: Layout.size,
            magic: Layout.magic,
            header: Self.newKey
        )
        startTime()
        folder.lookAfter(file) { [weak self] in self?.startTime() }
    }

    /// Counts for this process alone. nil where there is no memory for it.
    init?() {
        guard let file = MappedFile(size: Layout.size, header: Layout.magic + Self.newKey()) else { return nil }
        self.file = file
        startTime()
    }

    /// Milliseconds; they go on when processes and the machine start anew, and follow no change of the clock.
    func now() -> UInt64 {
        let offset = file.atomic(at: Layout.offsetOffset).pointee.load(ordering: .relaxed)
        let now = UInt64(bitPattern: Self.sinceBoot()) &+ offset
        let latest = file.atomic(at: Layout.latestOffset)
        if now > latest.pointee.load(ordering: .relaxed) &+ 1000 { latest.pointee.store(now, ordering: .relaxed) }
        return now
    }

    /// Lends the counter of `key`, locked. A new one takes a place when `body` has put something into it.
    func withCounter<Result>(_ key: CounterKey, now: UInt64, _ body: (inout Counter) -> Result) -> Result {
        let (set, tag) = place(of: key)
        return set.withLock(now: now) {
            var counter = set.counter(tag, now: now) ?? Counter()
            let result = body(&counter)
            set.store(counter, tag, now: now)
            return result
        }
    }

    /// Whether something is counted under `key`. Takes no lock, so it may miss what another thread does just now.
    func mayHave(_ key: CounterKey) -> Bool {
        let (set, tag) = place(of: key)
        return set.mayHave(tag)
    }

    // MARK: -

    private func place(of key: CounterKey) -> (CounterSet, tag: UInt64) {
        let words = (key.scope, key.high, key.low)
        var digest: (UInt64, UInt64) = (0, 0)
        withUnsafeBytes(of: words) { words in
            withUnsafeMutableBytes(of: &digest) { digest in
                guard let digest = digest.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    let words = words.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    let memory = file.bytes.baseAddress
                else { return }
                let key = (memory + Layout.keyOffset).assumingMemoryBound(to: UInt8.self)
                // SipHash: nobody who does not know the key can aim at a set.
                _ = crypto_shorthash_siphashx24(digest, words, 24, key)
            }
        }
        let (first, count) = key.region.sets
        let number = first + Int(digest.0 % UInt64(count))
        return (CounterSet(file.bytes, at: Layout.headerSize + number * Layout.setSize), max(1, digest.1))
    }

    @Sendable
    private static func newKey() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<16).map { _ in generator.next() }
    }

    /// To be called when there is another file.
    private func startTime() {
        let sinceBoot = UInt64(bitPattern: Self.sinceBoot())
        CounterSet.withLock(file.atomic(at: Layout.lockOffset), now: sinceBoot) {
            let offset = file.atomic(at: Layout.offsetOffset)
            let latest = file.atomic(at: Layout.latestOffset).pointee.load(ordering: .relaxed)
            let known = offset.pointee.load(ordering: .relaxed)
            // The machine has started anew: time goes on where it was seen last.
            guard Int64(bitPattern: sinceBoot &+ known) < Int64(bitPattern: latest) else { return }
            offset.pointee.store(latest &- sinceBoot, ordering: .relaxed)
        }
    }

    /// CLOCK_BOOTTIME in milliseconds: it never goes back, and goes on while the machine sleeps.
    private static func sinceBoot() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
    }
}

/// Whose counter it is.
struct CounterKey: Sendable {
    let region: CounterTable.Region
    /// What is counted.
    let scope: UInt64
    /// Who does it.
    let high, low: UInt64
}
