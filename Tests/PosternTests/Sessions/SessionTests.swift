import Foundation
import Journal
import Testing

@testable import Postern

@Suite("Sessions")
struct SessionTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private func logIn(_ name: String = "ann", _ location: [String: String] = [:], headers: [String: String] = [:])
        -> InProcessSite.Answer
    {
        site.ask("session.login", location, headers: headers, body: InProcessSite.login(name))
    }

    private func cookie(_ answer: InProcessSite.Answer) -> String {
        answer.cookies.map { "\($0)=\($1)" }.joined(separator: "; ")
    }

    private func whoami(_ answer: InProcessSite.Answer) -> String { site.whoami(["COOKIE": cookie(answer)]) }

    @Test("A login gives a new key, which the store does not hold, and ends the session from before")
    func newKey() throws {
        let first = logIn()
        let key = try #require(first.cookies["sessionid"])
        #expect(key.hasPrefix("pss_"))
        #expect(key.utf8.count == 47)
        #expect(whoami(first) == "ann")
        let stored = try site.temporary.contents(of: "sessions")
        #expect(!stored.isEmpty)
        #expect(!String(decoding: stored, as: UTF8.self).contains(key.dropFirst(4)))
        let second = logIn(headers: ["COOKIE": cookie(first)])
        #expect(second.cookies["sessionid"] != key)
        #expect(second.cookies["csrftoken"] != first.cookies["csrftoken"])
        #expect(whoami(first) == "")
        #expect(whoami(second) == "ann")
    }

    @Test(
        "A key that was planted is never adopted",
        arguments: ["sessionid", "a", "pss_" + String(repeating: "0", count: 43)]
    )
    func fixation(planted: String) throws {
        let answer = logIn(headers: ["COOKIE": "sessionid=" + planted])
        #expect(answer.cookies["sessionid"] != planted)
        #expect(site.whoami(["COOKIE": "sessionid=" + planted]) == "")
    }

    @Test("Ten thousand keys are ten thousand")
    func distinct() {
        #expect(Set((0..<10_000).map { _ in SessionKey.random().text }).count == 10_000)
    }

    @Test("A session is over at its end, used or not, and after its idle limit")
    func limits() throws {
        let start = Timestamp(seconds: 1_000_000)
        var session = Session(
            id: 1,
            digest: SessionKey.random().digest,
            user: 1,
            epoch: 1,
            started: start,
            expires: start.adding(seconds: 1000),
            idleLimit: 240,
            lastUsed: start
        )
        #expect(session.ends == start.adding(seconds: 240))
        #expect(!session.isUseNews(at: start.adding(seconds: 9)))
        #expect(session.isUseNews(at: start.adding(seconds: 10)))
        session.lastUsed = start.adding(seconds: 900)
        #expect(session.ends == start.adding(seconds: 1000))

        let user = try site.user("ann")
        for (lifetime, idle, isLive) in [(Int64(60), Int64(60), true), (0, 60, false), (60, 0, false)] {
            let key = SessionKey.random()
            _ = try site.store.startSession(key, for: user, lifetime: lifetime, idleLimit: idle)
            #expect(site.whoami(["COOKIE": "sessionid=" + key.text]) == (isLive ? "ann" : ""))
        }
    }

    @Test("A use is written down at times, and counts for every process")
    func uses() throws {
        var table = SessionTable()
        let key = SessionKey.random()
        let session = try site.store.startSession(key, for: try site.user("ann"), lifetime: 1000, idleLimit: 100)
        try table.apply(SessionTable.start(session))
        try site.store.useSession(session.id)
        // Nothing has passed, nothing is written.
        #expect(try site.store.session(key.digest)?.lastUsed == session.started)
        let later = session.started.adding(seconds: 50)
        try table.apply(Event(time: later, SessionTable.use(of: session.id).columns))
        #expect(table[session.id]?.ends == later.adding(seconds: 100))
    }

    @Test("Logging out ends it on the server, for whoever has the key, and in every process")
    func logout() throws {
        let login = logIn()
        let other = try site.temporary.reopened()
        let digest = SecretDigest(of: Array(login.cookies["sessionid"]!.utf8)[...])
        #expect(try other.session(digest) != nil)
        let headers = ["COOKIE": cookie(login)]
        // Neither by a GET, nor by a page that does not know the secret.
        #expect(site.ask("session.logout", method: "GET", headers: headers).status == 405)
        #expect(
            site.ask("session.logout", headers: headers.merging(["ACCEPT": "application/json"]) { $1 }, body: "{}")
                .status == 403
        )
        #expect(whoami(login) == "ann")
        let good = headers.merging(["X_CSRFTOKEN": login.cookies["csrftoken"]!]) { $1 }
        let out = site.ask("session.logout", headers: good, body: "{}")
        #expect(out.status == 204)
        #expect(out.values("Set-Cookie").first?.contains("Max-Age=0") ?? false)
        #expect(whoami(login) == "")
        #expect(try other.session(digest) == nil)
    }

    @Test(
        "Disabling, deleting, a new password and a new epoch end all sessions; the user's own change begins a new one"
    )
    func epochs() throws {
        let user = try site.user("ann")
        var login = logIn()
        try site.store.setActive(user.id, false)
        #expect(whoami(login) == "")
        try site.store.setActive(user.id, true)
        #expect(whoami(login) == "")
        login = logIn()
        try site.store.revokeAll(of: user.id)
        #expect(whoami(login) == "")
        login = logIn()
        let elsewhere = logIn()
        let headers = ["COOKIE": cookie(login), "X_CSRFTOKEN": login.cookies["csrftoken"]!]
        let body = #"{"old_password":"\#(InProcessSite.password)","new_password":"another horse battery staple"}"#
        let answer = site.ask("password", headers: headers, body: body)
        #expect(answer.status == 200)
        #expect(whoami(answer) == "ann")
        #expect(whoami(login) == "")
        #expect(whoami(elsewhere) == "")
        try site.store.deleteUser(user.id)
        #expect(whoami(answer) == "")
    }

    @Test("The cookie of a session that is over is taken away, one of another application is not")
    func removal() throws {
        let login = logIn()
        #expect(site.ask("whoami", method: "GET", headers: ["COOKIE": cookie(login)]).values("Set-Cookie").isEmpty)
        try site.store.revokeAll(of: try site.user("ann").id)
        let over = site.ask("whoami", method: "GET", headers: ["COOKIE": cookie(login)])
        #expect(over.values("Set-Cookie").count == 1)
        #expect(over.values("Set-Cookie").first?.hasPrefix("sessionid=\"\"; expires=Thu, 01 Jan 1970") ?? false)
        for key in ["q2w9e8r7t6y5u4i3o2p1a0s9d8f7g6h5", "x", ""] {
            let headers = ["COOKIE": "sessionid=" + key]
            #expect(site.ask("whoami", method: "GET", headers: headers).values("Set-Cookie").isEmpty)
            let out = site.ask("session.logout", headers: headers, body: "{}")
            #expect(out.status == 204)
            #expect(out.values("Set-Cookie").isEmpty)
        }
    }

    @Test("With one session more than a user may have, the oldest ends")
    func limit() throws {
        let user = try site.user("ann")
        let keys = try (0...Store.maximumSessions).map { _ in
            let key = SessionKey.random()
            _ = try site.store.startSession(key, for: user, lifetime: 60, idleLimit: 60)
            return key
        }
        let live = keys.filter { site.whoami(["COOKIE": "sessionid=" + $0.text]) == "ann" }
        #expect(live.map(\.text) == keys.dropFirst().map(\.text))
    }

    @Test("Sessions that are over do not stay in memory")
    func sweeping() throws {
        var table = SessionTable()
        let user = try site.user("ann")
        let start = Timestamp(seconds: 1_000_000)
        for id in 1...5000 {
            let session = Session(
                id: Int64(id),
                digest: SessionKey.random().digest,
                user: user.id,
                epoch: 1,
                started: start,
                expires: start.adding(seconds: -1),
                idleLimit: 1,
                lastUsed: start
            )
            // As the journal has it: the time of the event is when it was written.
            try table.apply(Event(time: start, SessionTable.start(session).columns))
        }
        #expect(table.all.count < 2048)
        #expect(table.nextID == 5001)
    }

    @Test(
        "Cookies have Django's attributes, are for TLS alone where they came over it, and are not given without a login"
    )
    func attributes() throws {
        let encrypted = site.ask(
            "session.login",
            body: InProcessSite.login("ann"),
            more: [("HTTPS", "on"), ("HTTP_ORIGIN", "https://a"), ("HTTP_HOST", "a")]
        )
        #expect(encrypted.values("Set-Cookie").count == 2)
        for field in encrypted.values("Set-Cookie") {
            #expect(field.contains("; Path=/; SameSite=Lax; Secure"))
            #expect(!field.contains("Domain"))
        }
        #expect(encrypted.values("Set-Cookie").filter { $0.contains("HttpOnly") }.count == 1)
        let host = logIn("ann", ["SESSION_COOKIE": "__Host-sessionid", "SESSION_LIFETIME": "1h"])
        #expect(Set(host.cookies.keys) == ["__Host-sessionid", "__Host-csrftoken"])
        #expect(host.values("Set-Cookie").contains { $0.contains("Max-Age=3600") })
        // The bare name is another cookie then.
        let key = host.cookies["__Host-sessionid"]!
        #expect(site.whoami(["COOKIE": "sessionid=" + key], ["SESSION_COOKIE": "__Host-sessionid"]) == "")
        #expect(site.whoami(["COOKIE": "__Host-sessionid=" + key], ["SESSION_COOKIE": "__Host-sessionid"]) == "ann")
        for view in ["whoami", "health", "session.login"] {
            #expect(site.ask(view, ["PERMISSION": "AllowAny"], method: "GET").cookies["sessionid"] == nil)
        }
    }

    @Test("A cookie that comes in clear from another machine is refused unseen, and so is a login")
    func clearText() throws {
        let login = logIn()
        let headers = ["COOKIE": cookie(login)]
        let access = site.ask("jwt.obtain", ["JWT_COOKIE": "access"], body: InProcessSite.login("ann")).cookies[
            "access"
        ]!
        for (view, headers, location) in [
            ("whoami", headers, [:]), ("whoami", ["COOKIE": "access=" + access], ["JWT_COOKIE": "access"]),
            ("session.login", [:], [:]), ("jwt.obtain", [:], [:]), ("jwt.refresh", [:], [:]),
            ("oauth.introspect", [:], [:]),
            ("password", [:], [:]), ("token.obtain", [:], [:]),
        ] {
            let method = view == "whoami" ? "GET" : "POST"
            let clear = site.ask(view, location, method: method, headers: headers, body: "{}", address: "192.0.2.1")
            #expect(clear.status == 403, "\(view)")
            #expect(clear.body.contains("over HTTPS only"), "\(view)")
            let claimed = ["HTTPS": "on", "X_FORWARDED_PROTO": "https"].merging(headers) { $1 }
            #expect(
                site.ask(view, location, method: method, headers: claimed, body: "{}", address: "192.0.2.1").status
                    == 403
            )
        }
        let encrypted = site.ask(
            "whoami",
            method: "GET",
            headers: headers,
            more: [("HTTPS", "on")],
            address: "192.0.2.1"
        )
        #expect(encrypted["username"] == "ann")
    }

    @Test("The name of a cookie is what stands there, byte for byte")
    func cookieNames() {
        let key = logIn().cookies["sessionid"]!
        #expect(site.whoami(["COOKIE": "a=b;sessionid=\(key) ; c"]) == "ann")
        #expect(site.whoami(["COOKIE": "sessionid=x; sessionid=\(key)"]) == "ann")
        // As Django reads it.
        #expect(site.whoami(["COOKIE": "sessionid=\"\(key)\""]) == "ann")
        for text in [
            "Sessionid=\(key)", "%73essionid=\(key)", "$Version=1, sessionid=\(key)", "\u{2000}sessionid=\(key)",
            "sessionid =\(key)x", "sessionid=\(key); sessionid=x", "sessionid=\"\(key)", "sessionid=\"\"\(key)\"\"",
            "xsessionid=\(key)",
            "sessionid\(key)",
            "sessionid=\(key.lowercased())", "sessionid=\(key)\u{0}",
        ] {
            #expect(site.whoami(["COOKIE": text]) == "", "\(text)")
        }
    }

    @Test("Cookies that come in several fields are all of them cookies")
    func manyCookies() {
        let key = logIn().cookies["sessionid"]!
        let answer = site.ask(
            "whoami",
            method: "GET",
            headers: ["COOKIE": String(repeating: "a=b; ", count: 198)],
            more: [("HTTP_COOKIE", "sessionid=" + key)]
        )
        #expect(answer["username"] == "ann")
    }
}
