import Foundation
import Postern
import TestSupport
import Testing

/// A second fault while the store recovers from the first one: at every call in the long mode, else at a sample of them.
/// `FailingCallTests` does it at every call, in a process that is none.
@Suite("Faults while a store recovers", .serialized, .randomized)
struct RecoveryFaultTests {
    /// What is to be recovered from.
    enum First: String, CaseIterable, CustomTestStringConvertible {
        case failedSync = "a sync that failed"
        case powerCut = "a power cut"

        var testDescription: String { rawValue }

        func happen(in site: FaultySite) throws {
            switch self {
            case .failedSync: try site.failSync()
            case .powerCut:
                site.forgetSyncs()
                try site.tear()
            }
        }
    }

    static let cases = First.allCases.flatMap { first in
        let calls = ["openat", "pread64", "pwrite64", "fdatasync", "fcntl", "fsync"]
        // After a sync that failed another file takes the place of the journal, after a power cut its end is cut off.
        let own = first == .failedSync ? "rename" : "ftruncate"
        let faults = SystemFault.all(calls + [own]).filter { LongTests.are || !$0.lasts || $0.call == "fdatasync" }
        return faults.map { (first, $0) }
    }

    @Test("What was acknowledged before is there, and the next writer recovers", arguments: cases)
    func issuing(first: First, fault: SystemFault) throws {
        let site = try FaultySite()
        defer { site.remove() }
        func issue() throws -> Int64 {
            try Accounts(store: try Store(opening: site.store)).issueToken(for: site.ann).0.id
        }
        func happen(_: Int) throws { try first.happen(in: site) }
        var acknowledged: Set<Int64> = [try issue()]
        let step = LongTests.step(24)
        let command = ["token", "create", "ann"]
        try site.forEveryCall(command, fault, step: step, ofStoreOnly: true, prepare: happen) { finished in
            if finished.code == 0 { acknowledged.insert(try FaultySite.id(finished)) }
            #expect(acknowledged.isSubset(of: try site.tokens()))
            acknowledged.insert(try issue())
            #expect(acknowledged.isSubset(of: try site.tokens()))
        }
    }

    @Test(
        "A repair that fails or is killed leaves the damaged journal or the good one, and can be done again",
        arguments: SystemFault.all(["openat", "pread64", "pwrite64", "fdatasync", "fsync", "rename", "fcntl"]).filter {
            LongTests.are || !$0.lasts
        }
    )
    func repairing(fault: SystemFault) throws {
        let site = try FaultySite()
        defer { site.remove() }
        let accounts = Accounts(store: try Store(opening: site.store))
        for _ in 0..<6 { _ = try accounts.issueToken(for: site.ann) }
        let tokens = URL(fileURLWithPath: site.store + "/tokens")
        var damaged = try Data(contentsOf: tokens)
        let line = try #require(damaged.range(of: Data("\tissued\t3\t".utf8)))
        damaged[line.lowerBound + 1] ^= 1
        func sideFiles() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: site.store).filter { $0.contains(".dropped-") }
        }
        func damage(_: Int) throws {
            for name in try sideFiles() { unlink(site.store + "/" + name) }
            try damaged.write(to: tokens)
        }
        let areReads = ["openat", "pread64"].contains(fault.call)
        try site.forEveryCall(
            ["store", "repair", "--yes"],
            fault,
            step: LongTests.step(24),
            ofStoreOnly: areReads,
            prepare: damage
        ) { finished in
            let isDamaged = try Data(contentsOf: tokens) == damaged
            #expect(!isDamaged || finished.code != 0)
            if isDamaged {
                #expect(throws: StoreError.self) { try Store(opening: site.store) }
                _ = try Store.repair(at: site.store)
            }
            #expect(try site.tokens() == [1, 2, 4, 5, 6])
            let kept = try sideFiles().map { try String(contentsOfFile: site.store + "/" + $0, encoding: .utf8) }
            #expect(kept.contains { $0.contains("ssued\t3\t") })
        }
    }

    @Test(
        "A copy that is killed or fails is no store or a whole one; what is copied stays as it is",
        arguments: [["backup"], ["restore"]],
        SystemFault.all(["openat", "mkdir", "pwrite64", "fdatasync", "fsync"], errors: ["ENOSPC"]).filter {
            LongTests.are || !$0.lasts
        }
    )
    func copying(command: [String], fault: SystemFault) throws {
        let site = try FaultySite()
        defer { site.remove() }
        let accounts = Accounts(store: try Store(opening: site.store))
        for _ in 0..<3 { _ = try accounts.issueToken(for: site.ann) }
        let backup = site.folder + "/backup"
        try Store(opening: site.store).backUp(to: backup)
        func copy(_ number: Int) -> String { site.folder + "/copy-\(number)" }
        let isRestoring = command == ["restore"]
        func check(_ finished: Child.Finished, _ number: Int) throws {
            #expect(try site.tokens() == [1, 2, 3])
            let copied = try? Store(opening: copy(number))
            if finished.code == 0 { #expect(copied != nil, "call \(number)") }
            guard let copied else { return }
            #expect(try copied.allTokens().map(\.id) == [1, 2, 3])
            // Whoever finds a store there need not wonder whether all in it has been ended.
            if isRestoring { #expect(try copied.user(site.ann.id)?.epoch ?? 0 > site.ann.epoch) }
        }
        try site.forEveryCall(
            { ["store"] + command + (isRestoring ? [backup, copy($0), "--revoke-all"] : [copy($0)]) },
            fault,
            step: LongTests.step(24),
            ofStoreOnly: fault.call == "openat",
            more: { number in
                // What is copied, and to where; what is restored has another name as long as it is not whole.
                [backup, copy(number)].flatMap { path in
                    ["", "/VERSION", "/lock", "/users", "/tokens", "/sessions", "/revocations", "/keys"].map {
                        path + $0
                    }
                }
            },
            prepare: { _ in },
            check
        )
    }

    @Test("Of eight processes that open a store which is to be recovered, all succeed", arguments: First.allCases)
    func together(first: First) async throws {
        let site = try FaultySite()
        defer { site.remove() }
        for round in 0..<10 {
            let before = try Accounts(store: try Store(opening: site.store)).issueToken(for: site.ann).0.id
            try first.happen(in: site)
            let outputs = try await withThrowingTaskGroup(of: Child.Finished.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await onThread {
                            try Child.run(Site.binary, ["token", "create", "ann", "--store", site.store])
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let new = try outputs.map { output in
                try output.expectSuccess()
                return try FaultySite.id(output)
            }
            #expect(new.sorted() == Array(before + 1...before + 8), "round \(round)")
            #expect(try site.tokens() == Array(1...(before + 8)))
        }
        #expect(try !FileManager.default.contentsOfDirectory(atPath: site.store).contains { $0.contains(".new") })
    }

    @Test("What somebody put where the new journal is written is taken away, and nothing beyond it is touched")
    func planted() throws {
        let site = try FaultySite()
        defer { site.remove() }
        let victim = site.folder + "/victim"
        try "not ours".write(toFile: victim, atomically: false, encoding: .utf8)
        try site.failSync()
        symlink(victim, site.store + "/tokens.new")
        let token = try Accounts(store: try Store(opening: site.store)).issueToken(for: site.ann).0
        #expect(try site.tokens() == [token.id])
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "not ours")
        #expect(access(site.store + "/tokens.new", F_OK) != 0)
    }

    @Test("Nothing is issued to a user whose record is not on disk, and nothing of theirs becomes another's")
    func unsyncedUser() throws {
        let site = try FaultySite()
        defer { site.remove() }
        let slow = try Child(
            FaultySite.strace,
            [
                "-f", "-o", site.folder + "/strace", "-P", site.store + "/users", "-e",
                "inject=fdatasync:error=EIO:delay_enter=1500000", Site.binary, "user", "add", "bob", "--no-password",
                "--store", site.store,
            ],
            log: site.folder + "/bob"
        )
        let reader = try Store(opening: site.store)
        let bob = try Username("bob".utf8)
        try eventually("bob can be seen") { try reader.user(named: bob) != nil }
        let token = try Child.run(Site.binary, ["token", "create", "bob", "--store", site.store])
        #expect(token.code != 0)
        #expect(token.output == "")
        #expect(slow.wait() != 0)
        let store = try Store(opening: site.store)
        let carol = try store.addUser(try Username("carol".utf8), passwordHash: nil)
        #expect(try store.tokens(of: carol.id).isEmpty)
    }
}
