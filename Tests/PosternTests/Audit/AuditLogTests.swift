import Foundation
import Testing

@testable import Postern

@Suite("The audit log")
struct AuditLogTests {
    private let folder: TemporaryFolder
    private let output: LogOutput
    private let site: InProcessSite
    private let token: String

    init() throws {
        folder = try TemporaryFolder()
        output = try LogOutput(.file(folder.path + "/audit"))
        site = try InProcessSite(throttlesFailures: true, audit: AuditLog(to: output))
        token = try site.accounts.issueToken(for: site.user("ann")).1.text
        truncate(folder.path + "/audit", 0)
    }

    /// What is in it now, without the times.
    private func lines() throws -> [String] {
        try String(contentsOfFile: folder.path + "/audit", encoding: .utf8).components(separatedBy: "\n").dropLast()
            .map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    private var bearer: [String: String] { ["AUTHORIZATION": "Token " + token] }
    private let place = [("REQUEST_URI", "/x?secret=1")]

    @Test("Users and tokens: who did what to whom, from where")
    func changes() throws {
        let bob = try site.addUser("bob")
        try site.accounts.setPassword(of: bob, to: Array("a much longer phrase".utf8))
        let issued = site.ask("tokens", headers: bearer, body: "{}", more: place, address: "127.0.0.9")
        #expect(issued.status == 201)
        _ = site.ask("token.logout", ["AUTHENTICATION": "Token"], headers: bearer, more: place)
        _ = site.ask("token.obtain", body: InProcessSite.login("stella"), more: place)
        #expect(
            try lines() == [
                "user-created address=- target=bob id=3 who=- scheme=- view=- path=-",
                "user-changed address=- change=password target=bob id=3 who=- scheme=- view=- path=-",
                "token-issued address=127.0.0.9 target=ann id=1 token=2 who=ann scheme=Token view=tokens path=/x",
                "token-revoked address=127.0.0.1 target=ann id=1 token=1 who=ann scheme=Token view=token.logout path=/x",
                "logout address=127.0.0.1 target=ann id=1 who=ann scheme=Token view=token.logout path=/x",
                "token-issued address=127.0.0.1 target=stella id=2 token=3 who=- scheme=- view=token.obtain path=/x",
                "login address=127.0.0.1 who=stella scheme=- view=token.obtain path=/x",
            ]
        )
    }

    @Test("What an administrator gives and takes is in it by its name, and a new name with the old one")
    func administration() throws {
        let root = try site.administrator("root")
        _ = try site.store.setGroup(try GroupName("ops".utf8), permissions: [])
        let bob = try site.addUser("bob")
        func ask(_ body: String) {
            #expect(site.administer("PATCH", "/api/users/\(bob.id)/", body, root).status == 200)
        }
        ask(#"{"is_staff":true,"groups":["ops"],"user_permissions":["shop.sell","shop.buy"]}"#)
        ask(#"{"is_staff":false,"is_superuser":true,"user_permissions":["shop.sell"],"username":"rob"}"#)
        let start = "user-changed address=127.0.0.1"
        let end = "who=root scheme=Token view=users.detail path=/api/users/\(bob.id)/"
        let changes = try lines().filter { $0.hasPrefix("user-changed") }
        #expect(
            changes == [
                #"\#(start) change=granted target=bob id=\#(bob.id) given="group ops, is_staff, permission shop.buy, permission shop.sell" \#(end)"#,
                #"\#(start) change=renamed target=rob id=\#(bob.id) was=bob \#(end)"#,
                #"\#(start) change=granted target=rob id=\#(bob.id) given=is_superuser taken="is_staff, permission shop.buy" \#(end)"#,
            ]
        )
    }

    @Test("A logout says who it was, whichever way they were logged in")
    func logouts() throws {
        let session = site.ask("session.login", body: InProcessSite.login("ann"), more: place).values("Set-Cookie").map
        {
            String($0.prefix { $0 != ";" })
        }
        let secret = session.first { $0.hasPrefix("csrftoken=") }?.dropFirst("csrftoken=".count) ?? ""
        let headers = ["COOKIE": session.joined(separator: "; "), "X_CSRFTOKEN": String(secret)]
        #expect(site.ask("session.logout", headers: headers, body: "{}", more: place).status == 204)
        // Nobody is logged out twice.
        #expect(site.ask("session.logout", headers: headers, body: "{}", more: place).status == 204)
        let refresh = site.pair("stella").refresh
        _ = site.ask("jwt.blacklist", body: #"{"refresh":"\#(refresh)"}"#, more: place)
        #expect(
            try lines().filter { $0.hasPrefix("logout") } == [
                "logout address=127.0.0.1 target=ann id=1 who=- scheme=- view=session.logout path=/x",
                "logout address=127.0.0.1 target=stella id=2 who=- scheme=- view=jwt.blacklist path=/x",
            ]
        )
    }

    @Test("To log out everywhere is a change of the user")
    func logoutAll() throws {
        _ = site.ask("token.logoutall", ["AUTHENTICATION": "Token"], headers: bearer, more: place)
        #expect(
            try lines() == [
                "user-changed address=127.0.0.1 change=revoked target=ann id=1 who=ann scheme=Token view=token.logoutall path=/x"
            ]
        )
    }

    @Test("A failed login names a user who exists, and never what else was typed")
    func failedLogins() throws {
        for name in ["ann", "correct horse", "ann\\nlogin", "ann\\u0000"] {
            _ = site.ask("token.obtain", body: #"{"username":"\#(name)","password":"wrong"}"#, more: place)
        }
        let basic = ["AUTHORIZATION": "Basic " + Base64.encode(Array("a secret:wrong".utf8))]
        _ = site.ask("whoami", method: "GET", headers: basic, more: place)
        let known =
            "login-failed address=127.0.0.1 target=ann id=1 reason=wrong-password who=- scheme=- view=token.obtain path=/x"
        let unknown = known.replacingOccurrences(of: "=ann id=1", with: "=-")
        let lines = try lines()
        #expect(lines.prefix(3) == [known, unknown, unknown])
        #expect(lines.last == unknown.replacingOccurrences(of: "token.obtain", with: "whoami"))
        #expect(!lines.joined().contains("horse"))
        #expect(!lines.joined().contains("secret"))
    }

    @Test("Refused credentials and permissions are in it with the reason; who presents nothing is not")
    func refusals() throws {
        func ask(_ location: [String: String], _ headers: [String: String], _ method: String = "GET") {
            _ = site.ask("whoami", location, method: method, headers: headers, more: place)
        }
        ask([:], [:])
        ask([:], ["AUTHORIZATION": "Digest x"])
        ask(["PERMISSION": "IsAdminUser"], [:])
        ask(["AUTHENTICATION": "None", "PERMISSION": "DenyAll"], [:])
        ask([:], bearer, "POST")
        #expect(try lines() == [])
        ask([:], ["AUTHORIZATION": "Token wrong"])
        ask(["PERMISSION": "AllowAny", "BAD_CREDENTIAL": "ignore"], ["AUTHORIZATION": "Bearer x.y.z"])
        ask(["PERMISSION": "IsAdminUser"], bearer)
        ask(["REQUIRE_HTTPS": "on"], bearer)
        let limited = try site.accounts.issueToken(
            for: site.user("ann"),
            limits: TokenLimits(scopes: [], methods: ["POST"], paths: [], networks: [])
        ).1.text
        ask([:], ["AUTHORIZATION": "Token " + limited])
        let lines = try lines().filter { $0.hasPrefix("refused") }
        let start = "refused address=127.0.0.1 reason="
        #expect(
            lines == [
                start + "bad-credential who=- scheme=- view=whoami path=/x",
                start + "bad-credential who=- scheme=- view=whoami path=/x",
                start + "permission-denied who=ann scheme=Token view=whoami path=/x",
                start + "insecure-transport who=- scheme=- view=whoami path=/x",
                start + "outside-limits who=ann scheme=Token view=whoami path=/x",
            ]
        )
    }

    @Test("A refresh token that comes back is in it, with whose it was")
    func reuse() throws {
        func refresh(_ token: String) -> InProcessSite.Answer {
            site.ask("jwt.refresh", ["JWT_GRACE": "0s"], body: #"{"refresh":"\#(token)"}"#, more: place)
        }
        let first = site.pair("ann").refresh
        #expect(refresh(first).status == 200)
        #expect(refresh(first)["detail"] == "Token is blacklisted")
        // The family is dead, and its end no news.
        #expect(refresh(first)["detail"] == "Token is blacklisted")
        let told = try lines().filter { $0.hasPrefix("refresh-reused") }
        #expect(told == ["refresh-reused address=127.0.0.1 target=ann id=1 who=- scheme=- view=jwt.refresh path=/x"])
    }

    @Test("Whom a forged token names is not in it")
    func forged() throws {
        let parts = site.pair("stella").access.split(separator: ".").map(String.init)
        let mine = site.pair("ann").access.split(separator: ".").map(String.init)
        _ = site.ask(
            "whoami",
            method: "GET",
            headers: InProcessSite.bearer("\(parts[0]).\(parts[1]).\(mine[2])"),
            more: place
        )
        let refused = try lines().filter { $0.hasPrefix("refused") }
        #expect(refused == ["refused address=127.0.0.1 reason=bad-credential who=- scheme=- view=whoami path=/x"])
    }

    @Test("Of one address no more than thirty refusals a minute are written, and few of those that were throttled")
    func bounded() throws {
        let start = "refused address=192.0.2.1 reason="
        func ask(_ address: String, _ location: [String: String] = [:]) {
            let location = location.merging(["REQUIRE_HTTPS": "off"]) { $1 }
            _ = site.ask(
                "whoami",
                location,
                method: "GET",
                headers: ["AUTHORIZATION": "Token wrong"],
                more: place,
                address: address
            )
        }
        for _ in 0..<100 { ask("192.0.2.1") }
        var lines = try lines()
        #expect(lines.count { $0.hasPrefix(start + "bad-credential ") } == 30)
        #expect(lines.count { $0.hasPrefix(start + "too-many-failures ") } == 5)
        #expect(lines.count == 35)
        // Nor where nothing is throttled; others are written as before.
        for _ in 0..<100 { ask("192.0.2.2", ["FAILURE_THROTTLE": "off"]) }
        for _ in 0..<10 { ask("192.0.2.3") }
        lines = try self.lines()
        #expect(lines.count == 35 + 30 + 10)
        let metrics = try #require(site.application.metrics)
        #expect(metrics[.auditLinesLeftOut] == 65 + 70)
        #expect(metrics[.auditLines] >= 75)
        site.application.tellLeftOut()
        func told(_ address: String, _ reason: String, _ count: Int) -> String {
            "left-out address=\(address) reason=\(reason) count=\(count) who=- scheme=- view=- path=-"
        }
        #expect(
            try self.lines().dropFirst(75).sorted() == [
                told("192.0.2.1", "too-many-failures", 65), told("192.0.2.2", "bad-credential", 70),
            ]
        )
    }

    @Test("All addresses of a network of 48 bits get four times as many lines as one")
    func boundedSite() throws {
        for number in 0..<10 {
            for _ in 0..<30 {
                _ = site.ask(
                    "whoami",
                    ["REQUIRE_HTTPS": "off", "FAILURE_THROTTLE": "off"],
                    method: "GET",
                    headers: ["AUTHORIZATION": "Token wrong"],
                    address: "2001:db8:1:\(number)::1"
                )
            }
        }
        #expect(try lines().count == 120)
    }

    @Test(
        "Whatever a client sends stays in its field",
        arguments: [
            ("/a b", #"path="/a b""#),
            ("/a\nlogin-failed address=6.6.6.6", #"path="/a\x0alogin-failed address=6.6.6.6""#),
            ("/a\"b", #"path="/a\x22b""#), ("/a\\b", #"path="/a\x5cb""#),
            ("/é\u{2028}", #"path="/\xc3\xa9\xe2\x80\xa8""#),
            ("/a=b", #"path="/a=b""#), ("", #"path="""#),
        ]
    )
    func forgeries(target: String, field: String) throws {
        let wrong = ["AUTHORIZATION": "Token wrong"]
        _ = site.ask("whoami", method: "GET", headers: wrong, more: [("REQUEST_URI", target)])
        let all = try lines()
        #expect(all == ["refused address=127.0.0.1 reason=bad-credential who=- scheme=- view=whoami \(field)"])
    }

    @Test("A name with spaces and quotes stands in quotes, and one of other letters as it is")
    func names() throws {
        try site.addUser("émile \"x\" who=root")
        let target = #"target="émile \x22x\x22 who=root" id=3"#
        #expect(
            try lines() == ["user-created address=- \(target) who=- scheme=- view=- path=-"]
        )
    }

    @Test("As JSON it says the same, an object a line")
    func json() throws {
        output.format = .json
        _ = site.ask(
            "whoami",
            method: "GET",
            headers: ["AUTHORIZATION": "Token wrong"],
            more: [("REQUEST_URI", "/a\n\"b")]
        )
        let text = try String(contentsOfFile: folder.path + "/audit", encoding: .utf8)
        #expect(text.count { $0 == "\n" } == 1)
        let start = try #require(text.firstRange(of: #","event""#))
        #expect(
            text[start.lowerBound...]
                == #","event":"refused","address":"127.0.0.1","reason":"bad-credential","who":"-","scheme":"-","view":"whoami","path":"/a\\x0a\"b"}"#
                + "\n"
        )
    }
}
