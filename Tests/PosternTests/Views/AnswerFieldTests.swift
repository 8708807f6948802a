import Testing

@testable import Postern

/// Header fields that an answer has whatever the view: what browsers, caches and other sites may do with it.
@Suite("Fields of all answers")
struct AnswerFieldTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private static let newPassword =
        #"{"old_password":"\#(InProcessSite.password)","new_password":"another horse battery"}"#

    /// An answer of each view that hands out a credential, or says who somebody is.
    private func personal() throws -> [(view: String, answer: InProcessSite.Answer)] {
        let pair = site.pair()
        let bearer = InProcessSite.bearer(pair.access)
        let login = InProcessSite.login("ann")
        return [
            ("token.obtain", site.ask("token.obtain", body: login)),
            ("jwt.obtain", site.ask("jwt.obtain", body: login)),
            ("jwt.refresh", site.ask("jwt.refresh", body: #"{"refresh":"\#(pair.refresh)"}"#)),
            ("token.login", site.ask("token.login", ["AUTHENTICATION": "JWT"], headers: bearer)),
            ("tokens", site.ask("tokens", ["AUTHENTICATION": "JWT"], method: "GET", headers: bearer)),
            ("whoami", site.ask("whoami", ["AUTHENTICATION": "JWT"], method: "GET", headers: bearer)),
            ("session.login", site.ask("session.login", body: login)),
            ("users", site.ask("users", method: "GET", headers: try site.administrator("root"))),
            ("password", site.ask("password", ["AUTHENTICATION": "JWT"], headers: bearer, body: Self.newPassword)),
        ]
    }

    @Test("What hands out a credential, or says who somebody is, is kept by nobody")
    func noStore() throws {
        for (view, answer) in try personal() {
            #expect(answer.status < 300, "\(view): \(answer.status) \(answer.body)")
            #expect(answer.values("Cache-Control") == ["no-store"], "\(view)")
        }
    }

    @Test("What depends on a cookie says so to caches, and what does not, does not")
    func vary() {
        for (schemes, fields) in [
            ("Session", "Accept, Cookie"), ("Token", "Accept"), ("Session Token", "Accept, Cookie"),
        ] {
            let answer = site.ask("whoami", ["AUTHENTICATION": schemes], method: "GET")
            #expect(answer.values("Vary") == [fields], "\(answer)")
        }
    }

    @Test("No browser guesses a type, frames an answer, or lets another window have it")
    func browsers() throws {
        let answers = try personal().map(\.answer) + [site.ask("whoami", method: "GET"), site.ask("unknown")]
        for answer in answers {
            #expect(answer.values("X-Content-Type-Options") == ["nosniff"])
            #expect(answer.values("X-Frame-Options") == ["DENY"])
            #expect(answer.values("Referrer-Policy") == ["same-origin"])
            #expect(answer.values("Cross-Origin-Opener-Policy") == ["same-origin"])
        }
    }

    @Test(
        "No other site's page may read an answer, whatever its origin looks like",
        arguments: [
            "null", "https://evil.example", "https://example.org", "https://example.org.evil.example",
            "HTTPS://EXAMPLE.ORG",
            "https://example.org:8443", "*",
        ]
    )
    func otherOrigins(origin: String) {
        let preflight = ["ORIGIN": origin, "ACCESS_CONTROL_REQUEST_METHOD": "POST"]
        for answer in [
            site.ask(
                "whoami",
                ["PERMISSION": "AllowAny"],
                method: "GET",
                headers: ["ORIGIN": origin, "HOST": "example.org"]
            ),
            site.ask("whoami", ["PERMISSION": "AllowAny"], method: "OPTIONS", headers: preflight),
            site.ask("jwt.obtain", headers: ["ORIGIN": origin], body: InProcessSite.login("ann")),
        ] {
            #expect(!answer.fields.contains { $0.name.lowercased().hasPrefix("access-control-") })
        }
    }
}
