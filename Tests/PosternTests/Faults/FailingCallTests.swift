import Foundation
import Testing

@testable import Journal
@testable import Postern

/// Each call that a store makes of the system fails, or is the last one of its process, in turn: the first, the second, and so on
/// until no more of them is made. `SystemFaultTests` and `RecoveryFaultTests` do the same to whole commands, by strace, of which
/// `make test` tries a sample.
@Suite("Calls of a store that fail, each in turn")
struct FailingCallTests {
    private static let reads: [CallFault.Call] = [.open, .status, .read, .names]
    private static let writes: [CallFault.Call] = [.write, .fdatasync, .truncate, .lock]

    static let faults: [CallFault] =
        (reads + writes).flatMap { call in
            [CallFault(call: call, outcome: .kill), CallFault(call: call, outcome: .error(EIO))]
        }
        + writes.map { CallFault(call: $0, outcome: .error(EIO), lasts: true) }
        + [.write, .truncate].flatMap { call in
            [ENOSPC, EDQUOT, EFBIG, EROFS].map { CallFault(call: call, outcome: .error($0)) }
        }
        + [ENOLCK, EDEADLK].map { CallFault(call: .lock, outcome: .error($0)) }
        + [
            CallFault(call: .open, outcome: .error(EMFILE)), CallFault(call: .write, outcome: .claimed(3)),
            CallFault(call: .write, outcome: .short(3)),
        ]

    @Test("A token that was given out is there, and none was given out that is not", arguments: faults)
    func issuing(fault: CallFault) throws {
        let site = try FaultyStore()
        var acknowledged: Set<Int64> = []
        try site.forEveryCall(fault) { calls, _ in
            try site.issue(calls)
        } check: { id, number in
            if let id { acknowledged.insert(id) }
            #expect(acknowledged.isSubset(of: try site.tokens()), "call \(number)")
            acknowledged.insert(try site.issue())
            #expect(acknowledged.isSubset(of: try site.tokens()), "call \(number)")
        }
    }

    @Test(
        "Calls that a signal interrupts are not seen",
        arguments: [.read, .write, .fdatasync, .truncate, .lock] as [CallFault.Call]
    )
    func interrupted(call: CallFault.Call) throws {
        let site = try FaultyStore()
        try site.forEveryCall(CallFault(call: call, outcome: .error(EINTR))) { calls, _ in
            try site.issue(calls)
        } check: {
            #expect($0 != nil, "call \($1)")
        }
    }

    @Test(
        "A compaction loses nothing and revives nothing",
        arguments: CallFault.all(
            [.open, .status, .read, .write, .fdatasync, .fsync, .rename, .lock],
            errors: [EIO, ENOSPC]
        )
    )
    func compacting(fault: CallFault) throws {
        let site = try FaultyStore()
        let accounts = Accounts(store: try Store(opening: site.path))
        var alive: [Int64] = []
        try site.forEveryCall(fault) { calls, _ in
            try Store(opening: site.path, system: calls).compact()
        } check: { _, number in
            #expect(try site.tokens() == alive.sorted(), "call \(number)")
            for _ in 0..<3 { alive.append(try accounts.issueToken(for: site.ann).0.id) }
            try accounts.revokeToken(alive.remove(at: number % alive.count))
        }
    }

    /// What is to be recovered from.
    enum First: String, CaseIterable, CustomTestStringConvertible {
        case failedSync = "a sync that failed"
        case powerCut = "a power cut"

        var testDescription: String { rawValue }

        func happen(in site: FaultyStore) throws {
            switch self {
            case .failedSync: try site.failSync()
            case .powerCut:
                site.forgetSyncs()
                try site.tear()
            }
        }
    }

    static let recoveries = First.allCases.flatMap { first in
        // After a sync that failed another file takes the place of the journal, after a power cut its end is cut off.
        let own: CallFault.Call = first == .failedSync ? .rename : .truncate
        return CallFault.all([.open, .status, .read, .write, .fdatasync, .lock, .fsync, own]).map { (first, $0) }
    }

    @Test("What was acknowledged before is there, and the next writer recovers", arguments: recoveries)
    func recovering(first: First, fault: CallFault) throws {
        let site = try FaultyStore()
        func happen(_: Int) throws { try first.happen(in: site) }
        var acknowledged: Set<Int64> = [try site.issue()]
        try site.forEveryCall(fault, prepare: happen) { calls, _ in
            try site.issue(calls)
        } check: { id, number in
            if let id { acknowledged.insert(id) }
            #expect(acknowledged.isSubset(of: try site.tokens()), "call \(number)")
            acknowledged.insert(try site.issue())
            #expect(acknowledged.isSubset(of: try site.tokens()), "call \(number)")
        }
    }

    @Test(
        "A repair that fails or is killed leaves the damaged journal or the good one, and can be done again",
        arguments: CallFault.all([.open, .status, .read, .write, .fdatasync, .fsync, .rename, .lock])
    )
    func repairing(fault: CallFault) throws {
        let site = try FaultyStore()
        for _ in 0..<6 { try site.issue() }
        let tokens = URL(fileURLWithPath: site.path + "/tokens")
        var damaged = try Data(contentsOf: tokens)
        let line = try #require(damaged.range(of: Data("\tissued\t3\t".utf8)))
        damaged[line.lowerBound + 1] ^= 1
        func sideFiles() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: site.path).filter { $0.contains(".dropped-") }
        }
        func damage(_: Int) throws {
            for name in try sideFiles() { unlink(site.path + "/" + name) }
            try damaged.write(to: tokens)
        }
        try site.forEveryCall(fault, prepare: damage) { calls, _ in
            try Store.repair(at: site.path, calls)
        } check: { repaired, number in
            let isDamaged = try Data(contentsOf: tokens) == damaged
            if isDamaged {
                #expect(repaired == nil, "call \(number)")
                #expect(throws: StoreError.self, "call \(number)") { try Store(opening: site.path) }
                _ = try Store.repair(at: site.path)
            }
            #expect(try site.tokens() == [1, 2, 4, 5, 6], "call \(number)")
            let kept = try sideFiles().map { try String(contentsOfFile: site.path + "/" + $0, encoding: .utf8) }
            #expect(kept.contains { $0.contains("ssued\t3\t") }, "call \(number)")
        }
    }

    @Test(
        "A copy that is killed or fails is no store or a whole one; what is copied stays as it is",
        arguments: [false, true],
        CallFault.all([.open, .status, .read, .mkdir, .write, .fdatasync, .fsync], errors: [ENOSPC])
    )
    func copying(isRestoring: Bool, fault: CallFault) throws {
        let site = try FaultyStore()
        for _ in 0..<3 { try site.issue() }
        let backup = site.folder + "/backup"
        try Store(opening: site.path).backUp(to: backup)
        func copy(_ number: Int) -> String { site.folder + "/copy-\(number)" }
        func nothing(_: Int) {}
        func check(_ done: Void?, _ number: Int) throws {
            #expect(try site.tokens() == [1, 2, 3], "call \(number)")
            let copied = try? Store(opening: copy(number))
            if done != nil { #expect(copied != nil, "call \(number)") }
            guard let copied else { return }
            #expect(try copied.allTokens().map(\.id) == [1, 2, 3], "call \(number)")
            // Whoever finds a store there need not wonder whether all in it has been ended.
            if isRestoring { #expect(try copied.user(site.ann.id)?.epoch ?? 0 > site.ann.epoch, "call \(number)") }
        }
        func work(_ calls: FailingCalls, _ number: Int) throws {
            if isRestoring {
                try Store.restore(backup, to: copy(number), revokingAll: true, calls)
            } else {
                try Store(opening: site.path, system: calls).backUp(to: copy(number))
            }
        }
        try site.forEveryCall(fault, prepare: nothing, work, check: check)
    }
}
