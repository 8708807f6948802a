internal import CLinux
internal import CSodium
internal import Glibc
internal import Journal
internal import Synchronization

/// Counters that all threads and processes share, in memory that does not grow: who did how much within the last while.
///
/// A counter is a short list of times, each with how often, so that few requests are counted exactly, as by DRF, and
/// many within a fraction of the period and never too few. The table is made of sets of eight counters; a set has a lock
/// of its own, held for some nanoseconds. Where a ninth counter wants into a set, the one goes that ends first. Counters
/// of addresses, of users, of the shares of users' own clients, and of names that are nobody's have places of their own, so
/// that whoever has a million addresses pushes no user's counter out, and no user those of another. From where users logged
/// in has places of its own as well, so many for each user and no more: see ``KnownClientSet``.
final class CounterTable: Sendable {
    private let file: MappedFile
    private let care: FileCare?

    enum Region: Int, Sendable {
        case addresses, users, names
        /// What known clients of users have for themselves, so many for each user and no more: see ``share(of:_:)``.
        case shares

        /// The first set, and how many there are.
        fileprivate var sets: (first: Int, count: Int) {
            switch self {
            case .addresses: (0, 6144)
            case .shares: (6144, 2048)
            case .users: (8192, 4096)
            case .names: (12288, 4096)
            }
        }
    }

    private enum Layout {
        static let magic = Array("postern2".utf8)
        /// Of a digest's key. Who cuts the file away gives it another one.
        static let keyOffset = 8
        static let keySize = 16
        /// What turns the time since the machine started into the time of the table.
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
        file = try MappedFile(
            Self.fileName,
            in: folder,
            size: Layout.size,
            magic: Layout.magic,
            header: Self.newKeys
        )
        Self.startTime(of: file)
        care = folder.lookAfter(file) { [file] in Self.startTime(of: file) }
    }

    /// Counts for this process alone. nil where there is no memory for it.
    init?() {
        guard let file = MappedFile(size: Layout.size, header: Layout.magic + Self.newKeys()) else { return nil }
        self.file = file
        care = nil
        Self.startTime(of: file)
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

    // MARK: From where users log in

    /// Which of a user's shares one of their own clients counts in. There are 64, so that a user with a thousand devices
    /// fills 64 counters of a rate; that two clients of a user have the same share matters where somebody guesses from one of
    /// them, and nobody can aim at that.
    ///
    /// - Returns: Never 0, which is for all strangers.
    func share(of client: UInt64, _ user: User.ID) -> UInt64 {
        1 + digest(of: 3, client, UInt64(bitPattern: user)).0 % Self.shareCount
    }

    private static let shareCount: UInt64 = 64

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

    /// nil while the file is gone and no new one is there: a key of zeros is nobody's.
    var deviceCookie: DeviceCookie? {
        let start = Layout.deviceKeyOffset
        let key = Array(file.bytes[start..<start + Layout.deviceKeySize])
        return key.contains { $0 != 0 } ? DeviceCookie(key: key) : nil
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
                guard let digest = digest.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    let words = words.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    let memory = file.bytes.baseAddress
                else { return }
                let key = (memory + Layout.keyOffset).assumingMemoryBound(to: UInt8.self)
                // SipHash: nobody who does not know the key can aim at a set.
                _ = crypto_shorthash_siphashx24(digest, words, 24, key)
            }
        }
        return digest
    }

    @Sendable
    private static func newKeys() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in generator.next() } }
        let digestKey = random(Layout.keySize)
        let gap = [UInt8](repeating: 0, count: Layout.deviceKeyOffset - Layout.keyOffset - Layout.keySize)
        return digestKey + gap + random(Layout.deviceKeySize)
    }

    /// To be called when there is another file.
    private static func startTime(of file: MappedFile) {
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
