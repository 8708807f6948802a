import Foundation
import Postern
import Testing

/// What holds for every command: exit codes of sysexits.h, JSON for scripts, no colours, and a question before what cannot
/// be undone.
@Suite("The command line: what all commands have in common")
struct CommandContractTests {
    private let folder: String
    private let store: String

    init() throws {
        folder = try Site.temporaryFolder()
        store = folder + "/store"
        // By the library, which is quicker than the command.
        try Store.create(at: store)
        let store = try Store(opening: store)
        let ann = try store.addUser(try Username("ann".utf8), passwordHash: nil)
        try store.setGroup(try GroupName("ops".utf8), permissions: [try PermissionName("shop.add_thing".utf8)])
        _ = try Accounts(store: store).issueToken(for: ann)
        _ = try store.generateKey(.edDSA)
    }

    private func remove() { try? FileManager.default.removeItem(atPath: folder) }

    @discardableResult
    private func postern(
        _ arguments: [String],
        store: String? = nil,
        environment: [String: String] = [:]
    ) throws -> Child.Finished {
        let environment = ["POSTERN_STORE": store ?? self.store].merging(environment) { $1 }
        return try Child.run(Site.binary, arguments, input: Site.password + " and more\n", environment: environment)
    }

    private func keys() throws -> [String] {
        let list = try JSONSerialization.jsonObject(with: Data(try postern(["key", "list", "--json"]).output.utf8))
        return (list as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
    }

    /// Every command that works on a store, with arguments that are good.
    static let onStore: [[String]] = [
        ["user", "add", "ben"], ["user", "list"], ["user", "show", "ann"], ["user", "set-password", "ann"],
        ["user", "enable", "ann"], ["user", "disable", "ann"], ["user", "grant", "ann", "--staff"],
        ["user", "revoke-all", "ann"], ["user", "delete", "ann", "--yes"], ["group", "set", "ops"], ["group", "list"],
        ["group", "delete", "ops", "--yes"], ["token", "create", "ann"], ["token", "list"], ["token", "revoke", "1"],
        ["session", "list"], ["session", "end", "1"], ["session", "end-all", "ann"], ["key", "list"],
        ["key", "generate"], ["key", "rotate"], ["key", "import"], ["key", "retire", "x", "--yes"], ["key", "jwks"],
        ["store", "check"],
        ["store", "compact"], ["store", "stats"], ["store", "repair", "--yes"], ["store", "upgrade"],
        ["store", "backup", "/tmp/postern-none/copy"], ["export"], ["import", "htpasswd"],
        ["explain", "GET", "/", "--parameter", "POSTERN_VIEW=whoami"],
        ["serve"],
    ]

    @Test("No store, none that is named, one of a newer version, and one that others may read", arguments: onStore)
    func badStores(command: [String]) throws {
        defer { remove() }
        let missing = try postern(command, store: folder + "/none")
        #expect(missing.code == 66, "\(missing.error)")
        #expect(missing.error.contains(folder + "/none"), "\(missing.error)")
        try "postern 2\n".write(toFile: store + "/VERSION", atomically: false, encoding: .utf8)
        let newer = try postern(command)
        #expect(newer.code == 78, "\(newer.error)")
        #expect(newer.error.contains("upgrade the program"), "\(newer.error)")
        try "postern 1\n".write(toFile: store + "/VERSION", atomically: false, encoding: .utf8)
        chmod(store, 0o755)
        let open = try postern(command)
        #expect(open.code == 78, "\(open.error)")
        #expect(open.error.contains("chmod 700"), "\(open.error)")
        for result in [missing, newer, open] {
            #expect(result.output.isEmpty)
            #expect(result.error.hasPrefix("postern: "))
            #expect(result.error.hasSuffix("\n"))
            #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
        }
    }

    @Test("An option that there is not, a command that there is not, and one that needs another word")
    func usage() throws {
        defer { remove() }
        for arguments in Self.onStore.map({ $0 + ["--bogus"] }) + [["store", "list"], ["bogus"], ["user", "show"]] {
            let refused = try postern(arguments)
            #expect(refused.code == 64, "\(arguments)")
            #expect(refused.output.isEmpty, "\(arguments)")
            #expect(!refused.error.isEmpty, "\(arguments)")
        }
    }

    @Test(
        "Names and numbers of what there is not",
        arguments: [
            (["user", "show", "x"], 67), (["user", "set-password", "x"], 67), (["user", "enable", "x"], 67),
            (["user", "disable", "x"], 67), (["user", "grant", "x", "--staff"], 67), (["user", "revoke-all", "x"], 67),
            (["user", "delete", "x", "--yes"], 67), (["user", "delete", "x"], 67), (["token", "create", "x"], 67),
            (["token", "list", "x"], 67), (["session", "list", "x"], 67), (["session", "end-all", "x"], 67),
            (["explain", "GET", "/", "--as", "x", "--parameter", "POSTERN_VIEW=whoami"], 67),
            (["user", "grant", "ann", "--group", "x"], 65), (["group", "delete", "x"], 65),
            (["token", "revoke", "9"], 65), (["session", "end", "9"], 65), (["key", "retire", "x"], 65),
            (["store", "init", "STORE"], 73), (["user", "add", "ann", "--no-password"], 73),
            (["store", "backup", "STORE"], 73), (["store", "restore", "STORE", "STORE"], 73),
            (["store", "restore", "FOLDER/none", "FOLDER/new"], 66), (["store", "init", "FOLDER/none/none"], 66),
            (["lint", "--config", "FOLDER/none"], 66), (["serve", "--allow-user", "x", "--listen", "FOLDER/s"], 67),
            (["serve", "--listen", "FOLDER/none/s"], 69), (["serve", "--listen", "192.0.2.1:9"], 64), (["serve"], 64),
            (["jwt", "verify", "--keys", "FOLDER/none"], 66),
        ] as [([String], Int32)]
    )
    func missing(command: [String], code: Int32) throws {
        defer { remove() }
        let arguments = command.map {
            $0.replacingOccurrences(of: "STORE", with: store).replacingOccurrences(of: "FOLDER", with: folder)
        }
        let refused = try postern(arguments)
        #expect(refused.code == code, "\(refused.error)")
        #expect(refused.output.isEmpty, "\(refused.error)")
        #expect(refused.error.split(separator: "\n").count == 1, "\(refused.error)")
    }

    @Test("A file that is damaged, one that may not be read, and a full disk where the answer goes")
    func files() throws {
        defer { remove() }
        let full = try Child.run("/bin/sh", ["-c", "\"\(Site.binary)\" user list --store \(store) >/dev/full"])
        #expect(full.code == 74, "\(full.error)")
        #expect(full.error.contains("No space left"), "\(full.error)")
        let closed = try Child.run(
            "/bin/bash",
            ["-c", "\"\(Site.binary)\" user list --store \(store) | :; exit $PIPESTATUS"]
        )
        #expect(closed.code == 0, "\(closed.error)")
        #expect(closed.error.isEmpty, "\(closed.error)")
        let users = store + "/users"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: users))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: users))
        chmod(users, 0o600)
        #expect(try postern(["user", "list"]).code == 65)
        if geteuid() == 0 {
            chown(users, 1, 1)
            #expect(try postern(["user", "list"]).code == 77)
        }
    }

    @Test("Whatever is printed can be had as JSON, and nothing else is on standard output then")
    func json() throws {
        defer { remove() }
        let printing: [[String]] = [
            ["user", "add", "ben"], ["user", "list"], ["user", "show", "ann"], ["group", "list"],
            ["token", "create", "ann"], ["token", "list"], ["session", "list"], ["key", "list"], ["key", "generate"],
            ["key", "rotate"], ["key", "import"], ["store", "check"], ["store", "compact"], ["store", "stats"],
            ["store", "repair", "--yes"], ["store", "upgrade"], ["doctor"],
            ["explain", "GET", "/", "--parameter", "POSTERN_VIEW=whoami"],
        ]
        for command in printing {
            let result = try postern(command + ["--json"])
            #expect(result.code == (command == ["doctor"] ? 1 : 0), "\(command): \(result.error)")
            let object = try? JSONSerialization.jsonObject(with: Data(result.output.utf8))
            #expect(object != nil, "\(command): \(result.output)")
            #expect(result.output.split(separator: "\n").count == 1, "\(command): \(result.output)")
        }
        // This one prints nothing else.
        #expect(
            try JSONSerialization.jsonObject(with: Data(try postern(["key", "jwks"]).output.utf8)) is [String: Any]
        )
    }

    @Test("Nothing is coloured: with a terminal that can, and whatever is asked for")
    func colours() throws {
        defer { remove() }
        for command in [["user", "list"], ["--help"], ["doctor"], ["store", "check"], ["bogus"]] {
            let arguments = ([Site.binary] + command).joined(separator: " ")
            // A terminal, whose output script(1) copies.
            let shown = try Child.run(
                "/usr/bin/script",
                ["-qec", arguments, "/dev/null"],
                environment: ["POSTERN_STORE": store, "TERM": "xterm-256color", "CLICOLOR_FORCE": "1"]
            )
            #expect(!shown.output.isEmpty, "\(command)")
            #expect(!shown.output.contains("\u{1B}"), "\(command)")
        }
    }

    @Test("What cannot be undone is not done where nobody can be asked, and done with --yes")
    func confirmation() throws {
        defer { remove() }
        let key = try #require(try keys().first)
        for command in [
            ["user", "delete", "ann"], ["group", "delete", "ops"], ["key", "retire", key],
        ] {
            let before = try postern(["store", "check"]).output
            let refused = try postern(command)
            #expect(refused.code == 64, "\(refused.error)")
            #expect(refused.output.isEmpty, "\(refused.error)")
            #expect(refused.error.contains("--yes"), "\(refused.error)")
            #expect(refused.error.split(separator: "\n").count == 1)
            #expect(try postern(["store", "check"]).output == before)
            #expect(try keys().contains(key))
            try postern(command + ["--yes"]).expectSuccess()
        }
        #expect(try postern(["user", "list", "--json"]).output == "[]\n")
        #expect(try postern(["group", "list", "--json"]).output == "[]\n")
    }

    @Test(
        "At a terminal only yes is a yes",
        arguments: [("yes", 0), ("y", 64), ("no", 64), ("", 64)] as [(String, Int32)]
    )
    func answers(answer: String, code: Int32) throws {
        defer { remove() }
        let command = "printf '%s\\n' '\(answer)' | script -qec '\(Site.binary) group delete ops' /dev/null"
        let result = try Child.run("/bin/sh", ["-c", command], environment: ["POSTERN_STORE": store])
        #expect(result.code == code, "\(result.output)")
        #expect(result.output.contains("cannot be undone"))
        #expect(try postern(["group", "list", "--json"]).output.contains("ops") == (code != 0))
    }

    @Test("The version is a number of three parts")
    func version() throws {
        defer { remove() }
        #expect(try postern(["--version"]).output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
    }
}
