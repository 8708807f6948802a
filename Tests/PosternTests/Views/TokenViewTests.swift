import Foundation
import Journal
import Synchronization
import Testing

@testable import Postern

@Suite("knox's endpoints, and one's own tokens")
struct TokenViewTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private let basic = ["AUTHORIZATION": "Basic " + Data("ann:\(InProcessSite.password)".utf8).base64EncodedString()]

    private func logIn(_ location: [String: String] = [:]) -> InProcessSite.Answer {
        site.ask("token.login", location, headers: basic)
    }

    private func header(_ token: String) -> [String: String] { ["AUTHORIZATION": "Token " + token] }

    @Test("A password that is too long is a wrong one, after the same work", arguments: [15, 1025, 16_000])
    func longPassword(length: Int) throws {
        guard let metrics = site.store.metrics.value else { throw StoreError.conflict }
        let before = metrics[.passwordsHashed]
        let password = String(repeating: "x", count: length)
        let answer = site.ask("token.obtain", body: #"{"username":"ann","password":"\#(password)"}"#)
        #expect(answer.status == 400)
        #expect(answer.body == #"{"non_field_errors":["Unable to log in with provided credentials."]}"#)
        #expect(metrics[.passwordsHashed] == before + 1)
    }

    @Test("A login says when the token ends: after ten hours, or as the location has it")
    func lifetimes() throws {
        func hours(_ answer: InProcessSite.Answer) throws -> Int64 {
            let time = try #require(Timestamp(rfc3339: Array(answer["expiry"].utf8)[...]))
            return (time.seconds - Timestamp.now().seconds + 1800) / 3600
        }
        #expect(try hours(logIn()) == 10)
        #expect(try hours(logIn(["TOKEN_LIFETIME": "48h"])) == 48)
        #expect(logIn(["TOKEN_LIFETIME": "never"]).body.hasPrefix(#"{"expiry":null,"token":"pst_"#))
        #expect(site.whoami(header(logIn()["token"])) == "ann")
        for text in ["0s", "10", "-1h", "1w", "", "forever"] { #expect(logIn(["TOKEN_LIFETIME": text]).status == 500) }
    }

    @Test("Logging out ends the one token, logging out everywhere ends everything")
    func logout() throws {
        let (one, two, three) = (logIn()["token"], logIn()["token"], logIn()["token"])
        let pair = site.pair()
        #expect(site.ask("token.logout", headers: header(one)).status == 204)
        #expect(site.whoami(header(one)) == "")
        #expect(site.whoami(header(two)) == "ann")
        // Nobody recognised by anything but a token has one to end.
        #expect(site.ask("token.logout", headers: basic).status == 401)
        #expect(site.ask("token.logout", ["AUTHENTICATION": "Basic"], headers: basic).status == 403)
        #expect(site.ask("token.logoutall", headers: header(two)).status == 204)
        #expect(site.whoami(header(two)) == "")
        #expect(site.whoami(header(three)) == "")
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "")
        #expect(site.whoami(basic) == "ann")
    }

    @Test("A user has no more tokens than the location lets them; those that have ended do not count")
    func limit() throws {
        let user = try site.user("ann")
        _ = try site.accounts.issueToken(for: user, expires: Timestamp(seconds: 1))
        for _ in 0..<2 { #expect(logIn(["TOKEN_LIMIT": "2"]).status == 200) }
        let refused = logIn(["TOKEN_LIMIT": "2"])
        #expect(refused.status == 403)
        #expect(refused["error"] == "Maximum amount of tokens allowed per user exceeded.")
        // Each view counts its own.
        for _ in 0..<2 {
            #expect(site.ask("token.obtain", ["TOKEN_LIMIT": "2"], body: InProcessSite.login("ann")).status == 200)
        }
        #expect(site.ask("token.obtain", ["TOKEN_LIMIT": "2"], body: InProcessSite.login("ann")).status == 403)
        #expect(site.ask("token.obtain", ["TOKEN_LIMIT": "2"], body: InProcessSite.login("stella")).status == 200)
        try site.store.revokeAll(of: user.id)
        #expect(logIn(["TOKEN_LIMIT": "2"]).status == 200)
        for text in ["0", "-1", "x", "1.5"] { #expect(logIn(["TOKEN_LIMIT": text]).status == 500) }
    }

    @Test("Each use puts the end of a token off, where the location that gave it says so")
    func renewal() throws {
        let user = try site.user("ann")
        let soon = site.store.now().adding(seconds: 100)
        let (token, secret) = try site.accounts.issueToken(for: user, expires: soon, renewal: 3600)
        #expect(site.whoami(header(secret.text)) == "ann")
        let renewed = try #require(try site.store.token(secret.digest)?.expires)
        #expect(renewed.seconds - soon.seconds > 3000)
        // Not with every request, which would be a write each.
        #expect(site.whoami(header(secret.text)) == "ann")
        #expect(try site.store.token(secret.digest)?.expires == renewed)
        #expect(try site.temporary.reopened().token(secret.digest)?.expires == renewed)
        #expect(token.renewal == 3600)
        let fixed = try site.accounts.issueToken(for: user, expires: soon).1
        #expect(site.whoami(header(fixed.text)) == "ann")
        #expect(try site.store.token(fixed.digest)?.expires == soon)
        let login = logIn(["TOKEN_RENEWAL": "on", "TOKEN_LIFETIME": "2h"])["token"]
        #expect(try site.store.token(SecretDigest(of: Array(login.utf8)[...]))?.renewal == 7200)
    }

    @Test("A user sees, makes and revokes their own tokens, and nobody else's")
    func ownTokens() throws {
        let made = site.ask("tokens", headers: basic, body: #"{"label":"laptop"}"#)
        #expect(made.status == 201)
        #expect(made["label"] == "laptop")
        #expect(made["token"].hasPrefix("pst_"))
        let token = made["token"]
        let extra = #"{"label":"x","id":999,"user":2,"user_id":2,"username":"stella","is_staff":true,"digest":"00"}"#
        let named = try #require(site.ask("tokens", headers: basic, body: extra).body.firstMatch(of: /"id":(\d+)/)).1
        let owner = try site.store.allTokens().first { $0.id == Int64(named) }?.user
        #expect(try owner == site.user("ann").id)
        #expect(named != "999")
        let list = site.ask("tokens", method: "GET", headers: header(token))
        #expect(list.body.contains(#""label":"laptop""#))
        #expect(list.body.contains(#""current":true"#))
        #expect(!list.body.contains("pst_"))
        let others = try site.accounts.issueToken(for: try site.user("stella"), label: "stella's").0.id
        #expect(!site.ask("tokens", method: "GET", headers: header(token)).body.contains("stella"))

        func delete(_ id: String) -> InProcessSite.Answer {
            site.ask(
                "tokens.detail",
                method: "DELETE",
                headers: header(token),
                more: [("DOCUMENT_URI", "/api/tokens/\(id)/")]
            )
        }
        let (theirs, none) = (delete(String(others)), delete("999"))
        #expect(theirs.status == 404)
        #expect(none.status == 404)
        #expect(theirs.body == none.body)
        #expect(try site.store.allTokens().contains { $0.id == others })
        for id in ["", "x", "-1", "+1", "1x", "9223372036854775808", "1%30", "0x1"] {
            #expect(delete(id).status == 404, "\(id)")
        }
        let own = site.ask("tokens", headers: basic, body: #"{"label":"phone"}"#)
        let id = try #require(own.body.firstMatch(of: /"id":(\d+)/)).1
        #expect(
            site.ask(
                "tokens.detail",
                method: "GET",
                headers: header(token),
                more: [("SCRIPT_NAME", "/api/tokens/\(id)/")]
            )["label"] == "phone"
        )
        #expect(delete(String(id)).status == 204)
        #expect(delete(String(id)).status == 404)
        #expect(site.whoami(header(own["token"])) == "")
        #expect(site.ask("tokens", method: "GET").status == 401)
    }

    @Test("Nobody fills the store with tokens of their own")
    func ownLimit() throws {
        let user = try site.user("ann")
        for source in [nil, .login, .obtain, .own] as [Token.Source?] {
            #expect(site.ask("tokens", headers: basic, body: "{}").status == 201)
            let count = source == .own ? 96 : 100
            for _ in 0..<count { _ = try site.accounts.issueToken(for: user, source: source) }
        }
        let refused = site.ask("tokens", headers: basic, body: "{}")
        #expect(refused.status == 400)
        #expect(refused.body.contains("Maximum amount of tokens"))
        #expect(site.ask("tokens", ["TOKEN_LIMIT": "101"], headers: basic, body: "{}").status == 201)
    }

    @Test(
        "With a login more than a user may have tokens of, the one that was not used for the longest time ends with the same sync",
        arguments: [Token.Source.login, .obtain]
    )
    func oldestEnds(source: Token.Source) throws {
        let user = try site.user("ann")
        let others = try [nil, .own, source == .login ? .obtain : .login].map {
            try site.accounts.issueToken(for: user, source: $0).1
        }
        let soon = site.store.now().adding(seconds: 100)
        let used = try site.accounts.issueToken(for: user, expires: soon, renewal: 3600, source: source)
        let now = site.store.now()
        _ = try site.accounts.issueToken(for: user, expires: now.adding(seconds: -60), source: source)
        // Nobody will ask for this one again: it leaves with it.
        _ = try site.accounts.issueToken(for: user, expires: now.adding(seconds: -8 * 86_400), source: source)
        let secrets = try (0..<99).map { _ in try site.accounts.issueToken(for: user, source: source).1 }
        #expect(site.whoami(header(used.1.text)) == "ann")
        let revoked = Mutex<[Token.ID]>([])
        site.accounts.signals.connect { signal, _ in
            if case .tokenRevoked(let token) = signal { revoked.withLock { $0.append(token.id) } }
        }
        let syncs = Mutex(0)
        site.store.folder.whenSynced { _, _ in syncs.withLock { $0 += 1 } }
        let answer = source == .login ? logIn() : site.ask("token.obtain", body: InProcessSite.login("ann"))
        #expect(answer.status == 200)
        #expect(site.whoami(header(answer["token"])) == "ann")
        #expect(syncs.withLock { $0 } == 1)
        // The one that has ended by itself did not count, and is not of interest yet.
        #expect(revoked.withLock { $0 } == [used.0.id + 3])
        #expect(site.whoami(header(secrets[0].text)) == "")
        for secret in secrets.dropFirst() + others + [used.1] { #expect(site.whoami(header(secret.text)) == "ann") }
        let tokens = try site.temporary.reopened().tokens(of: user.id)
        #expect(tokens.count == 104)
        #expect(tokens.last?.source == source)
        #expect(tokens.last?.label == source.name)
    }

    @Test("What a client calls a token does not say where it came from")
    func label() throws {
        let user = try site.user("ann")
        for label in ["token.login", "token.obtain", "tokens\ttoken.login"] {
            #expect(
                site.ask("tokens", headers: basic, body: #"{"label":"\#(label)","source":"token.login"}"#).status < 500
            )
        }
        #expect(try site.store.tokens(of: user.id).allSatisfy { $0.source == .own })
        #expect(try site.temporary.reopened().tokens(of: user.id).allSatisfy { $0.source == .own })
    }

    @Test("A list is an array of at most a hundred, and Link leads to the other pages")
    func pages() throws {
        let user = try site.user("ann")
        let tokens = try (0..<250).map { _ in try site.accounts.issueToken(for: user).0 }
        _ = try site.accounts.issueToken(for: user, expires: Timestamp(seconds: 1))
        try site.store.revokeToken(tokens[20].id)
        let ids = tokens.map(\.id).filter { $0 != tokens[20].id }
        func page(_ query: String) -> (answer: InProcessSite.Answer, ids: [Token.ID]) {
            let answer = site.ask(
                "tokens",
                method: "GET",
                headers: basic.merging(["HOST": "api.example"]) { $1 },
                more: [("QUERY_STRING", query), ("DOCUMENT_URI", "/api/tokens/")]
            )
            return (answer, answer.body.matches(of: /"id":(\d+)/).compactMap { Int64($0.1) })
        }
        let first = page("")
        #expect(first.answer.body.hasPrefix("[{"))
        #expect(first.ids == Array(ids[..<100]))
        #expect(first.answer.values("Link") == [#"<http://api.example/api/tokens/?page=2>; rel="next""#])
        let last = page("page=3")
        #expect(last.ids == Array(ids[200...]))
        #expect(last.answer.values("Link") == [#"<http://api.example/api/tokens/?page=2>; rel="prev""#])
        let middle = page("page=4&page_size=60")
        #expect(middle.ids == Array(ids[180..<240]))
        #expect(
            middle.answer.values("Link") == [
                "<http://api.example/api/tokens/?page=5&page_size=60>; rel=\"next\", "
                    + "<http://api.example/api/tokens/?page=3&page_size=60>; rel=\"prev\""
            ]
        )
        #expect(page("page_size=100000").ids.count == 200)
        #expect(page("page=4").answer.status == 404)
        #expect(page("page=x").answer.status == 404)
        #expect(page("page_size=x").answer.status == 400)
        try site.store.revokeAll(of: user.id)
        #expect(page("").answer.body == "[]")
        #expect(page("").answer.values("Link") == [])
    }

    @Test("A client does not choose how long the limits of a token are, and with them an answer")
    func longLimits() throws {
        let paths = (0..<50).map { "\"/\(String(repeating: "x", count: 1000))\($0)\"" }.joined(separator: ",")
        let refused = site.ask("tokens", headers: basic, body: "{\"paths\":[\(paths)]}")
        #expect(refused.status == 400)
        #expect(refused.body.contains("at most 4096 bytes"))
    }

    @Test("A new token ends when it is told to, and no later than the location allows")
    func expiries() throws {
        func create(_ expiry: String, _ location: [String: String] = [:]) -> InProcessSite.Answer {
            site.ask("tokens", location, headers: basic, body: #"{"expiry":\#(expiry)}"#)
        }
        let soon = site.store.now().adding(seconds: 3600).rfc3339
        let late = site.store.now().adding(seconds: 400 * 86_400).rfc3339
        #expect(create("\"\(soon)\"")["expiry"] == soon)
        #expect(create("\"\(late)\"").status == 400)
        #expect(create("\"\(late)\"", ["TOKEN_LIFETIME": "never"]).status == 201)
        for text in [#""2020-01-01T00:00:00Z""#, #""tomorrow""#, "null", "1", "[]", "true", #""""#] {
            #expect(create(text).status == 400, "\(text)")
        }
        for body in [
            "[]", "1", "null", #"{"label":[]}"#, #"{"label":"\#(String(repeating: "a", count: 101))"}"#,
            #"{"label":null}"#, "{",
        ] {
            #expect(site.ask("tokens", headers: basic, body: body).status == 400, "\(body)")
        }
        #expect(site.ask("tokens", headers: basic, body: #"{"label":"\t\n\u001b[31m"}"#).status == 201)
        // The line of the journal is one line.
        #expect(try site.temporary.reopened().allTokens().last?.label == "\u{1B}[31m")
    }

    @Test("A renewed token ends so long after it was made, however often it is used")
    func renewalCeiling() throws {
        let settings = ["TOKEN_LIFETIME": "1h", "TOKEN_RENEWAL": "90m"]
        let secret = logIn(settings)["token"]
        let id = try #require(try site.store.token(presentedAs: Array(secret.utf8)[...])?.id)
        func token() throws -> Token { try #require(try site.temporary.reopened().token(id)) }
        #expect(try token().renewal == Token.Renewal(seconds: 3600, ceiling: 5400))
        for (minutes, end) in [(10, 70), (29, 89), (31, 90), (60, 90)] {
            let used = try token()
            let now = used.created.adding(seconds: Int64(minutes) * 60)
            #expect(used.renewal?.end(of: used, usedAt: now) == used.created.adding(seconds: Int64(end) * 60))
        }
        // A lifetime beyond it ends with it.
        let short = logIn(["TOKEN_LIFETIME": "2h", "TOKEN_RENEWAL": "30m"])["token"]
        let issued = try #require(try site.store.token(presentedAs: Array(short.utf8)[...]))
        let lifetime = (issued.expires?.microseconds ?? 0) - issued.created.microseconds
        #expect(lifetime <= 1_800_000_000)
        #expect(lifetime > 1_700_000_000)
        #expect(logIn(["TOKEN_RENEWAL": "yes"]).status == 500)
        for text in ["3600", "3600/5400"] {
            #expect(Array(text.utf8).withUnsafeBytes { Token.Renewal(column: $0)?.column } == Array(text.utf8))
        }
        for text in ["", "/", "x", "1/", "/1", "1/0", "1/2/3", "-1"] {
            #expect(Array(text.utf8).withUnsafeBytes { Token.Renewal(column: $0) } == nil, "\(text)")
        }
    }
}
