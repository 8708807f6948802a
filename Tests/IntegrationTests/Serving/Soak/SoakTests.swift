import Foundation
import Synchronization
import TestSupport
import Testing

/// One server for a hundred thousand requests of all kinds, and a million in the long mode. What it takes is the same at the
/// end as at the beginning. `make test` has a release build of it; a debug build gets fewer.
@Suite("A server that lives long", .randomized)
struct SoakTests {
    @Test("Memory, threads, descriptors and processor time are the same from the first tenth to the last")
    func soak() throws {
        let server = try SoakServer()
        defer { server.remove() }
        let seed = Randomized.seed
        var random = SeededGenerator(seed)
        let client = try FastCGIConnection(server.socket)
        let acts = SoakAct.all(server)
        let sum = acts.reduce(0) { $0 + $1.weight }
        var number = 0
        /// - Returns: What a request took, in microseconds of the processor.
        func run(_ requests: Int) throws -> Double {
            let before = try ProcessFigures(server.pid).ticks
            var done = 0
            while done < requests {
                var place = Int.random(in: 0..<sum, using: &random)
                let act = acts.first { act in
                    place -= act.weight
                    return place < 0
                }
                number += 1
                done += try act?.run(client, number) ?? 1
            }
            return Double(try ProcessFigures(server.pid).ticks - before) * 10_000 / Double(done)
        }
        do {
            // All that is made once is made: each policy that is remembered, each thread's stack, each page of shared memory.
            for number in 0..<1100 { try server.askOfNewPolicy(client, -1 - number) }
            let total = LongTests.times(Site.areReleased ? 100_000 : 50_000, long: 1_000_000)
            _ = try run(total / 10)
            var figures = [try ProcessFigures(server.pid)]
            var times: [Double] = []
            for _ in 0..<10 {
                times.append(try run(total / 10))
                figures.append(try ProcessFigures(server.pid))
            }
            let kibibytes = figures.map { Double($0.residentKiB) }
            // Bytes a request. A token, a session and a family of refresh tokens are remembered until they have ended.
            // What is made once for each thread and size of memory comes late: it counts from the middle on.
            let growth = Self.slope(Array(kibibytes.suffix(6))) * 10 * 1024 / Double(total)
            let summary = "seed \(seed): KiB \(kibibytes), microseconds \(times)"
            print("soak: \(growth) bytes a request; \(summary)")
            #expect(growth < 40, "\(growth) bytes a request; \(summary)")
            // The timers of the logs, which last a minute, are threads of their own.
            let threads = figures.map(\.threads)
            #expect((threads.max() ?? 0) - (threads.min() ?? 0) <= 4, "\(threads)")
            let descriptors = figures.map(\.descriptors)
            #expect((descriptors.max() ?? 0) - (descriptors.min() ?? 0) <= 4, "\(descriptors)")
            // What grows with each request grows from the first tenth to the last many times over.
            let (first, last) = (times.prefix(3).sorted()[1], times.suffix(3).sorted()[1])
            #expect(last < 2 * first, "\(summary)")
            #expect(server.isRunning)
        } catch {
            throw HarnessError("seed \(seed): \(error), runs: \(server.isRunning)")
        }
    }

    /// Of the line through the values that has the least squares.
    private static func slope(_ values: [Double]) -> Double {
        let middle = Double(values.count - 1) / 2
        let mean = values.reduce(0, +) / Double(values.count)
        let (above, below) = values.enumerated().reduce((0.0, 0.0)) { sums, value in
            let distance = Double(value.offset) - middle
            return (sums.0 + distance * (value.element - mean), sums.1 + distance * distance)
        }
        return above / below
    }
}
