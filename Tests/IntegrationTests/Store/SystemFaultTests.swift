import Foundation
import Postern
import TestSupport
import Testing

/// System calls of a command that touches its store are made to fail, or to be the last one, in turn, until the command makes no
/// more of them: every one in the long mode, else a sample. `FailingCallTests` lets every one fail in a process that is none.
@Suite("Faults of the system, at every call", .serialized, .randomized)
struct SystemFaultTests {
    private static let reads = ["openat", "newfstatat", "pread64"]
    private static let writes = ["pwrite64", "fdatasync", "ftruncate", "fcntl"]

    static let faults: [SystemFault] =
        (reads + writes).map { SystemFault(call: $0, what: "signal=KILL") }
        + (reads + writes).map { SystemFault(call: $0, what: "error=EIO") }
        + writes.map { SystemFault(call: $0, what: "error=EIO", lasts: true) }
        + ["pwrite64", "ftruncate"].flatMap { call in
            ["ENOSPC", "EDQUOT", "EFBIG", "EROFS"].map { SystemFault(call: call, what: "error=\($0)") }
        }
        + ["ENOLCK", "EDEADLK"].map { SystemFault(call: "fcntl", what: "error=\($0)") }
        + [SystemFault(call: "openat", what: "error=EMFILE"), SystemFault(call: "pwrite64", what: "retval=3")]

    @Test("A token that was given out is there, and none was given out that is not", arguments: faults)
    func issuing(fault: SystemFault) throws {
        let site = try FaultySite()
        defer { site.remove() }
        var acknowledged: Set<Int64> = []
        try site.forEveryCall(["token", "create", "ann"], fault, step: LongTests.step(24), ofStoreOnly: true) {
            finished in
            if finished.code == 0 {
                #expect(finished.output.hasPrefix("pst_"))
                acknowledged.insert(try FaultySite.id(finished))
            } else {
                #expect(finished.output == "")
            }
            #expect(acknowledged.isSubset(of: try site.tokens()))
            acknowledged.insert(try Accounts(store: try Store(opening: site.store)).issueToken(for: site.ann).0.id)
            #expect(acknowledged.isSubset(of: try site.tokens()))
        }
    }

    @Test(
        "Calls that a signal interrupts are not seen",
        arguments: ["pread64", "pwrite64", "fdatasync", "ftruncate", "fcntl"]
    )
    func interrupted(call: String) throws {
        let site = try FaultySite()
        defer { site.remove() }
        let fault = SystemFault(call: call, what: "error=EINTR")
        try site.forEveryCall(["token", "create", "ann"], fault, step: LongTests.step(24), ofStoreOnly: true) {
            #expect($0.code == 0, "\($0.error)")
        }
    }

    static let faultsOfCompaction = SystemFault.all(
        ["pwrite64", "fdatasync", "fsync", "rename", "fcntl"],
        errors: ["EIO", "ENOSPC"]
    )

    @Test("A compaction loses nothing and revives nothing", arguments: faultsOfCompaction)
    func compacting(fault: SystemFault) throws {
        let site = try FaultySite()
        defer { site.remove() }
        let accounts = Accounts(store: try Store(opening: site.store))
        var alive: [Int64] = []
        try site.forEveryCall(["store", "compact"], fault, step: LongTests.step(24), ofStoreOnly: false) { _ in
            #expect(try site.tokens() == alive.sorted())
            for _ in 0..<3 { alive.append(try accounts.issueToken(for: site.ann).0.id) }
            try accounts.revokeToken(alive.remove(at: Int.random(in: alive.indices, using: &seeded)))
        }
    }

    static let faultsAmongOthers =
        ["pwrite64", "fdatasync", "fcntl"].map { SystemFault(call: $0, what: "signal=KILL") }
        + [
            SystemFault(call: "fdatasync", what: "error=EIO"),
            SystemFault(call: "fdatasync", what: "error=EIO", lasts: true),
            SystemFault(call: "pwrite64", what: "error=ENOSPC"), SystemFault(call: "pwrite64", what: "retval=3"),
        ]

    @Test("What fails in one process takes nothing from others that write meanwhile", arguments: faultsAmongOthers)
    func amongOthers(fault: SystemFault) throws {
        let exercise = try Exercise()
        defer { exercise.site.remove() }
        let others = try (0..<LongTests.times(2, long: 4)).map { number in
            try exercise.start("\(number)", seconds: 0, threads: 2, writes: 90)
        }
        var acknowledged: Set<Int64> = []
        for _ in 0..<LongTests.times(10, long: 1000) {
            let injection =
                ["-f", "-o", "/dev/null", "-P", exercise.site.store + "/tokens", "-P", exercise.site.store + "/lock"]
                + ["-e", fault.injection(Int.random(in: 1...4, using: &seeded))]
            let command = injection + [Site.binary, "token", "create", "ann"]
            let finished = try Child.run(
                FaultySite.strace,
                command,
                environment: ["POSTERN_STORE": exercise.site.store]
            )
            if finished.code == 0 { acknowledged.insert(try FaultySite.id(finished)) }
            #expect(acknowledged.isSubset(of: try exercise.site.tokens()))
        }
        for other in others { other.end(with: SIGKILL) }
        var history = Exercise.History()
        try exercise.read(into: &history)
        // Who reads may see what is not on disk yet; where its sync fails it is gone again, and was never acknowledged.
        if fault.what == "signal=KILL" {
            #expect(history.failures == [])
            #expect(history.violations(wereKilled: true) == [])
        }
        let violations = try history.violations(of: Store(opening: exercise.site.store))
        #expect(violations == [])
        #expect(history.writes > 0)
    }

    @Test("A process that gets no memory says nothing that is not so", .timeLimit(.minutes(15)))
    func memory() throws {
        let site = try FaultySite()
        defer { site.remove() }
        var acknowledged: Set<Int64> = []
        var names: Set<String> = ["ann"]
        var refusals = 0
        // From what is not enough to load the program to what is plenty. Swift ends a process that gets none; a hash of a
        // password, which needs much at once, is refused.
        for megabytes in stride(from: 8, through: 400, by: 14) {
            func limited(_ command: [String], input: String = "") throws -> Child.Finished {
                let program = ["--as=\(megabytes << 20)", "--core=0", "--", Site.binary]
                let environment = ["POSTERN_STORE": site.store]
                return try Child.run("/usr/bin/prlimit", program + command, input: input, environment: environment)
            }
            let issued = try limited(["token", "create", "ann"])
            if issued.code == 0 { acknowledged.insert(try FaultySite.id(issued)) } else { refusals += 1 }
            let name = "user-\(megabytes)"
            let added = try limited(["user", "add", name], input: Site.password + "\n")
            if added.code == 0 { names.insert(name) }
            let store = try Store(opening: site.store)
            #expect(acknowledged.isSubset(of: try store.allTokens().map(\.id)))
            #expect(names.isSubset(of: try store.allUsers().map { "\($0.username)" }))
        }
        #expect(refusals > 0)
        #expect(!acknowledged.isEmpty)
        #expect(names.count > 1)
    }
}
