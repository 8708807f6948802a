import Foundation
import Postern
import Testing

/// Commands are recorded call by call, and every state that a power cut may leave of them is opened.
@Suite("Power cuts of recorded commands", .serialized, .timeLimit(.minutes(60)))
struct PowerCutReplayTests {
    @Test("Every state holds what was acknowledged by then and nothing but whole changes, and can be gone on with")
    func replay() throws {
        let site = try FaultySite()
        defer { site.remove() }
        var model = try DiskModel(of: site.store) { $0 != "lock" && $0 != "keys" && $0 != "throttle" }
        var history = History()
        var states = 0
        let rounds = LongTests.are ? 12 : 1
        for round in 0..<rounds {
            for (number, step) in Self.script.enumerated() {
                let before = history.settled
                let calls = try record(step, in: site)
                history.begin(step)
                let opening = LongTests.are ? 1 : 41
                func check(_ model: DiskModel) throws {
                    try model.forEachState(tearingEvery: opening) { state in
                        states += 1
                        try self.check(state, history, goesOn: states % 16 == 0, in: site)
                    }
                }
                try check(model)
                for call in calls where try model.apply(call) { try check(model) }
                history.end(step, with: try site.tokens())
                try check(model)
                #expect(history.settled != before || step.changesNothing, "step \(number) of round \(round)")
            }
        }
        #expect(states > (LongTests.are ? 50_000 : 500), "\(states)")
        print("power cuts: \(states) states")
    }

    private enum Step {
        case issue, revoke, compact, failedSync, cutOff

        var changesNothing: Bool { self == .compact || self == .failedSync }
    }

    private static let script: [Step] = [
        .issue, .issue, .revoke, .issue, .cutOff, .compact, .issue, .failedSync, .issue, .revoke, .failedSync, .compact,
        .issue,
    ]

    /// Lists of tokens that may be found.
    private struct History {
        /// What was acknowledged.
        private(set) var settled: [Int64] = []
        private var running: Step?
        private var greatest: Int64 = 0
        /// A token whose sync failed: nobody has it, and it may be there until the journal is rewritten.
        private var doubtful: Int64?

        mutating func begin(_ step: Step) {
            running = step
        }

        mutating func end(_ step: Step, with found: [Int64]) {
            running = nil
            if step == .failedSync {
                doubtful = (settled.max() ?? 0) < greatest ? greatest + 1 : (settled.max() ?? 0) + 1
            } else {
                settled = found
                greatest = max(greatest, found.max() ?? 0)
                // What the rewritten journal does not hold is gone; the next token has got its id.
                doubtful = nil
            }
        }

        func allows(_ found: [Int64]) -> Bool {
            var possible = [settled]
            if let doubtful { possible.append(settled + [doubtful]) }
            switch running {
            case .issue, .failedSync, .cutOff: possible.append(settled + [greatest + 1])
            case .revoke: possible.append(Array(settled.dropFirst()))
            case .compact, nil: break
            }
            return possible.contains(found)
        }

        var description: String { "\(settled) \(String(describing: running)) \(String(describing: doubtful))" }
    }

    /// Runs a command, and hands back its calls.
    private func record(_ step: Step, in site: FaultySite) throws -> [TracedCall] {
        let log = site.folder + "/calls"
        unlink(log)
        var command = ["token", "create", "ann"]
        var injection: [String] = []
        switch step {
        case .issue: break
        case .cutOff:
            site.forgetSyncs()
            try site.tear()
        case .revoke: command = ["token", "revoke", String(try #require(try site.tokens().first))]
        case .compact: command = ["store", "compact"]
        case .failedSync: injection = ["-e", "inject=fdatasync:error=EIO:when=1"]
        }
        let traced = "trace=openat,pwrite64,ftruncate,fdatasync,fsync,rename,unlink"
        let finished = try Child.run(
            FaultySite.strace,
            ["-f", "-y", "-xx", "-s", "10000000", "-o", log, "-e", traced] + injection + [Site.binary] + command,
            environment: ["POSTERN_STORE": site.store]
        )
        #expect(finished.code == (step == .failedSync ? 74 : 0), "\(finished.error)")
        let text = try String(contentsOfFile: log, encoding: .utf8)
        try #require(!text.contains("<unfinished"), "two threads made calls at once")
        return text.split(separator: "\n").compactMap { TracedCall($0) }
    }

    private func check(_ state: DiskModel.State, _ history: History, goesOn: Bool, in site: FaultySite) throws {
        let path = site.folder + "/state"
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        // What the lock says is of another boot.
        for (name, bytes) in state.merging(["lock": []], uniquingKeysWith: { $1 }) {
            let descriptor = open(path + "/" + name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            defer { close(descriptor) }
            try #require(bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count)
        }
        try FileManager.default.copyItem(atPath: site.store + "/keys", toPath: path + "/keys")
        do {
            let found = try Store(opening: path).allTokens().map(\.id)
            #expect(history.allows(found), "\(found), not \(history.description)")
            guard goesOn else { return }
            let new = try Accounts(store: try Store(opening: path)).issueToken(for: site.ann).0.id
            #expect(try Store(opening: path).allTokens().map(\.id) == found + [new])
        } catch {
            Issue.record("\(error): \(history.description)")
        }
    }
}
