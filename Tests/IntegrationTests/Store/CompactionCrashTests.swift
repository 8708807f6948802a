import Foundation
import Postern
import TestSupport
import Testing

@Suite("Compaction, killed and raced", .randomized)
struct CompactionCrashTests {
    @Test("Compactions that are killed at any moment, while others write, lose nothing and revive nothing")
    func kills() throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/store"
        try Store.create(at: path)
        let store = try Store(opening: path)
        let ann = try store.addUser(try Username("ann".utf8), passwordHash: nil)
        let accounts = Accounts(store: store)
        var alive = try (0..<400).map { _ in try accounts.issueToken(for: ann).0.id }
        func compact() throws -> Child {
            try Child(Site.binary, ["store", "compact", "--store", path], log: folder + "/log")
        }
        // Moments from the first instruction to well after the last one, whatever else the machine does.
        let whole = try ContinuousClock().measure { _ = try compact().wait() }
        let latest = UInt32(2 * max(5, whole / .milliseconds(1))) * 1000
        for round in 0..<LongTests.times(60, long: 1000) {
            let command = try compact()
            let deadline = ContinuousClock.now + .microseconds(Int64.random(in: 0..<Int64(latest), using: &seeded))
            repeat {
                alive.append(try accounts.issueToken(for: ann).0.id)
                let victim = alive.remove(at: Int.random(in: alive.indices, using: &seeded))
                try accounts.revokeToken(victim)
            } while ContinuousClock.now < deadline
            command.end(with: SIGKILL)
            #expect(try store.allTokens().map(\.id) == alive.sorted(), "round \(round)")
            if round % 10 == 0 { #expect(try Store(opening: path).allTokens().map(\.id) == alive.sorted()) }
        }
        #expect(try compact().wait() == 0)
        #expect(try Store(opening: path).allTokens().map(\.id) == alive.sorted())
        let leftovers = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasPrefix("tokens.new") }
        #expect(leftovers.isEmpty)
    }
}
