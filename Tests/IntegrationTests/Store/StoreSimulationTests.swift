import Foundation
import Testing

/// What may happen to a store, played through in memory: see `Tests/StoreSimulation`.
@Suite("The store in a simulation", .timeLimit(.minutes(LongTests.are ? 600 : 20)))
struct StoreSimulationTests {
    @Test("Whatever disks, clocks, kills and people do in any order, nobody gets in who must not, and no remedy fails")
    func seeds() async throws {
        let first = Self.firstSeed
        // A debug build takes many times as long.
        let count = LongTests.are ? 1_000_000 : Site.areReleased ? 750 : 50
        async let one = play(count, from: first)
        async let other = play(count, from: first + UInt64(count))
        for run in try await [one, other] {
            #expect(run.code == 0, "\(run.output)\nTo repeat one of them: \(Self.binary) SEED")
        }
    }

    @Test("A seed leads to the same calls each time")
    func repeats() throws {
        for seed in 0..<20 {
            let lines = try (0..<2).map { _ in
                try Child.run(Self.binary, ["\(seed)"]).output.split(separator: "\n").last
            }
            #expect(lines[0] == lines[1])
            #expect(lines[0]?.hasPrefix("seed \(seed): ") ?? false)
        }
    }

    /// POSTERN_SEED or, in the long tests, another one each time. Those who did not change the store are not to meet what one plan
    /// in many thousands may still find.
    private static let firstSeed =
        ProcessInfo.processInfo.environment["POSTERN_SEED"].flatMap { UInt64($0) }
        ?? (LongTests.are ? UInt64.random(in: 0..<1 << 40) : 1223)

    private static let binary = Site.products + "/store-simulation"

    private func play(_ count: Int, from first: UInt64) async throws -> Child.Finished {
        try await onThread {
            try Child.run(Self.binary, ["\(count)", "\(first)"])
        }
    }
}
