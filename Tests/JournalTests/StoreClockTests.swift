import Glibc
import Synchronization
import Testing

@testable import Journal

/// The system's clocks, which a test sets.
private final class SystemClocks: LinuxCalls {
    let real = Atomic<Int64>(1_800_000_000_000_000)
    let elapsed = Atomic<Int64>(5_000_000)
    let isSynchronized = Atomic(false)

    func realTime() -> Int64 { real.load(ordering: .relaxed) }

    func elapsedTime() -> Int64 { elapsed.load(ordering: .relaxed) }

    var isClockSynchronized: Bool { isSynchronized.load(ordering: .relaxed) }

    /// Lets seconds pass.
    func pass(_ seconds: Int64) {
        real.add(seconds * 1_000_000, ordering: .relaxed)
        elapsed.add(seconds * 1_000_000, ordering: .relaxed)
    }

    /// Sets the real clock ahead by so many seconds, or back.
    func set(by seconds: Int64) { real.add(seconds * 1_000_000, ordering: .relaxed) }
}

@Suite("The clock of a folder of journals")
struct StoreClockTests {
    private static let day: Int64 = 86_400
    private let system = SystemClocks()
    private let start: Int64 = 1_800_000_000

    private func clock(_ known: StoreClock.Anchor? = nil) -> StoreClock { StoreClock(system, known) }

    /// Since the start of the test.
    private func seconds(_ clock: StoreClock) -> Int64 { clock.now().seconds - start }

    @Test("It is the system's, also over a night in which nobody asks")
    func follows() {
        let clock = clock()
        #expect(seconds(clock) == 0)
        for (seconds, sum) in [(1, 1), (3600, 3601), (400 * Self.day, 3601 + 400 * Self.day)] {
            system.pass(seconds)
            #expect(self.seconds(clock) == sum)
            #expect(clock.difference == 0)
        }
    }

    @Test("Set back, it goes on from the latest that was told, and follows the system's again when that has caught up")
    func back() {
        let clock = clock()
        system.pass(7200)
        #expect(seconds(clock) == 7200)
        system.set(by: -3600)
        #expect(abs(seconds(clock) - 7200) <= 1)
        #expect(clock.difference == 3600)
        system.pass(1800)
        #expect(abs(seconds(clock) - 9000) <= 1)
        system.set(by: 3600)
        #expect(abs(seconds(clock) - 9000) <= 1)
        #expect(clock.difference == 0)
    }

    @Test("An event of a clock that is ahead is followed, and time goes on from it")
    func event() {
        let clock = clock()
        _ = clock.now()
        clock.saw(Timestamp(seconds: start + 400 * Self.day))
        #expect(seconds(clock) == 400 * Self.day)
        system.pass(2)
        #expect(seconds(clock) == 400 * Self.day + 2)
        #expect(clock.difference == 400 * Self.day)
    }

    @Test(
        "Set ahead by more than a day it is not believed, unless the kernel follows a time server or somebody says so"
    )
    func ahead() {
        let clock = clock()
        _ = clock.now()
        system.set(by: 400 * Self.day)
        #expect(seconds(clock) == 0)
        #expect(clock.difference == -400 * Self.day)
        system.pass(5)
        #expect(abs(seconds(clock) - 5) <= 1)
        system.set(by: -400 * Self.day)
        #expect(abs(seconds(clock) - 5) <= 1)
        #expect(clock.difference == 0)
        system.set(by: 23 * 3600)
        #expect(abs(seconds(clock) - 5 - 23 * 3600) <= 1)
        system.set(by: 400 * Self.day)
        system.isSynchronized.store(true, ordering: .relaxed)
        #expect(abs(seconds(clock) - 5 - 23 * 3600 - 400 * Self.day) <= 1)
        system.isSynchronized.store(false, ordering: .relaxed)
        system.set(by: 2 * Self.day)
        #expect(abs(clock.difference + 2 * Self.day) <= 1)
        _ = clock.set()
        #expect(clock.difference == 0)
    }

    @Test("Whoever comes later in the same boot goes on where the one before was, and follows who sets it")
    func laterProcess() throws {
        let one = clock()
        clock().saw(Timestamp(seconds: start))
        one.saw(Timestamp(seconds: start + 30 * Self.day))
        let anchor = one.anchorNow()
        system.pass(60)
        let other = clock(anchor)
        #expect(abs(seconds(other) - 30 * Self.day - 60) <= 1)
        let set = other.set()
        #expect(seconds(other) == 60)
        one.adopt(set)
        #expect(seconds(one) == 60)
        one.adopt(anchor)
        #expect(seconds(one) == 60)
        let boot = Array(repeating: UInt8(ascii: "0"), count: 32)
        let read = StoreClock.Anchor(parsing: set.text(in: boot)[...], in: boot)
        #expect(read == set)
        #expect(
            StoreClock.Anchor(parsing: set.text(in: boot)[...], in: Array(boot.reversed().dropLast()) + [0x31]) == nil
        )
    }

    @Test("A folder dates events by it, in every process, and setting it dates those anew that are later")
    func folder() throws {
        let folder = try TemporaryFolder()
        func open() throws -> (JournalFolder, Journal) {
            let open = try JournalFolder(
                opening: folder.path,
                kind: "test",
                version: 1,
                patience: .seconds(5),
                lookInterval: 0,
                system: system
            )
            return (open, try Journal(opening: "events", in: open))
        }
        func append(_ journal: Journal) throws {
            try journal.append(reset: { _ in }, apply: { _ in }, events: { [Event([[0x61]])] })
        }
        func times(_ journal: Journal) throws -> [Int64] {
            var times: [Int64] = []
            try journal.followAnew(reset: { _ in times = [] }, apply: { times.append($0.time.seconds - start) })
            return times
        }
        let (one, journal) = try open()
        try append(journal)
        system.set(by: 400 * Self.day)
        // The process that is there, and one that comes, know how much time has passed.
        try append(journal)
        try append(try open().1)
        #expect(try times(try open().1).allSatisfy { abs($0) <= 1 })
        // In another boot nobody does.
        try folder.forgetSyncs()
        try append(try open().1)
        system.set(by: -400 * Self.day)
        system.pass(60)
        let (other, later) = try open()
        #expect(try times(later).last == 400 * Self.day)
        #expect(abs(other.now().seconds - start - 400 * Self.day - 60) <= 1)
        #expect(try other.setClock(of: ["events"]) == 1)
        #expect(abs(other.now().seconds - start - 60) <= 1)
        #expect(try times(later).allSatisfy { $0 <= 61 })
        _ = try times(journal)
        #expect(abs(one.now().seconds - start - 60) <= 1)
        try append(journal)
        #expect(try times(try open().1).count == 5)
    }
}
