import Foundation
import Postern
import Testing

/// Each system call of a command that touches its store is made to fail, or to be the last one, in turn: the first, the
/// second, and so on until the command makes no more of them.
@Suite("Faults of the system, at every call", .serialized)
struct SystemFaultTests {
    private static let path = "/usr/bin/strace"

    struct Fault: CustomTestStringConvertible, Sendable {
        let call: String
        let what: String
        /// Whether it stays, from that call on.
        var lasts = false

        var testDescription: String { "\(call) \(what)\(lasts ? " from then on" : "")" }

        /// Whether a command that does all the same what it is for has told a lie.
        var isFatal: Bool {
            what.hasPrefix("error=") && what != "error=EINTR"
                && ["pwrite64", "fdatasync", "ftruncate", "fsync", "rename"].contains(call)
        }

        func injection(_ number: Int) -> String { "inject=\(call):\(what):when=\(number)\(lasts ? "+" : "")" }
    }

    private static let reads = ["openat", "newfstatat", "pread64"]
    private static let writes = ["pwrite64", "fdatasync", "ftruncate", "fcntl"]

    static let faults: [Fault] =
        (reads + writes).map { Fault(call: $0, what: "signal=KILL") }
        + (reads + writes).map { Fault(call: $0, what: "error=EIO") }
        + writes.map { Fault(call: $0, what: "error=EIO", lasts: true) }
        + ["pwrite64", "ftruncate"].flatMap { call in
            ["ENOSPC", "EDQUOT", "EFBIG", "EROFS"].map { Fault(call: call, what: "error=\($0)") }
        }
        + ["ENOLCK", "EDEADLK"].map { Fault(call: "fcntl", what: "error=\($0)") }
        + [Fault(call: "openat", what: "error=EMFILE"), Fault(call: "pwrite64", what: "retval=3")]

    @Test("A token that was given out is there, and none was given out that is not", arguments: faults)
    func issuing(fault: Fault) throws {
        let site = try FaultySite()
        var acknowledged: Set<Int64> = []
        try site.forEveryCall(["token", "create", "ann"], fault, ofStoreOnly: true) { finished in
            if finished.code == 0 {
                #expect(finished.output.hasPrefix("pst_"))
                acknowledged.insert(try #require(finished.error.firstMatch(of: /Token (\d+)/).flatMap { Int64($0.1) }))
            } else {
                #expect(finished.output == "")
            }
            let store = try Store(opening: site.store)
            #expect(acknowledged.isSubset(of: try store.allTokens().map(\.id)))
            acknowledged.insert(try Accounts(store: store).issueToken(for: site.ann).0.id)
            #expect(acknowledged.isSubset(of: try Store(opening: site.store).allTokens().map(\.id)))
        }
    }

    @Test(
        "Calls that a signal interrupts are not seen",
        arguments: ["pread64", "pwrite64", "fdatasync", "ftruncate", "fcntl"]
    )
    func interrupted(call: String) throws {
        let site = try FaultySite()
        try site.forEveryCall(["token", "create", "ann"], Fault(call: call, what: "error=EINTR"), ofStoreOnly: true) {
            #expect($0.code == 0, "\($0.error)")
        }
    }

    static let faultsOfCompaction: [Fault] =
        ["pwrite64", "fdatasync", "fsync", "rename", "fcntl"].flatMap { call in
            ["signal=KILL", "error=EIO", "error=ENOSPC"].map { Fault(call: call, what: $0) }
                + [Fault(call: call, what: "error=EIO", lasts: true)]
        }

    @Test("A compaction loses nothing and revives nothing", arguments: faultsOfCompaction)
    func compacting(fault: Fault) throws {
        let site = try FaultySite()
        let accounts = Accounts(store: try Store(opening: site.store))
        var alive: [Int64] = []
        try site.forEveryCall(["store", "compact"], fault, ofStoreOnly: false) { _ in
            #expect(try Store(opening: site.store).allTokens().map(\.id) == alive.sorted())
            for _ in 0..<3 { alive.append(try accounts.issueToken(for: site.ann).0.id) }
            try accounts.revokeToken(alive.remove(at: Int.random(in: alive.indices)))
        }
    }

    private struct FaultySite {
        let folder: String
        let ann: User
        var store: String { folder + "/store" }

        init() throws {
            folder = try Site.temporaryFolder()
            try Store.create(at: folder + "/store")
            ann = try Store(opening: folder + "/store").addUser(try Username("ann".utf8), passwordHash: nil)
        }

        /// Runs the command until it makes no further call of the kind, each time with the work of a writer that was
        /// killed at the end of the journal.
        func forEveryCall(
            _ command: [String],
            _ fault: Fault,
            ofStoreOnly: Bool,
            _ check: (Child.Finished) throws -> Void
        ) throws {
            let log = folder + "/strace"
            let names = ["", "/VERSION", "/lock", "/users", "/tokens", "/sessions", "/revocations", "/keys"]
            let paths = ofStoreOnly ? names.flatMap { ["-P", store + $0] } : []
            var isOver = false
            var number = 0
            while !isOver {
                number += 1
                try #require(number < 500)
                let file = try #require(FileHandle(forWritingAtPath: store + "/tokens"))
                try file.seekToEnd()
                try file.write(contentsOf: Data("#\t9".utf8))
                try file.close()
                let finished = try Child.run(
                    SystemFaultTests.path,
                    ["-f", "-o", log] + paths + ["-e", fault.injection(number), Site.binary] + command
                        + ["--store", store]
                )
                let isKilled = finished.code == 128 + SIGKILL
                isOver = try !isKilled && !String(contentsOfFile: log, encoding: .utf8).contains("(INJECTED)")
                if !isKilled && finished.code != 0 {
                    #expect((64...78).contains(finished.code), "call \(number): \(finished.code)")
                    #expect(finished.error.hasPrefix("postern: ") && finished.error.count { $0 == "\n" } == 1)
                }
                if fault.isFatal && !isOver { #expect(finished.code != 0, "call \(number)") }
                try check(finished)
                if isOver { #expect(finished.code == 0) }
            }
            #expect(number > 1, "no such call was made")
        }
    }
}
