import Foundation
import Journal
import Postern
import Synchronization
import TestSupport
import Testing

/// Files of a store that their owner changes under a running server, in every way that a shell has.
@Suite("A store whose files are changed in place", .randomized)
struct StoreChangedInPlaceTests {
    enum Act: String, CaseIterable {
        /// `cp` of an older copy, `cp` of the same file, `> file`, `truncate -s half`, `dd` of zeros, `rm`.
        case older, same, emptied, halved, zeroed, deleted
    }

    private static let journals = ["tokens", "users", "sessions", "revocations"]
    static let files = journals + ["tokens.index", "changes", "metrics", "throttle", "lock", "keys"]

    /// Who asks for what, and which answers are right.
    private struct Question {
        let what: String
        let right: Set<Int>
        let ask: @Sendable (FastCGIConnection) throws -> Int
    }

    @Test(
        "No file that is cut, overwritten or taken away ends a server or makes it answer what is not so",
        arguments: files
    )
    func changed(file: String) throws {
        let folder = try Site.temporaryFolder()
        let (store, socket) = (folder + "/store", folder + "/socket")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Child.run(Site.binary, ["store", "init", store]).expectSuccess()
        let old = try Site.postern(store, ["user", "add", "ann", "--with-token"], input: Site.password + "\n")
        let revoked = try Site.postern(store, ["token", "create", "ann"])
        // Until there is an index of the tokens.
        try Self.fill(store, 9000)
        let server = try Child(
            Site.binary,
            ["serve", "--store", store, "--listen", socket],
            log: folder + "/log"
        )
        defer { server.end() }
        try eventually("the server listens") { FastCGIClient.canConnect(socket) }
        let connection = try FastCGIConnection(socket)
        // What an older copy has not.
        try Child.run("/bin/cp", ["-a", store, folder + "/older"]).expectSuccess()
        _ = try Site.postern(store, ["token", "revoke", "2"])
        let new = try Site.postern(store, ["token", "create", "ann"])
        let login = #"{"username":"ann","password":"\#(Site.password)"}"#
        let access = try #require(try connection.ask("jwt.obtain", "POST", json: login).member("access"))
        let cookies = try connection.ask("session.login", "POST", json: login).cookies
        let session = try #require(cookies.first { $0.name == "sessionid" }?.value)
        let index = try #require(
            try FileManager.default.contentsOfDirectory(atPath: store).first { $0.hasPrefix("tokens.index") }
        )
        let key = try #require(try FileManager.default.contentsOfDirectory(atPath: store + "/keys").first)

        let questions = [
            Self.question("a token of the index", [200], ("HTTP_AUTHORIZATION", "Token " + old)),
            Self.question("a token behind it", [200], ("HTTP_AUTHORIZATION", "Token " + new)),
            Self.question("a revoked token", [401], ("HTTP_AUTHORIZATION", "Token " + revoked)),
            Self.question("nobody's token", [401], ("HTTP_AUTHORIZATION", "Token \(old.dropLast(8))00000000")),
            // A key that is taken away retires what it signed.
            Self.question("a JWT", file == "keys" ? [200, 401] : [200], ("HTTP_AUTHORIZATION", "Bearer " + access)),
            Self.question("a session", [200], ("HTTP_COOKIE", "sessionid=" + session)),
            Question(what: "a new token", right: [201]) { connection in
                let token = ("HTTP_AUTHORIZATION", "Token " + old)
                return try connection.ask("tokens", "POST", "/api/tokens/", json: "{}", [token, limit]).status
            },
            Question(what: "metrics", right: [200]) { connection in
                try connection.ask("metrics", [("POSTERN_PERMISSION", "AllowAny")]).status
            },
        ]
        let (path, older) =
            switch file {
            case "tokens.index": (store + "/" + index, folder + "/older/" + index)
            case "keys": (store + "/keys/" + key, folder + "/older/keys/" + key)
            default: (store + "/" + file, folder + "/older/" + file)
            }
        try Child.run("/bin/cp", ["-a", path, folder + "/same"]).expectSuccess()

        let wrong = Mutex<[String]>([])
        let answers = (0..<questions.count).map { _ in Counter() }
        let isOver = Atomic(false)
        let act = Mutex("before")
        let group = DispatchGroup()
        for (number, question) in questions.enumerated() {
            DispatchQueue(label: question.what).async(group: group) {
                var connection = try? FastCGIConnection(socket)
                while !isOver.load(ordering: .acquiring) {
                    guard let client = connection, let status = try? question.ask(client) else {
                        wrong.withLock { $0.append("\(act.withLock { $0 }): no answer to \(question.what)") }
                        usleep(20_000)
                        connection = try? FastCGIConnection(socket)
                        continue
                    }
                    answers[number].count.add(1, ordering: .relaxed)
                    if status == 200 || status == 201 { answers[number].good.add(1, ordering: .relaxed) }
                    guard !question.right.contains(status), status != 503 else { continue }
                    wrong.withLock { $0.append("\(act.withLock { $0 }): \(status) for \(question.what)") }
                }
            }
        }
        defer {
            isOver.store(true, ordering: .releasing)
            group.wait()
        }
        /// Until each has been answered so often again.
        func goOn(_ count: Int = 3) throws {
            let before = answers.map { $0.count.load(ordering: .relaxed) }
            try eventually("requests go on") {
                zip(answers, before).allSatisfy { $0.count.load(ordering: .relaxed) >= $1 + count }
            }
        }
        /// Until all that is right is answered so again.
        func isWell() throws {
            let before = answers.map { $0.good.load(ordering: .relaxed) }
            try eventually("all are served after \(act.withLock { $0 })") {
                (0..<questions.count).allSatisfy {
                    !questions[$0].right.contains { $0 < 300 }
                        || answers[$0].good.load(ordering: .relaxed) > before[$0]
                }
            }
        }
        try isWell()
        for next in Act.allCases {
            act.withLock { $0 = "\(next)" }
            try Self.change(path, next, older: older, same: folder + "/same")
            try goOn()
            usleep(20_000)
            try goOn()
            #expect(server.isRunning)
            // The good one back, as its owner puts it: beside it first.
            try Child.run("/bin/cp", ["-a", folder + "/same", store + "/.back"]).expectSuccess()
            rename(store + "/.back", path)
            // It is older than what was written since.
            if Self.journals.contains(file) {
                try Child.run(Site.binary, ["store", "repair", "--yes", "--store", store]).expectSuccess()
            }
            usleep(20_000)
            try isWell()
        }
        #expect(server.isRunning)
        #expect(Set(wrong.withLock { $0 }) == [])
    }

    /// Tokens that are issued meanwhile are without number.
    private static let limit = ("POSTERN_TOKEN_LIMIT", "1000000")

    private var limit: (String, String) { Self.limit }

    private final class Counter: Sendable {
        let count = Atomic(0)
        let good = Atomic(0)
    }

    private static func question(_ what: String, _ right: Set<Int>, _ credential: (String, String)) -> Question {
        Question(what: what, right: right) { connection in
            let location = [
                ("POSTERN_PERMISSION", "IsAuthenticated"), ("POSTERN_FAILURE_THROTTLE", "off"),
                ("POSTERN_AUTHENTICATION", "Token JWT Session"),
            ]
            return try connection.ask("whoami", location + [credential]).status
        }
    }

    private static func change(_ path: String, _ act: Act, older: String, same: String) throws {
        var status = stat()
        lstat(path, &status)
        switch act {
        case .older:
            // Of a file that came later there is none.
            let source = FileManager.default.fileExists(atPath: older) ? older : same
            try Child.run("/bin/cp", [source, path]).expectSuccess()
        case .same: try Child.run("/bin/cp", [same, path]).expectSuccess()
        case .emptied: truncate(path, 0)
        case .halved: truncate(path, status.st_size / 2)
        case .zeroed:
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try file.write(contentsOf: Data(count: Int(status.st_size)))
            try file.close()
        case .deleted: unlink(path)
        }
    }

    /// Appends tokens of nobody, in large groups.
    private static func fill(_ store: String, _ count: Int) throws {
        let folder = try JournalFolder(opening: store, kind: "postern", version: 1)
        let journal = try Journal(opening: "tokens", in: folder)
        let random = seeded
        func hexadecimal() -> String {
            (0..<4).map { _ in
                let text = String(random.next() as UInt64, radix: 16)
                return String(repeating: "0", count: 16 - text.utf8.count) + text
            }.joined()
        }
        let events = (0..<count).map { number in
            let columns = [
                "issued", "\(number + 3)", "sha256:" + hexadecimal(), "99", "1", "2026-01-01T00:00:00.000000Z", "-", "",
            ]
            return Event(columns.map { Array($0.utf8) })
        }
        try journal.append(reset: { _ in }, apply: { _ in }, events: { events })
    }
}
