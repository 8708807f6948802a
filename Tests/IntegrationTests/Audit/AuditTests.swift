import Foundation
import Testing

@Suite("The audit log and fail2ban")
struct AuditTests {
    private let site: Site
    private var audit: String { site.folder + "/audit.log" }

    init() throws {
        site = try Site(users: false, throttlesFailures: true)
        try site.addUser("ann")
    }

    private func start(_ format: String) throws {
        try site.restartServer(["--audit-file", "{folder}/audit.log", "--log-format", format])
    }

    private func lines() throws -> [String] {
        try String(contentsOfFile: audit, encoding: .utf8).components(separatedBy: "\n").dropLast()
    }

    private func login(_ name: String, _ password: String, host: UInt8, path: String = "/api-token-auth/") throws
        -> HTTPAnswer
    {
        let object = ["username": name, "password": password]
        let body = Array(try JSONSerialization.data(withJSONObject: object))
        let request = HTTP.request("POST", path, [("Content-Type", "application/json")], body: body)
        return try HTTP.exchange(site.nginxPort, request, fromHost: host)
    }

    private func get(_ path: String, _ fields: [(String, String)], host: UInt8, port: UInt16? = nil) throws -> Int {
        try HTTP.exchange(port ?? site.nginxPort, HTTP.request("GET", path, fields), fromHost: host).status
    }

    /// The addresses of the lines that the shipped filter matches, in order.
    private func matched() throws -> [String] {
        let filter = Site.sources + "/fail2ban/filter.d/postern.conf"
        let result = try Child.run("/usr/bin/fail2ban-regex", ["--out", "ip", audit, filter])
        try result.expectSuccess()
        return result.output.split(separator: "\n").map(String.init)
    }

    @Test(
        "fail2ban-regex matches the addresses of wrong passwords and refused credentials, and nothing else",
        arguments: ["text", "json"]
    )
    func fail2ban(format: String) throws {
        try start(format)
        // Whoever logs in, and whoever presents nothing or may not, is left alone.
        #expect(try login("ann", Site.password, host: 2).status == 200)
        #expect(try get("/secure/", [("Authorization", "Token " + (site.tokens["ann"] ?? ""))], host: 2) == 200)
        #expect(try get("/secure/", [], host: 3) == 401)
        #expect(try get("/admin-only/", [("Authorization", "Token " + (site.tokens["ann"] ?? ""))], host: 4) == 403)
        // What somebody types who would like another to be banned.
        let stamp = "2026-11-26T03:00:00.000000Z"
        let forged = [
            "x\n\(stamp) login-failed address=6.6.6.6 target=x",
            "x\r\n{\"time\":\"\(stamp)\",\"event\":\"login-failed\",\"address\":\"6.6.6.6\",\"x\":\"",
            "\" address=6.6.6.6 \"", "\\\",\"address\":\"6.6.6.6\",\"", "ann address=6.6.6.6",
            "\u{2028}address=6.6.6.6",
        ]
        for name in forged { #expect(try login(name, "wrong", host: 5).status == 400) }
        let paths = [
            "/secure/%0A\(stamp)%20login-failed%20address=6.6.6.6", "/secure/\"address=6.6.6.6",
            "/secure/\",\"address\":\"6.6.6.6\",\"", "/secure/?x=\(stamp)%20refused%20address=6.6.6.6",
        ]
        var refused = 0
        for path in paths {
            for port in [site.nginxPort, site.lighttpdPort] {
                let status = try get(path, [("Authorization", "Token wrong")], host: 6, port: port)
                refused += status == 401 ? 1 : 0
                // lighttpd takes no control character in a path.
                #expect(status == 401 || status == 400 && port == site.lighttpdPort && path.contains("%0A"), "\(path)")
            }
        }
        let basic = "Basic " + Data("ann:wrong\n\(stamp) refused address=6.6.6.6".utf8).base64EncodedString()
        #expect(try get("/whoami/", [("Authorization", basic)], host: 7) == 401)
        #expect(try login("ann", "wrong", host: 8, path: "/api/token/").status == 401)
        let found = try matched()
        #expect(found.count { $0 == "127.0.0.5" } == forged.count)
        #expect(found.count { $0 == "127.0.0.6" } == refused)
        #expect(refused >= 7)
        #expect(found.count { $0 == "127.0.0.7" } == 1)
        #expect(found.count { $0 == "127.0.0.8" } == 1)
        #expect(Set(found) == ["127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8"])
        #expect(try lines().count { $0.contains("refused") && $0.contains("permission-denied") } == 1)
        let text = try lines().joined()
        for secret in [Site.password, site.tokens["ann"] ?? "", "wrong"] {
            #expect(!text.replacingOccurrences(of: "wrong-password", with: "").contains(secret))
        }
    }

    @Test("The jail is one that fail2ban understands")
    func jail() throws {
        // The files of Debian's package, and ours beside them.
        try Child.run("/bin/cp", ["-r", "/etc/fail2ban", site.folder + "/fail2ban"]).expectSuccess()
        for name in ["filter.d", "jail.d"] {
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(site.folder)/fail2ban/\(name)")
            if name == "jail.d" { for file in files { unlink("\(site.folder)/fail2ban/\(name)/\(file)") } }
            try Child.run(
                "/bin/cp",
                ["\(Site.sources)/fail2ban/\(name)/postern.conf", "\(site.folder)/fail2ban/\(name)/"]
            ).expectSuccess()
        }
        try Data().write(to: URL(fileURLWithPath: audit))
        try "[postern]\nlogpath = \(audit)\n".write(
            toFile: site.folder + "/fail2ban/jail.d/zz.conf",
            atomically: true,
            encoding: .utf8
        )
        let dump = try Child.run("/usr/bin/fail2ban-client", ["-c", site.folder + "/fail2ban", "-d"])
        try dump.expectSuccess()
        #expect(dump.output.contains("['add', 'postern'"))
        #expect(dump.output.contains("login-failed address="))
        #expect(dump.output.contains("['set', 'postern', 'maxretry', 20]"), "\(dump.output)")
    }

    @Test("What the audit log says of a login is written before the client has its answer")
    func beforeTheAnswer() throws {
        try start("text")
        for number in 1...5 {
            #expect(try login("ann", Site.password, host: 1).status == 200)
            #expect(try lines().count { $0.contains(" login address=127.0.0.1 who=ann ") } == number)
            #expect(try lines().count { $0.contains(" token-issued address=127.0.0.1 target=ann ") } == number)
        }
    }

    @Test("A command that changes the server's store is in its audit log, with who ran it and its end; no other one is")
    func commands() throws {
        try start("text")
        let environment = ["POSTERN_STORE": site.store, "POSTERN_SERVE_AUDIT_FILE": audit]
        func run(_ arguments: [String], _ environment: [String: String]) throws -> Int32 {
            try Child.run(Site.binary, arguments, input: Site.password + "\n", environment: environment).code
        }
        #expect(try run(["user", "add", "bob"], environment) == 0)
        #expect(try run(["token", "create", "bob", "--label", "a\nb \"c\""], environment) == 0)
        #expect(try run(["user", "list"], environment) == 0)
        #expect(try run(["user", "disable", "nobody"], environment) == 67)
        #expect(try run(["token", "revoke", "1", "99999"], environment) == 65)
        // The token is there, and nobody has it.
        let lost = "exec '\(Site.binary)' token create bob >/dev/full 2>/dev/null"
        #expect(try Child.run("/bin/sh", ["-c", lost], environment: environment).code == 74)
        let dump = site.folder + "/dump"
        try Child.run(Site.binary, ["export"], environment: environment).output.write(
            toFile: dump,
            atomically: true,
            encoding: .utf8
        )
        #expect(try run(["import", "export", "--dry-run", dump], environment) == 0)
        let other = site.folder + "/other"
        #expect(try run(["store", "init", other], environment) == 0)
        #expect(try run(["user", "add", "cid", "--store", other], environment) == 0)
        let login = try String(contentsOfFile: "/proc/self/loginuid", encoding: .utf8)
        let who = "login=\(login == "4294967295" ? "-" : login) who=- scheme=- view=- path=-"
        func line(_ arguments: String, _ status: Int) -> String {
            "command address=- arguments=\"\(arguments)\" status=\(status) uid=\(getuid()) \(who)"
        }
        let commands = try lines().filter { $0.contains(" command ") }.map { String($0.drop { $0 != " " }.dropFirst()) }
        #expect(
            commands == [
                line("user add bob", 0), line(#"token create bob --label 'a\x0ab \x22c\x22'"#, 0),
                line("user disable nobody", 67), line("token revoke 1 99999", 65), line("token create bob", 74),
            ]
        )
        // A log that cannot be opened lets nothing be done; the server's own user makes one that is not there.
        let nowhere = environment.merging(["POSTERN_SERVE_AUDIT_FILE": site.folder + "/none/audit.log"]) { $1 }
        #expect(try run(["user", "disable", "bob"], nowhere) == 73)
        #expect(try site.postern(["user", "show", "bob", "--json"]).output.contains(#""is_active":true"#))
    }

    @Test("A command that root runs makes the log for the owner of the store", .enabled(if: getuid() == 0))
    func ownerOfLog() throws {
        let log = site.folder + "/new.log"
        chown(site.folder, 65534, 65534)
        for path in try FileManager.default.subpathsOfDirectory(atPath: site.store) + [""] {
            chown(site.store + "/" + path, 65534, 65534)
        }
        let environment = ["POSTERN_STORE": site.store, "POSTERN_SERVE_AUDIT_FILE": log]
        try Child.run(Site.binary, ["user", "disable", "ann"], environment: environment).expectSuccess()
        let attributes = try FileManager.default.attributesOfItem(atPath: log)
        #expect(attributes[.ownerAccountID] as? Int == 65534)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let users = try FileManager.default.attributesOfItem(atPath: site.store + "/users")
        #expect(users[.ownerAccountID] as? Int == 65534)
    }

    @Test("A disk that is full holds nobody up, and what was cut off is not the beginning of the next line")
    func full() throws {
        try start("text")
        _ = try get("/secure/", [("Authorization", "Token wrong")], host: 2)
        let size = try #require(try FileManager.default.attributesOfItem(atPath: audit)[.size] as? Int)
        let pid = try #require(site.servers.first).pid
        func limit(_ bytes: String) throws {
            try Child.run("/usr/bin/prlimit", ["--pid", "\(pid)", "--fsize=\(bytes):unlimited"]).expectSuccess()
        }
        try limit("\(size + 40)")
        for _ in 0..<3 { #expect(try get("/secure/", [("Authorization", "Token wrong")], host: 2) == 401) }
        try limit("unlimited")
        #expect(try get("/secure/", [("Authorization", "Token wrong")], host: 2) == 401)
        let lines = try lines()
        #expect(lines.count == 3, "\(lines)")
        #expect(lines[1].utf8.count == 40)
        #expect(lines[2].contains("Z refused address=127.0.0.2 reason=bad-credential "))
        #expect(lines[2].hasSuffix(" path=/secure/"))
    }
}
