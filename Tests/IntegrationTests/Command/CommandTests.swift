import Foundation
import Testing

@Suite("The command line")
struct CommandTests {
    private let folder: String
    private let store: String

    init() throws {
        folder = try Site.temporaryFolder()
        store = folder + "/store"
        try Child.run(Site.binary, ["store", "init", store]).expectSuccess()
    }

    @discardableResult
    private func postern(_ arguments: [String], input: String = "") throws -> Child.Finished {
        try Child.run(Site.binary, arguments, input: input, environment: ["POSTERN_STORE": store])
    }

    private func object(_ text: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    }

    @Test("Users are added, shown, changed and deleted")
    func users() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let added = try postern(["user", "add", "ann", "--json", "--with-token"], input: Site.password + "\n")
        try added.expectSuccess()
        let row = try #require(try object(added.output) as? [String: Any])
        #expect(row["username"] as? String == "ann")
        #expect(row["id"] as? Int == 1)
        #expect(row["is_staff"] as? Bool == false)
        #expect((row["token"] as? String)?.hasPrefix("pst_") == true)
        #expect(try postern(["user", "add", "bot", "--no-password", "--staff"]).output.isEmpty)
        let table = try postern(["user", "list"]).output.split(separator: "\n").map {
            $0.split(separator: " ").map(String.init)
        }
        #expect(table.map { $0.first } == ["ID", "1", "2"])
        #expect(table[1][1...5] == ["ann", "yes", "no", "no", "yes"])
        #expect(table[2][1...5] == ["bot", "yes", "yes", "no", "no"])
        try postern(["user", "grant", "ann", "--superuser"]).expectSuccess()
        try postern(["user", "disable", "ann"]).expectSuccess()
        let shown = try #require(try object(try postern(["user", "show", "ann", "--json"]).output) as? [String: Any])
        #expect(shown["is_superuser"] as? Bool == true)
        #expect(shown["is_active"] as? Bool == false)
        #expect(try postern(["user", "delete", "ann"]).code == 64)
        try postern(["user", "delete", "ann", "--yes"]).expectSuccess()
        #expect(try postern(["user", "show", "ann"]).code == 67)
    }

    @Test("A new user's name is composed and no look-alike, and an import says which names are")
    func names() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let composed = try postern(["user", "add", "e\u{301}mile", "--no-password", "--json"])
        try composed.expectSuccess()
        #expect(composed.error == "The user is called \u{E9}mile: the name is composed (NFKC), as Django does it.\n")
        let row = try #require(try object(composed.output) as? [String: Any])
        #expect((row["username"] as? String)?.unicodeScalars.count == 5)
        let refused = try postern(["user", "add", "\u{430}dmin", "--no-password"])
        #expect(refused.code == 65)
        #expect(refused.output.isEmpty)
        #expect(
            refused.error
                == "postern: A username cannot mix scripts, and the character U+0430 is of another one than others: write the name in one script.\n"
        )
        let hash = "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="
        let lines = ["ann", "e\u{301}ve", "bob\u{3164}", "\u{430}nn"].map { "\($0):\(hash)\n" }.joined()
        let imported = try postern(["import", "htpasswd", "--dry-run"], input: lines)
        try imported.expectSuccess()
        #expect(
            imported.output.contains(
                "2 of the users cannot log in by a form, since their names are not composed (NFKC), the first of them e\u{301}ve\n"
            )
        )
        #expect(
            imported.output.contains(
                "2 of the users have names that a new user could not have, the first of them bob\\u{3164}: A username cannot hold the character U+3164, which is invisible: leave it out.\n"
            )
        )
        let json = try postern(["import", "htpasswd", "--json"], input: lines)
        #expect(json.output.contains(#""doubtful_names":{"count":2,"first":"bob"# + "\u{3164}\"}"))
    }

    @Test("Groups are made, listed and deleted; users get into them, and get permissions")
    func groups() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        try postern(["group", "set", "ops", "--permission", "shop.add_thing", "--permission", "shop.change_thing"])
            .expectSuccess()
        #expect(try postern(["group", "list"]).output == "NAME  PERMISSIONS\nops   shop.add_thing shop.change_thing\n")
        try postern(["user", "grant", "ann", "--group", "ops", "--permission", "a.b"]).expectSuccess()
        let shown = try #require(try object(try postern(["user", "show", "ann", "--json"]).output) as? [String: Any])
        #expect(shown["groups"] as? [String] == ["ops"])
        #expect(shown["permissions"] as? [String] == ["a.b"])
        for (arguments, code) in [
            (["user", "grant", "ann", "--group", "nobodys"], Int32(65)),
            (["user", "grant", "ann", "--permission", "ab"], 65),
            (["user", "grant", "ann"], 64), (["group", "set", "a,b"], 65),
            (["group", "delete", "nobodys", "--yes"], 65),
        ] {
            let refused = try postern(arguments)
            #expect(
                refused.code == code,
                "\(arguments)"
            )
            #expect(
                refused.error.split(separator: "\n").first?.isEmpty == false,
                "\(arguments)"
            )
        }
        try postern(["user", "grant", "ann", "--no-group", "ops", "--no-permission", "a.b"]).expectSuccess()
        try postern(["group", "delete", "ops", "--yes"]).expectSuccess()
        let after = try #require(try object(try postern(["user", "show", "ann", "--json"]).output) as? [String: Any])
        #expect(after["groups"] as? [String] == [])
        #expect(after["permissions"] as? [String] == [])
        #expect(try postern(["group", "list", "--json"]).output == "[]\n")
    }

    @Test("Tokens are limited to scopes, methods, paths and networks, and say so")
    func limitedTokens() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        try postern([
            "token", "create", "ann", "--scope", "read", "--scope", "stats", "--method", "GET", "--path", "/api/",
            "--network",
            "10.0.0.0/8",
        ]).expectSuccess()
        let rows = try #require(try object(try postern(["token", "list", "--json"]).output) as? [[String: Any]])
        #expect(rows.first?["scopes"] as? [String] == ["read", "stats"])
        #expect(rows.first?["methods"] as? [String] == ["GET"])
        #expect(rows.first?["paths"] as? [String] == ["/api/"])
        #expect(rows.first?["networks"] as? [String] == ["10.0.0.0/8"])
        for arguments in [["--path", "api"], ["--method", "G T"], ["--network", "10.0.0.1/8"], ["--scope", "a b"]] {
            let refused = try postern(["token", "create", "ann"] + arguments)
            #expect(refused.code == 64, "\(arguments)")
            #expect(refused.error.hasPrefix("postern: \""), "\(arguments)")
        }
        #expect(try (object(try postern(["token", "list", "--json"]).output) as? [Any])?.count == 1)
    }

    @Test("A store is checked, compacted, copied and made anew of a copy")
    func stores() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        for _ in 0..<3 { try postern(["token", "create", "ann"]).expectSuccess() }
        try postern(["token", "revoke", "1", "2"]).expectSuccess()
        let checked = try #require(try object(try postern(["store", "check", "--json"]).output) as? [[String: Any]])
        #expect(checked.map { $0["events"] as? Int } == [1, 5, 0, 0])
        #expect(checked[1]["needed"] as? Int == 2)
        let (copy, anew) = (folder + "/copy", folder + "/anew")
        try postern(["store", "backup", copy]).expectSuccess()
        #expect(try postern(["store", "backup", copy]).code == 73)
        #expect(try postern(["store", "compact"]).output.hasPrefix("JOURNAL      EVENTS BEFORE  AFTER\n"))
        #expect(try postern(["store", "check"]).output.contains("tokens       2       2"))
        try postern(["token", "revoke", "3"]).expectSuccess()
        let restored = try postern(["store", "restore", copy, anew])
        #expect(restored.code == 0)
        #expect(restored.error.contains("is good again"))
        func tokens(_ store: String) throws -> Int {
            let list = try Child.run(Site.binary, ["token", "list", "--json", "--store", store])
            return try (object(list.output) as? [Any])?.count ?? -1
        }
        #expect(try tokens(store) == 0)
        #expect(try tokens(anew) == 1)
        try postern(["store", "restore", copy, anew + "2", "--revoke-all"]).expectSuccess()
        let users = try Child.run(Site.binary, ["user", "list", "--store", anew + "2"])
        #expect(users.output.contains("ann"))
    }

    @Test("A damaged store says where, and is repaired as far as it can be read")
    func repair() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        for _ in 0..<5 { try postern(["token", "create", "ann"]).expectSuccess() }
        #expect(try postern(["store", "repair", "--yes"]).output.contains("tokens       5     0"))
        let path = store + "/tokens"
        var text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let third = try #require(lines.firstIndex { $0.contains("\tissued\t3\t") })
        text =
            (lines[..<third] + [lines[third].replacingOccurrences(of: "issued", with: "isSued")] + lines[(third + 1)...])
            .joined(separator: "\n")
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        let checked = try postern(["store", "check"])
        #expect(
            checked.code == 65,
            "\(checked.error)"
        )
        #expect(
            checked.error.contains("store/tokens"),
            "\(checked.error)"
        )
        #expect(
            checked.error.contains("line \(third)"),
            "\(checked.error)"
        )
        let repaired = try postern(["store", "repair", "--yes", "--json"])
        let rows = try #require(try object(repaired.output) as? [[String: Any]])
        #expect(rows[1]["events"] as? Int == 4)
        #expect(rows[1]["dropped"] as? Int == lines[third].utf8.count + 1)
        #expect(repaired.error.contains("postern user revoke-all"))
        let side = try #require(rows[1]["side_file"] as? String)
        #expect(try String(contentsOfFile: side, encoding: .utf8).contains("\tisSued\t3\t"))
        let list = try #require(try object(try postern(["token", "list", "--json"]).output) as? [[String: Any]])
        #expect(list.compactMap { $0["id"] as? Int } == [1, 2, 4, 5])
        try postern(["token", "create", "ann"]).expectSuccess()
    }

    @Test("Tokens are created, listed without the token, and revoked")
    func tokens() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        let created = try postern(["token", "create", "ann", "--label", "two words\u{1B}[31m"])
        #expect(created.output.count == 41)
        #expect(created.output.hasPrefix("pst_"))
        let listed = try postern(["token", "list"])
        #expect(listed.output.contains("two words\\u{1b}[31m"))
        #expect(!listed.output.contains("\u{1B}"))
        #expect(!listed.output.contains(created.output.dropLast()))
        let rows = try #require(try object(try postern(["token", "list", "--json"]).output) as? [[String: Any]])
        try #require(rows.count == 1)
        #expect(rows[0]["user"] as? String == "ann")
        #expect(rows[0]["expires"] is String)
        try postern(["token", "create", "ann", "--expires", "never"]).expectSuccess()
        let never = try #require(
            try object(try postern(["token", "list", "ann", "--json"]).output) as? [[String: Any]]
        )
        #expect(never.last?["expires"] is NSNull)
        try postern(["token", "revoke", "1", "2"]).expectSuccess()
        #expect(try object(try postern(["token", "list", "--json"]).output) as? [[String: Int]] == [])
        #expect(try postern(["token", "revoke", "1"]).code == 65)
    }

    @Test(
        "What is wrong is said in one sentence, with an exit code of sysexits.h",
        arguments: [
            (["user", "add", "a:b"], 65, "U+003A"), (["user", "add", "ann\nx"], 65, "U+000A"),
            (["user", "show", "nobody"], 67, "nobody"),
            (["token", "create", "nobody"], 67, "nobody"),
            (["token", "create", "ann", "--expires", "soon"], 64, "--expires"),
            (["user", "grant", "ann"], 64, "flag"), (["user", "add"], 64, "name"), (["bogus"], 64, "bogus"),
            (["user", "add", "ann"], 73, "already"),
            (["user", "set-password", "ann", "--minimum-password-length", "7"], 64, "8"),
            (["serve", "--listen", "x"], 64, "--listen"),
            (["serve", "--log-level", "loud", "--listen", "/x"], 64, "loud"),
            (["store", "init", "/proc/none"], 66, "/proc/none"),
        ] as [([String], Int32, String)]
    )
    func failures(arguments: [String], code: Int32, text: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        let result = try postern(arguments, input: Site.password + "\n")
        #expect(result.code == code, "\(result.error)")
        #expect(result.error.contains(text), "\(result.error)")
        #expect(result.output.isEmpty)
    }

    @Test("A password is one line of standard input, and has to be long enough")
    func passwords() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try postern(["user", "add", "ann"], input: "").code == 66)
        let short = try postern(["user", "add", "ann"], input: "fourteen chars\n")
        #expect(short.code == 65)
        #expect(short.error.contains("15"))
        #expect(try postern(["user", "add", "ann"], input: String(repeating: "x", count: 1025) + "\n").code == 65)
        #expect(try postern(["user", "list", "--json"]).output == "[]\n")
        try postern(["user", "add", "ann"], input: "fifteen glyphs!\nand more").expectSuccess()
        try postern(["user", "add", "ben", "--minimum-password-length", "8"], input: "8 glyphs").expectSuccess()
    }

    @Test("On a terminal the password is asked for twice, and not shown")
    func terminal() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let typed = folder + "/typed"
        func type(_ keys: String, _ arguments: String) throws -> Child.Finished {
            try keys.write(toFile: typed, atomically: false, encoding: .utf8)
            // Gives it a terminal; each line is typed after its prompt has appeared.
            let program = """
                import os, pty, sys, select
                pid, terminal = pty.fork()
                if pid == 0:
                    os.execv(sys.argv[1], sys.argv[1:3] + sys.argv[4:])
                lines, shown = open(sys.argv[3], "rb").read().split(b"|"), b""
                while True:
                    try:
                        data = os.read(terminal, 1024)
                    except OSError:
                        break
                    shown += data
                    if data.endswith(b": ") and lines:
                        os.write(terminal, lines.pop(0))
                os.write(1, shown)
                sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                """
            return try Child.run(
                "/usr/bin/env",
                ["python3", "-c", program, Site.binary, "user", typed]
                    + arguments.split(separator: " ").map(String.init),
                environment: ["POSTERN_STORE": store]
            )
        }
        let good = try type("correct horsx\u{7F}e battery staple\r|correct horse battery staple\r", "add ann")
        #expect(good.code == 0, "\(good.output)")
        #expect(good.output.contains("Password for ann: "))
        #expect(good.output.contains("Once more: "))
        #expect(!good.output.contains("horse"))
        #expect(try type("correct horse battery staple\r|correct horse battery stable\r", "add ben").code == 65)
        #expect(try type("half a word\u{3}|", "add ben").code == 75)
        #expect(try postern(["user", "list", "--json"]).output.components(separatedBy: "\"username\"").count == 2)
        #expect(try type("yes\r", "delete ann").code == 0)
        #expect(try postern(["user", "list", "--json"]).output == "[]\n")
    }
}
