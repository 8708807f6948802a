internal import Synchronization

/// The clock by which a folder's events are dated and expiry is judged.
///
/// It is the system's as long as that can be believed, and never goes back. Where the system's clock was set back, time goes on
/// from the latest that was known, by a clock that nobody sets (CLOCK_BOOTTIME). Where it was set ahead by more than a day, and
/// the kernel does not say that it follows a time server, time goes on in the same way: one event of a wrong clock would make
/// all that comes later look old. An operator who knows better says so, see ``JournalFolder/setClock(of:)``.
final class StoreClock: Sendable {
    /// What it was at some moment of this boot.
    struct Anchor: Equatable {
        /// Microseconds since 1970, and since the boot.
        var time, elapsed: Int64
        /// How often somebody has set the store's clock.
        var generation: Int64 = 0

        func time(at elapsed: Int64) -> Int64 { time &+ max(0, elapsed &- self.elapsed) }
    }

    private let system: any System
    private let anchor: Mutex<Anchor>
    /// No time before it is told; up to a second less than what was told.
    private let floor: Atomic<Int64>
    /// Up to which the system's clock needs no other look: two seconds beyond the last one. So who sets it back is noticed also
    /// where nobody has asked for a while.
    private let ceiling: Atomic<Int64>

    /// By how much the system's clock may go ahead at once.
    private static let greatestStep: Int64 = 86_400_000_000
    private static let second: Int64 = 1_000_000

    /// - Parameter known: What it was before in this boot; nil: nobody knows.
    init(_ system: any System, _ known: Anchor?) {
        self.system = system
        let first = known ?? Anchor(time: system.realTime(), elapsed: system.elapsedTime())
        anchor = Mutex(first)
        floor = Atomic(.min)
        ceiling = Atomic(.min)
        if let known { floor.store(known.time &- Self.second, ordering: .relaxed) }
    }

    func now() -> Timestamp {
        let real = system.realTime()
        let floor = floor.load(ordering: .relaxed)
        guard real >= floor, real <= ceiling.load(ordering: .relaxed) else { return judge(real) }
        return Timestamp(microseconds: real)
    }

    /// Notes the time of an event.
    func saw(_ time: Timestamp) { floor.max(time.microseconds, ordering: .relaxed) }

    /// By how many seconds the system's clock is behind or ahead of this one, where it is not believed; 0: it is.
    var difference: Int64 {
        let now = now().microseconds
        return (now &- system.realTime()) / Self.second
    }

    /// What is worth telling others of this boot.
    func anchorNow() -> Anchor {
        let now = now().microseconds
        return anchor.withLock { Anchor(time: now, elapsed: system.elapsedTime(), generation: $0.generation) }
    }

    /// Goes on from what another process has told, where it knows more.
    func adopt(_ told: Anchor) {
        anchor.withLock { anchor in
            guard told.generation > anchor.generation else { return }
            anchor = told
            floor.store(told.time &- Self.second, ordering: .relaxed)
            ceiling.store(.min, ordering: .relaxed)
        }
    }

    /// Follows the system's clock from now on, whatever it says.
    /// - Returns: What others have to know of that.
    func set() -> Anchor {
        anchor.withLock { anchor in
            anchor = Anchor(time: system.realTime(), elapsed: system.elapsedTime(), generation: anchor.generation + 1)
            floor.store(anchor.time, ordering: .relaxed)
            ceiling.store(.min, ordering: .relaxed)
            return anchor
        }
    }

    /// What it is where the system's clock says something that is not expected.
    private func judge(_ real: Int64) -> Timestamp {
        anchor.withLock { anchor in
            let elapsed = system.elapsedTime()
            let floor = floor.load(ordering: .relaxed)
            // An event may be later than all that was known.
            if floor > anchor.time(at: elapsed) { (anchor.time, anchor.elapsed) = (floor, elapsed) }
            let expected = anchor.time(at: elapsed)
            // Small differences are those of the two clocks.
            let isBehind = real < max(floor, expected &- Self.second)
            let isFarAhead = real &- expected > Self.greatestStep && !system.isClockSynchronized
            let time = isBehind || isFarAhead ? expected : real
            if time == real { (anchor.time, anchor.elapsed) = (real, elapsed) }
            self.floor.max(time &- Self.second, ordering: .relaxed)
            ceiling.store(time == real ? real &+ 2 &* Self.second : .min, ordering: .relaxed)
            return Timestamp(microseconds: time)
        }
    }
}

extension StoreClock.Anchor {
    static let slotName = "clock"

    /// How it stands in the lock file: microseconds since the boot and since 1970, and how often it was set.
    func text(in boot: [UInt8]) -> [UInt8] { BootNote.text(Self.slotName, [elapsed, time, generation], in: boot) }

    /// nil for what was not written like this, or in another boot.
    init?(parsing text: ArraySlice<UInt8>, in boot: [UInt8]) {
        guard let numbers = BootNote.numbers(text, in: boot), numbers.count == 3 else { return nil }
        self.init(time: numbers[1], elapsed: numbers[0], generation: numbers[2])
    }
}
