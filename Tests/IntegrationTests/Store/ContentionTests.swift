import Foundation
import Postern
import TestSupport
import Testing

/// Real processes with threads, and a history that is judged afterwards.
@Suite("Contention of processes", .randomized, .serialized, .timeLimit(.minutes(240)))
struct ProcessContentionTests {
    @Test("Tokens and names in eight processes of eight threads are as if everything happened in one, one by one")
    func linearizable() throws {
        let exercise = try Exercise()
        defer { exercise.site.remove() }
        let seconds = LongTests.times(4, long: 180)
        let processes = try (0..<8).map { number in
            try exercise.start("\(number)", seconds: seconds, threads: 8, writes: LongTests.times(20, long: 3))
        }
        for process in processes { #expect(process.wait() == 0, "\(exercise.log)") }
        var history = Exercise.History()
        try exercise.read(into: &history)
        #expect(history.failures == [])
        #expect(history.violations() == [])
        #expect(try history.violations(of: Store(opening: exercise.site.store)) == [])
        #expect(history.operations > LongTests.times(500, long: 1_000_000))
        #expect(history.races > LongTests.times(1, long: 100))
        // 64 writers may keep one of them waiting for as long as it has patience, but hardly ever.
        #expect(history.refusals * LongTests.times(5, long: 50) <= history.writes)
        print(
            "contention: \(history.operations) operations, \(history.writes) writes, \(history.refusals) refused, "
                + "\(history.races) races"
        )
    }

    @Test("The judge finds what cannot be, and nothing where all is well")
    func judge() {
        func violations(_ lines: [String]) -> [String] {
            var history = Exercise.History()
            for line in ["issued 1 10 20", "revoking 1 50", "revoked 1 50 60"] + lines {
                history.add(Data(line.utf8)[...])
            }
            return history.failures + history.violations()
        }
        for line in [
            "good 1 21 30", "good 1 40 55", "good 1 55 70", "good 1 59 61", "gone 1 49 51", "gone 1 51 52",
            "gone 1 70 80",
            "gone 1 5 30", "good 1 5 15",
        ] { #expect(violations([line]) == [], "\(line)") }
        #expect(violations(["good 1 61 62"]) == ["token 1 lived on"])
        #expect(violations(["gone 1 21 49"]) == ["token 1 was not there"])
        #expect(violations(["gone 1 51 52", "good 1 53 54"]) == ["token 1 came back"])
        #expect(violations(["revoked 1 51 61"]) == ["token 1 was revoked twice"])
        #expect(violations(["issued 1 30 31"]) == ["token 1 was issued twice"])
        let race = ["adding 7 10", "adding 7 11"]
        #expect(violations(race + ["added 7 10 20", "taken 7 11 21"]) == [])
        #expect(violations(race + ["added 7 10 20", "added 7 11 21"]) == ["name 7 was given 2 times"])
        #expect(violations(race + ["taken 7 10 20", "taken 7 11 21"]) == ["name 7 was given to nobody"])
        #expect(violations(["failed The store is gone."]) == ["failed The store is gone."])
    }

    @Test("Processes that are killed at any moment, while others go on, lose nothing and revive nothing")
    func kills() throws {
        let exercise = try Exercise()
        defer { exercise.site.remove() }
        var history = Exercise.History()
        let kills = LongTests.times(160, long: 10_000)
        func start(_ number: Int) throws -> Child {
            try exercise.start("\(number)", seconds: 0, threads: 4, writes: 80)
        }
        var running = try (0..<3).map(start)
        for number in 0..<kills {
            // One at a time, and now and then all of them, so that nobody is left who knows anything.
            let isAll = number % 16 == 0
            usleep(UInt32.random(in: 0..<UInt32(LongTests.times(60_000, long: 200_000)), using: &seeded))
            let victims = isAll ? Array(running.indices) : [Int.random(in: running.indices, using: &seeded)]
            for victim in victims {
                running[victim].end(with: SIGKILL)
                if !isAll { running[victim] = try start(number + 3) }
            }
            guard isAll else { continue }
            try exercise.read(into: &history)
            #expect(try history.violations(of: Store(opening: exercise.site.store)) == [], "after \(number) kills")
            for victim in victims { running[victim] = try start(number * 1000 + victim + 1_000_000) }
        }
        for process in running { process.end(with: SIGKILL) }
        try exercise.read(into: &history)
        #expect(history.failures == [])
        #expect(history.violations(wereKilled: true) == [])
        #expect(try history.violations(of: Store(opening: exercise.site.store)) == [])
        #expect(history.writes > LongTests.times(200, long: 5_000))
        print("kills: \(kills), with \(history.writes) acknowledged writes")
    }
}
