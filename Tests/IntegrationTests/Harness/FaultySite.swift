import Foundation
import Postern
import TestSupport
import Testing

/// What becomes of one system call of a command (strace(1), `inject`).
struct SystemFault: CustomTestStringConvertible, Sendable {
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

    /// Each call killed, and failing once and for ever.
    static func all(_ calls: [String], errors: [String] = ["EIO"]) -> [SystemFault] {
        calls.flatMap { call in
            [SystemFault(call: call, what: "signal=KILL"), SystemFault(call: call, what: "error=EIO", lasts: true)]
                + errors.map { SystemFault(call: call, what: "error=\($0)") }
        }
    }
}

/// A store with one user, and commands on it of which each system call fails, or is the last one, in turn.
struct FaultySite {
    let folder: String
    let ann: User
    var store: String { folder + "/store" }

    static let strace = "/usr/bin/strace"

    init() throws {
        folder = try Site.temporaryFolder()
        try Store.create(at: folder + "/store")
        ann = try Store(opening: folder + "/store").addUser(try Username("ann".utf8), passwordHash: nil)
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    /// Runs a command until it makes no further call of the kind.
    ///
    /// - Parameters:
    ///   - step: How many calls further each run goes; the first one ends at any of the first so many.
    ///   - ofStoreOnly: Whether only calls on files of the store count, and on those that `more` names.
    ///   - prepare: Called before each run with its number, from 1 on; by default it leaves the work of a writer that was
    ///     killed at the end of the journal.
    func forEveryCall(
        _ command: (Int) -> [String],
        _ fault: SystemFault,
        step: Int = 1,
        ofStoreOnly: Bool,
        more: (Int) -> [String] = { _ in [] },
        prepare: ((Int) throws -> Void)? = nil,
        _ check: (Child.Finished, Int) throws -> Void
    ) throws {
        let log = folder + "/strace"
        let names = ["", "/VERSION", "/lock", "/users", "/tokens", "/sessions", "/revocations", "/keys", "/tokens.new"]
        var hits = 0
        var number = Int.random(in: 1...step, using: &seeded)
        while true {
            try #require(number < 500)
            if let prepare { try prepare(number) } else { try tear() }
            let paths = ofStoreOnly ? (names.map { store + $0 } + more(number)).flatMap { ["-P", $0] } : []
            let finished = try Child.run(
                Self.strace,
                ["-f", "-o", log] + paths + ["-e", fault.injection(number), Site.binary] + command(number),
                environment: ["POSTERN_STORE": store]
            )
            let isKilled = finished.code == 128 + SIGKILL
            let injected = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
                .filter { $0.contains("(INJECTED)") }
            let isOver = !isKilled && injected.isEmpty
            // Memory that may be lost, and what time it is: without them a store is slower, or believes more, and no worse.
            let isOfMemory = injected.contains { $0.contains("\"changes1") || $0.contains("\"clock\\t") }
            if !isKilled && finished.code != 0 {
                #expect((64...78).contains(finished.code), "call \(number): \(finished.code)")
                // On a busy machine it says how far it is.
                let lines = finished.error.split(separator: "\n").filter { !$0.hasSuffix("%") }
                try #require(lines.count == 1, "\(finished.error)")
                #expect(lines[0].hasPrefix("postern: "), "\(finished.error)")
            }
            if fault.isFatal && !isOver && !isOfMemory { #expect(finished.code != 0, "call \(number)") }
            try check(finished, number)
            if isOver {
                #expect(finished.code == 0)
                // A sample of a few calls may have begun beyond the last of them.
                guard hits == 0, number > 1 else { break }
                number = Int.random(in: 1..<number, using: &seeded)
            } else {
                hits += 1
                number += step
            }
        }
        #expect(hits > 0, "no such call was made")
    }

    /// The same with one command for all runs.
    func forEveryCall(
        _ command: [String],
        _ fault: SystemFault,
        step: Int = 1,
        ofStoreOnly: Bool,
        prepare: ((Int) throws -> Void)? = nil,
        _ check: (Child.Finished) throws -> Void
    ) throws {
        func checkEach(_ finished: Child.Finished, _ number: Int) throws { try check(finished) }
        try forEveryCall({ _ in command }, fault, step: step, ofStoreOnly: ofStoreOnly, prepare: prepare, checkEach)
    }

    /// Leaves the beginning of a group at the end of the tokens.
    func tear() throws {
        let file = try #require(FileHandle(forWritingAtPath: store + "/tokens"))
        try file.seekToEnd()
        try file.write(contentsOf: Data("#\t9".utf8))
        try file.close()
    }

    /// As after a boot: nobody knows what was synced.
    func forgetSyncs() { truncate(store + "/lock", 0) }

    /// Lets the sync of an append to the tokens fail.
    func failSync() throws {
        let finished = try Child.run(
            Self.strace,
            [
                "-f", "-o", folder + "/strace", "-P", store + "/tokens", "-e", "inject=fdatasync:error=EIO:when=1",
                Site.binary, "token", "create", "ann", "--store", store,
            ]
        )
        #expect(finished.code == 74, "\(finished.error)")
        #expect(finished.output == "", "\(finished.error)")
    }

    /// The id that `postern token create` says.
    static func id(_ finished: Child.Finished) throws -> Int64 {
        try #require(finished.error.firstMatch(of: /Token (\d+)/).flatMap { Int64($0.1) })
    }

    func tokens() throws -> [Int64] { try Store(opening: store).allTokens().map(\.id) }
}
