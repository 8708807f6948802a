import Foundation

/// Whether the figures of the long mode are wanted, which take hours: `make test-long`.
enum LongTests {
    static let are = ProcessInfo.processInfo.environment["POSTERN_LONG_TESTS"] == "1"

    /// How often something is tried in `make test`, and in the long mode.
    static func times(_ short: Int, long: Int) -> Int { are ? long : short }

    /// How many calls further each run goes in which one of them fails: every one is tried in the long mode.
    static func step(_ short: Int) -> Int { are ? 1 : short }
}
