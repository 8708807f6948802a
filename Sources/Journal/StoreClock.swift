internal import CLinux
internal import Glibc
internal import Synchronization

/// The clock by which a folder's events are dated and expiry is judged.
///
/// It is the system's as long as that can be believed, and never goes back. Where the system's clock was set back, time goes on
/// from the latest that was known, by a clock that nobody sets (CLOCK_BOOTTIME). Where it was set ahead by more than a day, and
/// the kernel does not say that it follows a time server, time goes on in the same way: one event of a wrong clock would make
/// all that comes later look old. An operator who knows better says so, see ``JournalFolder/setClock(of:)``.
final class StoreClock: Sendable {
    /// The clocks of the system. Tests put others in their place.
    struct Sources: Sendable {
        /// Microseconds since 1970, which anybody may set.
        var real: @Sendable () -> Int64 = { Timestamp.now().microseconds }
        /// Microseconds since the boot, which nobody may set.
        var elapsed: @Sendable () -> Int64 = {
            var time = timespec()
            clock_gettime(CLOCK_BOOTTIME, &time)
            return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1000
        }
        /// Whether the kernel says that the real one follows a time server.
        var isSynchronized: @Sendable () -> Bool = { linux_clock_is_synchronized() }
    }

    /// What it was at some moment of this boot.
    struct Anchor: Equatable {
        /// Microseconds since 1970, and since the boot.
        var time, elapsed: Int64
        /// How often somebody has set the store's clock.
        var generation: Int64 = 0

        func time(at elapsed: Int64) -> Int64 { time &+ max(0, elapsed &- self.elapsed) }
    }

    private let sources: Sources
    private let anchor: Mutex<Anchor>
    /// No time before it is told; up to a second less than what was told.
    private let floor: Atomic<Int64>
    /// Up to which the system's clock needs no other look.
    private let ceiling: Atomic<Int64>

    /// By how much the system's clock may go ahead at once.
    private static let greatestStep: Int64 = 86_400_000_000
    private static let second: Int64 = 1_000_000

    /// - Parameter known: What it was before in this boot; nil: nobody knows.
    init(_ sources: Sources, _ known: Anchor?) {
        self.sources = sources
        let first = known ?? Anchor(time: sources.real(), elapsed: sources.elapsed())
        anchor = Mutex(first)
        floor = Atomic(.min)
        ceiling = Atomic(.min)
        // Small differences are those of the two clocks.
        if let known { floor.store(known.time(at: sources.elapsed()) &- Self.second, ordering: .relaxed) }
    }

    func now() -> Timestamp {
        let real = sources.real()
        let floor = floor.load(ordering: .relaxed)
        guard real >= floor, real <= ceiling.load(ordering: .relaxed) else { return judge(real) }
        if real &- floor > Self.second { self.floor.max(real, ordering: .relaxed) }
        return Timestamp(microseconds: real)
    }

    /// Notes the time of an event.
    func saw(_ time: Timestamp) { floor.max(time.microseconds, ordering: .relaxed) }

    /// By how many seconds the system's clock is behind or ahead of this one, where it is not believed; 0: it is.
    var difference: Int64 {
        let now = now().microseconds
        return (now &- sources.real()) / Self.second
    }

    /// What is worth telling others of this boot.
    func anchorNow() -> Anchor {
        let now = now().microseconds
        return anchor.withLock { Anchor(time: now, elapsed: sources.elapsed(), generation: $0.generation) }
    }

    /// Goes on from what another process has told, where it knows more.
    func adopt(_ told: Anchor) {
        anchor.withLock { anchor in
            guard told.generation > anchor.generation else { return }
            anchor = told
            floor.store(told.time(at: sources.elapsed()) &- Self.second, ordering: .relaxed)
            ceiling.store(.min, ordering: .relaxed)
        }
    }

    /// Follows the system's clock from now on, whatever it says.
    /// - Returns: What others have to know of that.
    func set() -> Anchor {
        anchor.withLock { anchor in
            anchor = Anchor(time: sources.real(), elapsed: sources.elapsed(), generation: anchor.generation + 1)
            floor.store(anchor.time, ordering: .relaxed)
            ceiling.store(.min, ordering: .relaxed)
            return anchor
        }
    }

    /// What it is where the system's clock says something that is not expected.
    private func judge(_ real: Int64) -> Timestamp {
        anchor.withLock { anchor in
            let elapsed = sources.elapsed()
            let floor = floor.load(ordering: .relaxed)
            // An event may be later than all that was known.
            if floor > anchor.time(at: elapsed) { (anchor.time, anchor.elapsed) = (floor, elapsed) }
            let expected = anchor.time(at: elapsed)
            guard real >= floor else { return Timestamp(microseconds: expected) }
            guard real &- expected <= Self.greatestStep || sources.isSynchronized() else {
                self.floor.max(expected &- Self.second, ordering: .relaxed)
                return Timestamp(microseconds: expected)
            }
            anchor.time = real
            anchor.elapsed = elapsed
            ceiling.store(real &+ Self.greatestStep, ordering: .relaxed)
            self.floor.max(real &- Self.second, ordering: .relaxed)
            return Timestamp(microseconds: real)
        }
    }
}

extension StoreClock.Anchor {
    static let slotName = "clock"

    /// How it stands in the lock file: name, boot, microseconds since the boot and since 1970, how often it was set, checksum.
    func text(in boot: [UInt8]) -> [UInt8] {
        let content =
            Array("\(Self.slotName)\t".utf8) + boot + Array("\t\(elapsed)\t\(time)\t\(generation)".utf8)
        return content + Line.checksum(content, seed: 0).dropLast()
    }

    /// nil for what was not written like this, or in another boot.
    init?(parsing text: ArraySlice<UInt8>, in boot: [UInt8]) {
        let columns = text.split(separator: 0x09, omittingEmptySubsequences: false)
        guard columns.count == 6, columns[1].elementsEqual(boot), let elapsed = Decimal.parse(columns[2]),
            let time = Decimal.parse(columns[3]), let generation = Decimal.parse(columns[4])
        else { return nil }
        self.init(time: time, elapsed: elapsed, generation: generation)
        guard self.text(in: boot).elementsEqual(text) else { return nil }
    }
}
