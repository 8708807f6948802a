import Foundation
import Testing

/// A project of a real Django with a thousand users, every hasher, DRF, knox and simplejwt, and a server that takes it over.
@Suite("Migration from Django", .serialized)
struct MigrationTests {
    private struct Expected: Decodable {
        let secret: String
        let passwords: [String: String]
        let tokens: [String: String]
        let knox: [String: String]
        let ids: [String: Int64]
        let access: String
        let refresh: String
        let blacklisted: String
    }

    private static let project = Result { try makeProject() }

    private static func makeProject() throws -> (folder: String, expected: Expected) {
        let folder = try Site.temporaryFolder()
        let script = Site.sources + "/Tests/IntegrationTests/Serving/Peer/migration.py"
        try Child.run(try PythonEnvironment.python.get(), [script, folder]).expectSuccess()
        let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/expected.json"))
        return (folder, try JSONDecoder().decode(Expected.self, from: data))
    }

    @Test("Nobody has to log in again, and everybody can with the same password; nothing of it works before")
    func django() throws {
        let (folder, expected) = try Self.project.get()
        let site = try Site(users: false)
        let key = try #require(expected.tokens.first)
        #expect(try site.get("/whoami/", token: key.value).status == 401)

        let trial = try site.postern(["import", "django", "--dry-run", folder + "/dump.json"])
        try trial.expectSuccess()
        #expect(trial.output.contains("users: 1000 to add, 0 here already"))
        #expect(try site.get("/whoami/", token: key.value).status == 401)
        let import1 = try site.postern(["import", "django", folder + "/dump.json"])
        try import1.expectSuccess()
        #expect(import1.output.contains("users: 1000 added, 0 here already\ngroups: 1 added"))
        #expect(import1.output.contains("tokens: \(expected.tokens.count + 2) added"))
        #expect(import1.output.contains("1 refresh tokens that were blacklisted"))
        #expect(import1.output.contains("left out: 1 tokens that have expired"))
        try site.postern(["key", "import"], input: expected.secret + "\n").expectSuccess()

        for (name, token) in Array(expected.tokens).sorted(by: { $0.key < $1.key }).prefix(40) + Array(expected.knox) {
            let answer = try site.get("/whoami/", token: token)
            #expect(answer.status == 200, "\(name) \(answer.text)")
            #expect(answer.text.contains("\"username\":\"\(name)\""), "\(name) \(answer.text)")
            #expect(answer.text.contains("\"id\":\(try #require(expected.ids[name])),"), "\(answer.text)")
        }
        for (name, password) in expected.passwords {
            #expect(try login(site, name, password).status == 200, "\(name)")
            #expect(try login(site, name, password + "x").status == 400, "\(name)")
        }
        #expect(try login(site, "user2", "correct horse battery staple").status == 400)
        #expect(try login(site, "user3", "correct horse battery staple").status == 400)
        let weak = try site.postern(["user", "show", "user1"])
        #expect(weak.output.contains("password_hash  md5"), "\(weak.output)")
        // Their hashes are ours by now.
        let users = try String(contentsOfFile: site.store + "/users", encoding: .utf8)
        for name in expected.passwords.keys {
            let line = try #require(users.split(separator: "\n").last { $0.contains("\t\(name)\t") })
            #expect(line.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "\(line)")
        }
        for name in expected.passwords.keys {
            #expect(try login(site, name, try #require(expected.passwords[name])).status == 200, "\(name) again")
        }
        try check(expected, by: site)

        let import2 = try site.postern(["import", "django", folder + "/dump.json", "--json"])
        try import2.expectSuccess()
        #expect(import2.output.contains(#""users":{"added":0,"kept":1000},"groups":{"added":0,"kept":1}"#))
    }

    /// simplejwt's tokens, flags and permissions.
    private func check(_ expected: Expected, by site: Site) throws {
        func bearer(_ text: String) throws -> HTTPAnswer {
            try HTTP.exchange(site.nginxPort, HTTP.request("GET", "/whoami/", [("Authorization", "Bearer " + text)]))
        }
        func refresh(_ text: String) throws -> HTTPAnswer {
            try HTTP.exchange(
                site.nginxPort,
                HTTP.request(
                    "POST",
                    "/api/token/refresh/",
                    [("Content-Type", "application/json")],
                    body: Array(#"{"refresh":"\#(text)"}"#.utf8)
                )
            )
        }
        #expect(try bearer(expected.access).text.contains("\"username\":\"user4\""))
        #expect(try refresh(expected.blacklisted).status == 401)
        #expect(try refresh(expected.refresh).status == 200)
        let staff = try site.postern(["user", "show", "user1", "--json"])
        #expect(staff.output.contains(#""is_staff":true,"is_superuser":false"#), "\(staff.output)")
        #expect(staff.output.contains(#""groups":["ops"],"permissions":["auth.delete_group"]"#), "\(staff.output)")
        let groups = try site.postern(["group", "list", "--json"])
        #expect(groups.output == #"[{"name":"ops","permissions":["auth.add_group","auth.change_group"]}]"# + "\n")
        #expect(try site.postern(["user", "show", "user2", "--json"]).output.contains(#""is_active":false"#))
    }

    @Test("JSON Lines, natural keys and a pipe bring the same", arguments: ["dump.jsonl", "natural.json", "-"])
    func forms(file: String) throws {
        let (folder, expected) = try Self.project.get()
        let store = try Site.temporaryFolder() + "/store"
        func run(_ arguments: [String], input: String = "") throws -> String {
            let result = try Child.run(Site.binary, arguments + ["--store", store], input: input)
            try result.expectSuccess()
            return result.output
        }
        try Child.run(Site.binary, ["store", "init", store]).expectSuccess()
        let dump = try String(contentsOfFile: folder + "/dump.json", encoding: .utf8)
        _ = try run(["import", "django", file == "-" ? file : folder + "/" + file], input: file == "-" ? dump : "")
        let users = try run(["user", "list"])
        #expect(users.split(separator: "\n").count == 1001)
        #expect(users.contains("user1 "), "\(users.prefix(400))")
        let tokens = try run(["token", "list"]).split(separator: "\n").count - 1
        #expect(tokens == expected.tokens.count + (file == "natural.json" ? 0 : 2))
        #expect(try run(["user", "show", "user1"]).contains("auth.delete_group"))
        // No secret of the dump is in clear in the store.
        for name in ["users", "tokens", "revocations"] {
            let text = try String(contentsOfFile: store + "/" + name, encoding: .utf8)
            for token in expected.tokens.values.prefix(20) { #expect(!text.contains(token)) }
        }
    }

    @Test("The users of a real htpasswd file log in, whatever it hashed with")
    func htpasswd() throws {
        let site = try Site(users: false)
        let file = site.folder + "/htpasswd"
        let password = "correct horse battery staple"
        for (name, option) in [("bcrypt", "-B"), ("apr1", "-m"), ("sha", "-s"), ("sha256", "-2"), ("sha512", "-5")] {
            let create = FileManager.default.fileExists(atPath: file) ? "" : "c"
            try Child.run("/usr/bin/htpasswd", ["-b\(create)" + option.dropFirst(), file, name, password])
                .expectSuccess()
        }
        try site.postern(["import", "htpasswd", file]).expectSuccess()
        for name in ["bcrypt", "apr1", "sha", "sha256", "sha512"] {
            #expect(try login(site, name, password).status == 200, "\(name)")
            #expect(try login(site, name, password + "r").status == 400, "\(name)")
        }
        let again = try site.postern(["import", "htpasswd", file])
        #expect(again.output.contains("users: 0 added, 5 here already"))
    }

    private func login(_ site: Site, _ name: String, _ password: String) throws -> HTTPAnswer {
        let body = try JSONSerialization.data(withJSONObject: ["username": name, "password": password])
        return try HTTP.exchange(
            site.nginxPort,
            HTTP.request("POST", "/api-token-auth/", [("Content-Type", "application/json")], body: Array(body))
        )
    }
}
