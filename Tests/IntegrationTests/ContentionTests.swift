import Foundation
import Postern
import Testing

/// Real processes with threads, and a history that is judged afterwards.
@Suite("Contention of processes", .serialized, .timeLimit(.minutes(240)))
struct ProcessContentionTests {
    @Test("Tokens and names in eight processes of eight threads are as if everything happened in one, one by one")
    func linearizable() throws {
        let exercise = try Exercise()
        defer { exercise.site.remove() }
        let seconds = LongTests.times(4, long: 60)
        let processes = try (0..<8).map { number in
            try exercise.start("\(number)", seconds: seconds, threads: 8, writes: 20)
        }
        for process in processes { #expect(process.wait() == 0, "\(exercise.log)") }
        var history = Exercise.History()
        try exercise.read(into: &history)
        #expect(history.failures == [])
        #expect(history.violations() == [])
        #expect(try history.violations(of: Store(opening: exercise.site.store)) == [])
        #expect(history.operations > LongTests.times(5000, long: 1_000_000))
        #expect(history.races > LongTests.times(10, long: 100))
        print("contention: \(history.operations) operations, \(history.writes) writes, \(history.races) races")
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
            // All but one at a time; now and then all of them, so that nobody is left who knows anything.
            let isAll = number % 16 == 0
            usleep(UInt32.random(in: 0..<60_000))
            let victims = isAll ? Array(running.indices) : [Int.random(in: running.indices)]
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
        #expect(history.writes > LongTests.times(200, long: 200_000))
        print("kills: \(kills), with \(history.writes) acknowledged writes")
    }
}
