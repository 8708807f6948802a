import Foundation
import Postern
import Synchronization
import Testing

/// Files of a store that are taken away or changed while servers use it.
@Suite("A store that is changed from outside")
struct StoreTakenAwayTests {
    enum Act: String, CaseIterable, CustomTestStringConvertible {
        case deleted, truncated, replacedByAnother, replacedByNothing, replacedByOlder
        case linked, openedToOthers, storeGone

        var testDescription: String { rawValue }
    }

    @Test(
        "Under load, requests that begin 20 ms after a change are answered by what is there",
        arguments: Act.allCases
    )
    func underLoad(act: Act) throws {
        let site = try Site(users: false)
        try site.addUser("ann")
        let token = try #require(site.tokens["ann"])
        let servers = try SpawnedServers(site, count: 2)
        try eventually("the servers answer") { try site.get("/secure/", token: token).status == 200 }
        let (tokens, away) = (site.store + "/tokens", site.folder + "/away")
        try Child.run("/bin/cp", ["-a", tokens, site.folder + "/older"]).expectSuccess()
        for _ in 0..<5 { try site.postern(["token", "create", "ann"]).expectSuccess() }
        try Child.run(Site.binary, ["store", "init", site.folder + "/other"]).expectSuccess()

        /// 0: whole, 1: somebody changes it, 2: changed.
        let phase = Atomic(0)
        let wrong = Mutex<[String]>([])
        let answers = Atomic(0)
        let isOver = Atomic(false)
        let group = DispatchGroup()
        for _ in 0..<4 {
            DispatchQueue(label: "client").async(group: group) {
                while !isOver.load(ordering: .acquiring) {
                    let before = phase.load(ordering: .sequentiallyConsistent)
                    let status = (try? site.get("/secure/", token: token))?.status ?? 0
                    let after = phase.load(ordering: .sequentiallyConsistent)
                    answers.add(1, ordering: .relaxed)
                    guard before == after, before != 1, status != (before == 0 ? 200 : 503) else { continue }
                    wrong.withLock { $0.append("\(status) in phase \(before)") }
                }
            }
        }
        func goOn() throws {
            let before = answers.load(ordering: .relaxed)
            try eventually("requests go on") { answers.load(ordering: .relaxed) > before + 60 }
        }
        try goOn()
        phase.store(1, ordering: .sequentiallyConsistent)
        // Beside the file first, so that it is back as it was.
        try Child.run("/bin/cp", ["-a", act == .storeGone ? site.store : tokens, away]).expectSuccess()
        switch act {
        case .deleted: unlink(tokens)
        case .truncated: truncate(tokens, 200)
        case .replacedByAnother: rename(site.folder + "/other/tokens", tokens)
        case .replacedByOlder: rename(site.folder + "/older", tokens)
        case .replacedByNothing:
            unlink(tokens)
            try Data().write(to: URL(fileURLWithPath: tokens))
            chmod(tokens, 0o600)
        case .linked:
            rename(tokens, site.folder + "/elsewhere")
            symlink(site.folder + "/elsewhere", tokens)
        case .openedToOthers: chmod(tokens, 0o644)
        case .storeGone: rename(site.store, site.store + ".gone")
        }
        // What nobody counts is seen within ten milliseconds, by a clock that ticks every four.
        usleep(20_000)
        phase.store(2, ordering: .sequentiallyConsistent)
        try goOn()
        phase.store(1, ordering: .sequentiallyConsistent)
        if act == .storeGone {
            rename(site.store + ".gone", site.store)
        } else {
            rename(away, tokens)
        }
        usleep(20_000)
        phase.store(0, ordering: .sequentiallyConsistent)
        try goOn()
        isOver.store(true, ordering: .releasing)
        group.wait()
        #expect(wrong.withLock { $0 } == [])
        #expect(servers.runningCount == 2)
        #expect(try site.login("ann").status == 200)
    }

    struct Wrong: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let code: Int32
        let words: String
        let make: @Sendable (_ store: String) throws -> Void
    }

    private static func write(_ text: String, _ path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, 0o600)
    }

    static let wrong = [
        Wrong(testDescription: "VERSION missing", code: 66, words: "is not a store") { unlink($0 + "/VERSION") },
        Wrong(testDescription: "VERSION empty", code: 66, words: "is not a store") { try write("", $0 + "/VERSION") },
        Wrong(testDescription: "VERSION newer", code: 78, words: "upgrade the program") {
            try write("postern 9\n", $0 + "/VERSION")
        },
        Wrong(testDescription: "journal missing", code: 66, words: "/users does not exist") { unlink($0 + "/users") },
        Wrong(testDescription: "journal empty", code: 65, words: "/users is not a journal of this store") {
            try write("", $0 + "/users")
        },
        Wrong(testDescription: "journal foreign", code: 65, words: "/users is not a journal of this store") {
            try write("ann:x:1000:1000::/home/ann:/bin/sh\n", $0 + "/users")
        },
        Wrong(testDescription: "journal of another name", code: 65, words: "/users is not a journal of this store") {
            rename($0 + "/tokens", $0 + "/users")
            try Store.create(at: $0 + "-other")
            rename($0 + "-other/tokens", $0 + "/tokens")
        },
        Wrong(testDescription: "journal a link", code: 66, words: "/users is a symbolic link") {
            rename($0 + "/users", $0 + "-users")
            symlink($0 + "-users", $0 + "/users")
        },
        Wrong(testDescription: "journal with a second link", code: 66, words: "has a second link") {
            link($0 + "/users", $0 + "-users")
        },
        Wrong(testDescription: "journal a folder", code: 66, words: "of another type") {
            unlink($0 + "/users")
            mkdir($0 + "/users", 0o700)
        },
        Wrong(testDescription: "journal open to others", code: 78, words: "run chmod 600 ") {
            chmod($0 + "/users", 0o644)
        },
        Wrong(testDescription: "keys missing", code: 66, words: "/keys does not exist") {
            rename($0 + "/keys", $0 + "-keys")
        },
        Wrong(testDescription: "keys open to others", code: 78, words: "run chmod 700 ") { chmod($0 + "/keys", 0o755) },
        Wrong(testDescription: "keys a file", code: 66, words: "of another type") {
            rename($0 + "/keys", $0 + "-keys")
            try write("", $0 + "/keys")
        },
        Wrong(testDescription: "key no key", code: 78, words: "/keys/x.jwk") { try write("{}", $0 + "/keys/x.jwk") },
        Wrong(testDescription: "lock missing", code: 66, words: "/lock does not exist") { unlink($0 + "/lock") },
        Wrong(testDescription: "store open to others", code: 78, words: "run chmod 700 ") { chmod($0, 0o770) },
    ]

    @Test("What is wrong with a store is one sentence and an exit code, and changes nothing", arguments: wrong)
    func refused(wrong: Wrong) throws {
        let site = try FaultySite()
        defer { site.remove() }
        try wrong.make(site.store)
        let serve = ["serve", "--listen", site.folder + "/socket"]
        // Those about users do not read keys.
        let commands =
            wrong.words.contains("/keys/x") ? [["key", "list"]] : [["user", "list"], ["token", "create", "ann"]]
        for command in commands + [["store", "check"], serve] {
            let finished = try Child.run(Site.binary, command, environment: ["POSTERN_STORE": site.store])
            #expect(finished.code == wrong.code, "\(command): \(finished.error)")
            #expect(finished.error.contains(wrong.words), "\(command): \(finished.error)")
            #expect(finished.error.hasPrefix("postern: "))
            #expect(finished.error.count { $0 == "\n" } == 1)
            #expect(finished.output == "")
        }
    }
}
