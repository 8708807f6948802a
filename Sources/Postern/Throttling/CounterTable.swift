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
/// addresses pushes no user's counter out. From where users logged in has places of its own as well, so many for each user
/// and no more: see ``KnownClientSet``.
final class CounterTable: Sendable {
    private let file: MappedFile
    private let key: [UInt8]
    let deviceCookie: DeviceCookie
    /// What turns the time since the machine started into the time of the table.
    private let offset: Int64

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
        static let magic = Array("postern2".utf8)
        static let keyOffset = 8
        static let offsetOffset = 24
        static let latestOffset = 32
        static let lockOffset = 40
        static let deviceKeyOffset = 48
        static let deviceKeySize = 32
        static let headerSize = 4096
        static let setCount = 16384
        static let setSize = 1024
        static let knownOffset = headerSize + setCount * setSize
        static let knownCount = 4096
        static let size = knownOffset + knownCount * setSize
    }

    static let fileName = "throttle"

    /// - Throws: ``JournalError`` when the file can be neither opened nor made.
    init(in folder: JournalFolder) throws(JournalError) {
        let file = try MappedFile(
            Self.fileName,
            in: folder,
            size: Layout.size,
            header: Self.newHeader()
        ) { $0.starts(with: Layout.magic) }
        (key, offset) = Self.read(file)
        deviceCookie = Self.deviceCookie(file)
        self.file = file
    }

    /// Counts for this process alone. nil where there is no memory for it.
    init?() {
        guard let file = MappedFile(size: Layout.size, header: Self.newHeader()) else { return nil }
        (key, offset) = Self.read(file)
        deviceCookie = Self.deviceCookie(file)
        self.file = file
    }

    /// Milliseconds; they go on when processes and the machine start anew, and follow no change of the clock.
    func now() -> UInt64 {
        let now = UInt64(bitPattern: Self.sinceBoot() &+ offset)
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

    // MARK: From where users log in

    /// Milliseconds for which a client is known to a user from the last login on.
    static let knownFor: UInt64 = 30 * 86_400_000

    /// A login less than this before the last one is not noted again.
    private static let knownGranularity: UInt64 = 3_600_000

    /// Whether the user logged in from this client lately. Takes no lock.
    func knows(_ client: UInt64, of user: User.ID, now: UInt64) -> Bool {
        let (set, tag, client) = knownPlace(client, user)
        guard let end = set.end(of: client, of: tag).map({ $0 &* 1000 }) else { return false }
        // Whatever stands in the file, nobody is known for longer than the period.
        return now < end && end <= now &+ Self.knownFor
    }

    /// Notes that the user has logged in from this client.
    func know(_ client: UInt64, of user: User.ID, now: UInt64) {
        let (set, tag, client) = knownPlace(client, user)
        let end = now &+ Self.knownFor
        if let known = set.end(of: client, of: tag).map({ $0 &* 1000 }), known <= end,
            end &- known < Self.knownGranularity
        {
            return
        }
        set.keep(client, of: tag, until: end / 1000, now: now)
    }

    private func knownPlace(_ client: UInt64, _ user: User.ID) -> (KnownClientSet, user: UInt64, client: UInt32) {
        let user = UInt64(bitPattern: user)
        let place = digest(of: 1, 0, user)
        let position = Layout.knownOffset + Int(place.0 % UInt64(Layout.knownCount)) * Layout.setSize
        let word = UInt32(truncatingIfNeeded: digest(of: 2, client, user).0)
        return (KnownClientSet(file.bytes, at: position), max(1, place.1), word)
    }

    private static func deviceCookie(_ file: MappedFile) -> DeviceCookie {
        let start = Layout.deviceKeyOffset
        return DeviceCookie(key: Array(file.bytes[start..<start + Layout.deviceKeySize]))
    }

    // MARK: -

    private func place(of key: CounterKey) -> (CounterSet, tag: UInt64) {
        let digest = digest(of: key.scope, key.high, key.low)
        let (first, count) = key.region.sets
        let number = first + Int(digest.0 % UInt64(count))
        return (CounterSet(file.bytes, at: Layout.headerSize + number * Layout.setSize), max(1, digest.1))
    }

    private func digest(of first: UInt64, _ second: UInt64, _ third: UInt64) -> (UInt64, UInt64) {
        let words = (first, second, third)
        var digest: (UInt64, UInt64) = (0, 0)
        withUnsafeBytes(of: words) { words in
            withUnsafeMutableBytes(of: &digest) { digest in
                self.key.withUnsafeBufferPointer { key in
                    guard let digest = digest.baseAddress?.assumingMemoryBound(to: UInt8.self),
                        let words = words.baseAddress?.assumingMemoryBound(to: UInt8.self), let key = key.baseAddress
                    else { return }
                    // SipHash: nobody who does not know the key can aim at a set.
                    _ = crypto_shorthash_siphashx24(digest, words, 24, key)
                }
            }
        }
        return digest
    }

    private static func newHeader() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var header = Layout.magic + (0..<16).map { _ in generator.next() }
        header += [UInt8](repeating: 0, count: Layout.deviceKeyOffset - header.count)
        return header + (0..<Layout.deviceKeySize).map { _ in generator.next() }
    }

    private static func read(_ file: MappedFile) -> (key: [UInt8], offset: Int64) {
        let bytes = file.bytes
        let key = Array(bytes[Layout.keyOffset..<Layout.keyOffset + 16])
        let offset = CounterSet.withLock(file.atomic(at: Layout.lockOffset), now: UInt64(sinceBoot())) {
            let known = bytes.load(fromByteOffset: Layout.offsetOffset, as: Int64.self)
            let latest = bytes.load(fromByteOffset: Layout.latestOffset, as: Int64.self)
            // The machine has started anew: time goes on where it was seen last.
            guard sinceBoot() &+ known < latest else { return known }
            bytes.storeBytes(of: latest &- sinceBoot(), toByteOffset: Layout.offsetOffset, as: Int64.self)
            return latest &- sinceBoot()
        }
        return (key, offset)
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
