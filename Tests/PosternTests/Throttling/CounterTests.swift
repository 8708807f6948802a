import Foundation
import Testing

@testable import Postern

@Suite("Counters")
struct CounterTests {
    @Test(
        "Rates are read as DRF writes them, and of several periods",
        arguments: [
            ("5/min", 5, 60), ("20/s", 20, 1), ("100/day", 100, 86400), ("3/hour", 3, 3600), ("5/15min", 5, 900),
            ("1/second", 1, 1), ("2/2d", 2, 172_800), ("0/m", 0, 60), ("7/90s", 7, 90),
        ]
    )
    func rates(text: String, limit: Int, period: Int64) {
        let rate = ThrottleRate(text)
        #expect(rate?.limit == limit)
        #expect(rate?.period == period)
    }

    @Test(
        "What is no rate is none",
        arguments: [
            "", "5", "5/", "/min", "5/0min", "5/xmin", "5/mins", "-1/s", "5/min/s", "5 /min", "1e3/s", "5/400d",
            "99999999/s", "٥/min",
        ]
    )
    func noRates(text: String) {
        #expect(ThrottleRate(text) == nil)
    }

    /// What a counter lets through, against a list of all times.
    private func compare(limit: Int, period: UInt64, times: [UInt64]) throws -> (ours: Int, exact: Int, most: Int) {
        let scope = ThrottleScope("x", try #require(ThrottleRate("\(limit)/\(period / 1000)s")))
        var counter = Counter()
        let passed = times.filter { scope.take(&counter, now: $0).isAllowed }
        var (first, most) = (0, 0)
        for last in passed.indices {
            while passed[first] + period <= passed[last] { first += 1 }
            most = max(most, last - first + 1)
        }
        var history: [UInt64] = []
        var total = 0
        for now in times {
            history.removeAll { $0 + period <= now }
            if history.count < limit {
                history.append(now)
                total += 1
            }
        }
        return (passed.count, total, most)
    }

    @Test("Up to thirteen in a period are counted exactly as by DRF", arguments: [1, 2, 5, 13])
    func exact(limit: Int) throws {
        var generator = Seeded(seed: UInt64(limit))
        var now: UInt64 = 1_000_000
        let times = (0..<5000).map { _ in
            now += generator.next() % 9000
            return now
        }
        let (ours, exact, most) = try compare(limit: limit, period: 60_000, times: times)
        #expect(ours == exact)
        #expect(most == limit)
    }

    @Test("More are never too many in any period, and not much too few", arguments: [20, 100, 1000])
    func merged(limit: Int) throws {
        var generator = Seeded(seed: UInt64(limit))
        var now: UInt64 = 1_000_000
        let times = (0..<20_000).map { _ in
            now += generator.next() % (120_000 / UInt64(limit))
            return now
        }
        let (ours, exact, most) = try compare(limit: limit, period: 60_000, times: times)
        #expect(most <= limit)
        #expect(Double(ours) > 0.8 * Double(exact), "\(ours) of \(exact)")
    }

    @Test("The wait is until the first of them is a period old")
    func wait() throws {
        let scope = ThrottleScope("x", try #require(ThrottleRate("2/min")))
        var counter = Counter()
        #expect(scope.take(&counter, now: 1000).remaining == 1)
        #expect(scope.take(&counter, now: 11_000).remaining == 0)
        let refused = scope.take(&counter, now: 21_001)
        #expect(!refused.isAllowed)
        #expect(refused.seconds == 40)
        #expect(!scope.take(&counter, now: 60_999).isAllowed)
        #expect(scope.take(&counter, now: 61_000).isAllowed)
        let none = ThrottleScope("x", try #require(ThrottleRate("0/min")))
        var empty = Counter()
        #expect(none.take(&empty, now: 5).seconds == 60)
    }

    @Test("A clock that goes back locks nobody out for longer than a period, and lets nobody in early")
    func clockBack() throws {
        let scope = ThrottleScope("x", try #require(ThrottleRate("2/min")))
        var counter = Counter()
        for _ in 0..<2 { _ = scope.take(&counter, now: 10_000_000) }
        #expect(!scope.take(&counter, now: 5_000).isAllowed)
        #expect(!scope.take(&counter, now: 64_999).isAllowed)
        #expect(scope.take(&counter, now: 65_000).isAllowed)
    }

    @Test("What was counted is there in another process, and after all of them have ended")
    func shared() throws {
        let store = try TemporaryStore()
        let scope = ThrottleScope("x", try #require(ThrottleRate("3/day")))
        let key = CounterKey(region: .users, scope: scope.id, high: 1, low: 2)
        func take() throws -> Bool {
            let table = try CounterTable(in: store.reopened().folder)
            let now = table.now()
            return table.withCounter(key, now: now) { scope.take(&$0, now: now) }.isAllowed
        }
        #expect(try [take(), take(), take(), take()] == [true, true, true, false])
        let status = try FileManager.default.attributesOfItem(atPath: store.path + "/throttle")
        #expect(status[.posixPermissions] as? Int == 0o600)
    }

    @Test("Another start of the machine leaves the counts as they were")
    func restart() throws {
        let store = try TemporaryStore()
        let scope = ThrottleScope("x", try #require(ThrottleRate("1/day")))
        let key = CounterKey(region: .users, scope: scope.id, high: 1, low: 2)
        func take() throws -> Bool {
            let table = try CounterTable(in: store.reopened().folder)
            let now = table.now()
            return table.withCounter(key, now: now) { scope.take(&$0, now: now) }.isAllowed
        }
        #expect(try take())
        // As if the machine had run for ten days less than it had when the count was made.
        let file = try #require(FileHandle(forUpdatingAtPath: store.path + "/throttle"))
        try file.seek(toOffset: 24)
        let offset = Int64(-864_000_000)
        try file.write(contentsOf: withUnsafeBytes(of: offset) { Data($0) })
        try file.close()
        #expect(try !take())
    }

    @Test("A file that is none of ours is replaced", arguments: [0, 3, 20_975_616])
    func foreign(size: Int) throws {
        let store = try TemporaryStore()
        let path = store.path + "/throttle"
        try makePrivateFile(path, [UInt8](repeating: 0, count: size))
        let table = try CounterTable(in: store.store.folder)
        #expect(table.now() > 0)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == 20_975_616)
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.path).allSatisfy { !$0.contains(".new-") })
    }

    @Test("A million addresses do not grow the file, and push no user out")
    func million() throws {
        let store = try TemporaryStore()
        let table = try CounterTable(in: store.store.folder)
        let scope = ThrottleScope("x", try #require(ThrottleRate("1/min")))
        let user = CounterKey(region: .users, scope: scope.id, high: 0, low: 1)
        let now = table.now()
        #expect(table.withCounter(user, now: now) { scope.take(&$0, now: now) }.isAllowed)
        for address in 0..<1_000_000 as Range<UInt64> {
            let key = CounterKey(region: .addresses, scope: scope.id, high: 0, low: address)
            _ = table.withCounter(key, now: now) { scope.take(&$0, now: now) }
        }
        #expect(!table.withCounter(user, now: now) { scope.take(&$0, now: now) }.isAllowed)
        #expect(try FileManager.default.attributesOfItem(atPath: store.path + "/throttle")[.size] as? Int == 20_975_616)
    }

    @Test(
        "A user with twenty thousand addresses pushes out nobody's known ones, and of their own all but the last seven"
    )
    func known() throws {
        let store = try TemporaryStore()
        let table = try CounterTable(in: store.store.folder)
        let now = table.now() &+ 8_640_000_000
        for user in 1...100 as ClosedRange<User.ID> { table.know(7, of: user, now: now) }
        for client in 0..<20_000 as Range<UInt64> { table.know(1000 + client, of: 500, now: now &+ client * 1000) }
        let end = now &+ 20_000 * 1000
        #expect((1...100 as ClosedRange<User.ID>).allSatisfy { table.knows(7, of: $0, now: end) })
        let last = (20_991..<21_000 as Range<UInt64>).map { table.knows($0, of: 500, now: end) }
        #expect(last == [false, false] + Array(repeating: true, count: 7))
        #expect(!table.knows(7, of: 500, now: end))
        #expect(!table.knows(8, of: 1, now: end))
        // Another process knows as much, for thirty days.
        let other = try CounterTable(in: store.reopened().folder)
        let month: UInt64 = 30 * 86_400_000
        #expect(other.knows(7, of: 1, now: now &+ month - 1000))
        #expect(!other.knows(7, of: 1, now: now &+ month))
        // A login renews it; an end that lies too far ahead is none.
        table.know(7, of: 1, now: now &+ month - 1000)
        #expect(table.knows(7, of: 1, now: now &+ month))
        #expect(!table.knows(7, of: 1, now: now - 86_400_000))
    }

    @Test("With more users than there is room for, the ones who logged in last are known")
    func manyKnown() throws {
        let table = try #require(CounterTable())
        let now = table.now()
        for user in 1...90_000 as ClosedRange<User.ID> { table.know(7, of: user, now: now &+ UInt64(user) * 1000) }
        let end = now &+ 90_000 * 1000
        let old = (1...1000 as ClosedRange<User.ID>).count { table.knows(7, of: $0, now: end) }
        let new = (89_001...90_000 as ClosedRange<User.ID>).count { table.knows(7, of: $0, now: end) }
        #expect(old < 300)
        #expect(new == 1000)
    }

    @Test("Whatever stands in the file is a counter")
    func damage() throws {
        let store = try TemporaryStore()
        let table = try CounterTable(in: store.store.folder)
        let file = try #require(FileHandle(forUpdatingAtPath: store.path + "/throttle"))
        var generator = Seeded(seed: 1)
        try file.seek(toOffset: 4096)
        try file.write(contentsOf: Data((0..<2_000_000).map { _ in UInt8(truncatingIfNeeded: generator.next()) }))
        try file.close()
        var words = [UInt64](repeating: 0, count: Counter.capacity)
        for _ in 0..<20_000 {
            for position in words.indices { words[position] = generator.next() }
            var counter = words.withUnsafeBufferPointer { Counter(ends: generator.next(), entries: $0) }
            let scope = ThrottleScope("x", try #require(ThrottleRate("100/day")))
            let now = generator.next() >> 24
            _ = scope.take(&counter, now: now)
            for _ in 0..<20 { counter.add(period: 1000, now: now) }
            words.withUnsafeMutableBufferPointer { counter.write(to: $0) }
        }
        #expect(table.now() > 0)
    }

    @Test("Threads that count at once count right")
    func threads() async throws {
        let store = try TemporaryStore()
        let tables = try (0..<4).map { _ in try CounterTable(in: store.reopened().folder) }
        let scope = ThrottleScope("x", try #require(ThrottleRate("1000/min")))
        let key = CounterKey(region: .addresses, scope: scope.id, high: 0, low: 1)
        let now = tables[0].now()
        let passed = await withTaskGroup(of: Int.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    (0..<500).count { _ in
                        tables[worker % 4].withCounter(key, now: now) { scope.take(&$0, now: now) }.isAllowed
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(passed == 1000)
    }

    @Test("A lock that was left by a process that is gone is taken from it")
    func abandonedLock() throws {
        let store = try TemporaryStore()
        let table = try CounterTable(in: store.store.folder)
        _ = table.now()
        let file = try #require(FileHandle(forUpdatingAtPath: store.path + "/throttle"))
        for set in 0..<16384 {
            try file.seek(toOffset: UInt64(4096 + set * 1024))
            try file.write(contentsOf: Data([UInt8](repeating: 0xEE, count: 8)))
        }
        try file.close()
        let scope = ThrottleScope("x", try #require(ThrottleRate("1/min")))
        let key = CounterKey(region: .addresses, scope: scope.id, high: 0, low: 1)
        let now = table.now()
        #expect(table.withCounter(key, now: now) { scope.take(&$0, now: now) }.isAllowed)
        #expect(!table.withCounter(key, now: now) { scope.take(&$0, now: now) }.isAllowed)
    }
}

/// The same numbers in each run.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
