import Foundation
import Testing

@testable import Postern

@Suite("Logins and users by another spelling of a name")
struct SpelledLoginTests {
    private static func form(_ name: String, _ password: String = InProcessSite.password) -> String {
        let plain = CharacterSet.alphanumerics.intersection(CharacterSet(charactersIn: "\0"..."\u{7F}"))
        let fields = [("username", name), ("password", password), ("csrfmiddlewaretoken", secret)]
        return fields.map { "\($0)=\($1.addingPercentEncoding(withAllowedCharacters: plain) ?? "")" }
            .joined(separator: "&")
    }

    private static let secret = String(repeating: "a", count: 32)

    private func post(_ site: InProcessSite, _ body: String, from address: String = "192.0.2.1") -> InProcessSite.Answer
    {
        site.ask(
            "session.login",
            ["REQUIRE_HTTPS": "off"],
            headers: ["COOKIE": "csrftoken=" + Self.secret, "HOST": "a.example", "ACCEPT": "text/html"],
            body: body,
            type: "application/x-www-form-urlencoded",
            address: address
        )
    }

    @Test("The login form composes the typed name, and nothing else does")
    func logins() throws {
        let site = try InProcessSite()
        try site.addUser("émile")
        for name in ["émile", "e\u{301}mile", "ａｎｎ", " ann\u{3000}"] {
            #expect(post(site, Self.form(name)).status == 302, "\(name)")
        }
        #expect(post(site, Self.form("anm")).status == 200)
        for name in ["e\u{301}mile", "ａｎｎ"] {
            let body = InProcessSite.login(name)
            #expect(site.ask("session.login", headers: ["HOST": "a.example"], body: body).status == 400)
            #expect(site.ask("token.obtain", body: body).status == 400)
            #expect(site.ask("jwt.obtain", body: body).status == 401)
            let basic = Data("\(name):\(InProcessSite.password)".utf8).base64EncodedString()
            #expect(site.whoami(["AUTHORIZATION": "Basic " + basic], ["AUTHENTICATION": "Basic"]) == "")
        }
    }

    /// As Django's, which composes what was stored as it was.
    @Test("An imported name that is not composed is one that no form finds")
    func imported() throws {
        let site = try InProcessSite()
        let hash = try site.user("ann").passwordHash
        _ = try site.store.addUser(try Username("e\u{301}mile".utf8), passwordHash: hash)
        #expect(post(site, Self.form("e\u{301}mile")).status == 200)
        #expect(site.ask("token.obtain", body: InProcessSite.login("e\u{301}mile")).status == 200)
    }

    @Test("A name that is too long is not composed to one that somebody has")
    func long() throws {
        let site = try InProcessSite()
        let name = String(repeating: "é", count: 100)
        try site.addUser(name)
        #expect(post(site, Self.form(name)).status == 302)
        #expect(post(site, Self.form(String(repeating: "e\u{301}", count: 100))).status == 200)
    }

    @Test("Spellings count as one account, also of nobody's", arguments: [("ann", "ａｎｎ"), ("nobody", "ｎｏｂｏｄｙ")])
    func throttle(name: String, spelling: String) throws {
        let site = try InProcessSite(throttlesFailures: true)
        for number in 0..<5 {
            #expect(
                post(site, Self.form(number.isMultiple(of: 2) ? name : spelling, "wrong wrong wrong")).status == 200
            )
        }
        #expect(post(site, Self.form(name, "wrong wrong wrong")).status == 429)
        #expect(post(site, Self.form(spelling, "wrong wrong wrong")).status == 429)
    }

    @Test("The audit log has the name that was looked for")
    func audit() throws {
        let folder = try TemporaryFolder()
        let site = try InProcessSite(audit: AuditLog(to: try LogOutput(.file(folder.path + "/audit"))))
        #expect(post(site, Self.form("ａｎｎ", "wrong wrong wrong")).status == 200)
        let text = try String(contentsOfFile: folder.path + "/audit", encoding: .utf8)
        #expect(text.contains("login-failed address=192.0.2.1 target=ann id=1 reason=wrong-password"))
    }

    @Test("A user that is made over HTTP or by the library is called by the composed name, and not by a look-alike")
    func making() throws {
        let site = try InProcessSite()
        let root = try site.administrator("root")
        func create(_ name: String) -> InProcessSite.Answer {
            site.administer("POST", "/api/users/", #"{"username":"\#(name)"}"#, root)
        }
        let made = create("e\u{301}mile")
        #expect(made.status == 201)
        #expect(Array(made["username"].utf8) == Array("émile".utf8))
        #expect(create("émile").body == #"{"username":["A user with that username already exists."]}"#)
        #expect(create("ａｎｎ").status == 400)
        let refused = create("\u{430}nn")
        #expect(refused.status == 400)
        #expect(refused.body == #"{"username":["\#(UsernameError.mixedScripts("\u{430}"))"]}"#)
        #expect(throws: UsernameError.mixedScripts("\u{430}")) { try site.addUser("\u{430}nn") }
        #expect(Array(try site.addUser("o\u{308}zil").username.bytes) == Array("özil".utf8))
    }

    @Test("A rename is to such a name, and an old name that is sent again stays")
    func renaming() throws {
        let site = try InProcessSite()
        let root = try site.administrator("root")
        let old = try Username("\u{430}nn".utf8)
        let id = try site.store.addUser(old, passwordHash: nil).id
        func change(_ method: String, _ body: String) -> InProcessSite.Answer {
            site.administer(method, "/api/users/\(id)/", body, root)
        }
        #expect(change("PUT", #"{"username":"\#(old)","is_staff":true}"#).status == 200)
        #expect(try site.store.user(id)?.username == old)
        #expect(change("PATCH", #"{"username":"\#(old)x"}"#).status == 400)
        #expect(change("PATCH", #"{"username":"ｂｅａ"}"#)["username"] == "bea")
    }
}
