import Foundation
import Synchronization
package import Testing

/// A generator of numbers that are the same for the same seed: SplitMix64.
package final class SeededGenerator: RandomNumberGenerator, Sendable {
    private let state: Mutex<UInt64>

    package init(_ seed: UInt64) { state = Mutex(seed) }

    package func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }
    }
}

/// What tests draw from, instead of the system's generator. In a suite or a test that is ``Testing/Trait/randomized`` each case has
/// a generator of its own, so that it draws the same for the same seed, whatever runs beside it. Threads that a test starts, and
/// tests that say nothing, share one: what they draw depends on who comes first.
package var seeded: SeededGenerator {
    get { Randomized.generator ?? Randomized.shared }
    // Whoever draws writes the generator back, which is the same one.
    set {}
}

/// Lets a test draw from a generator whose seed is known, and names it in each failure.
package struct Randomized: SuiteTrait, TestTrait, TestScoping {
    package let isRecursive = true

    @TaskLocal fileprivate static var generator: SeededGenerator?

    /// From the environment: POSTERN_SEED; else another one each time.
    package static let seed =
        ProcessInfo.processInfo.environment["POSTERN_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1 << 40)

    fileprivate static let shared = SeededGenerator(seed)

    package func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        // FNV-1a, so that two tests do not draw the same.
        let hash = test.name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let generator = SeededGenerator(Self.seed ^ hash)
        #if compiler(>=6.3)
            let naming: IssueHandlingTrait = .compactMapIssues { issue in
                var issue = issue
                issue.comments.append("POSTERN_SEED=\(Self.seed) draws the same.")
                return issue
            }
            try await naming.provideScope(for: test, testCase: testCase) {
                try await Self.$generator.withValue(generator) { try await function() }
            }
        #else
            print("\(test.name): POSTERN_SEED=\(Self.seed)")
            try await Self.$generator.withValue(generator) { try await function() }
        #endif
    }
}

extension Trait where Self == Randomized {
    /// See ``Randomized``.
    package static var randomized: Self { Self() }
}
