import Synchronization
import Testing

@testable import Postern

@Suite("Bounded lines")
struct LineLimitTests {
    /// A clock that moves when it is told to, and what was reported.
    private final class Bench: Sendable {
        let now = Mutex<UInt64>(1000)
        let told = Mutex<[String]>([])

        func limit(_ limit: Int, capacity: Int = 8) -> LineLimit<String> {
            LineLimit(
                limit: limit,
                capacity: capacity,
                clock: { self.now.withLock { $0 } },
                report: { kind, count in self.told.withLock { $0.append("\(kind ?? "others"): \(count)") } }
            )
        }

        func pass(_ milliseconds: UInt64) { now.withLock { $0 += milliseconds } }
        var lines: [String] { told.withLock { $0.sorted() } }
    }

    @Test("So many of a kind a minute; then a line says how many were left out, of each kind")
    func limit() {
        let bench = Bench()
        let limit = bench.limit(3)
        #expect((0..<5).map { _ in limit.admits("a") } == [true, true, true, false, false])
        #expect(limit.admits("b"))
        bench.pass(59_999)
        #expect(!limit.admits("a"))
        #expect(bench.lines == [])
        bench.pass(1)
        #expect(limit.admits("a"))
        #expect(bench.lines == ["a: 3"])
        bench.pass(60_000)
        #expect(limit.admits("b"))
        #expect(bench.lines == ["a: 3"])
    }

    @Test("Kinds past those that are told apart share one limit, and one number")
    func others() {
        let bench = Bench()
        let limit = bench.limit(2, capacity: 4)
        let admitted = (0..<1000).count { limit.admits("\($0)") }
        #expect(admitted == 4 + 2)
        for _ in 0..<3 { _ = limit.admits("0") }
        limit.tell()
        #expect(bench.lines == ["0: 2", "others: 994"])
        limit.tell()
        #expect(bench.lines.count == 2)
    }

    @Test("What somebody else left out is told likewise")
    func leftOut() {
        let bench = Bench()
        let limit = bench.limit(0)
        for _ in 0..<20_000 { limit.leaveOut("a") }
        bench.pass(60_000)
        limit.leaveOut("b")
        #expect(bench.lines == ["a: 20000"])
    }

    @Test("Where nobody comes any more a timer tells it")
    func timer() async {
        let (told, tell) = AsyncStream<Int>.makeStream()
        let limit = LineLimit<String>(limit: 0, capacity: 8, period: 20) { _, count in tell.yield(count) }
        limit.leaveOut("a")
        var sum = 0
        for await count in told {
            sum += count
            if sum == 1 { break }
        }
        #expect(sum == 1)
    }
}
