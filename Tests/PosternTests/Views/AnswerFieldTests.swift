import Testing

@testable import Postern

/// Header fields that an answer has whatever the view: what browsers, caches and other sites may do with it.
@Suite("Fields of all answers")
struct AnswerFieldTests {
    private let gate: Gate

    init() throws { gate = try Gate() }

    private static let newPassword = #"{"old_password":"\#(Gate.password)","new_password":"another horse battery"}"#

    /// An answer of each view that hands out a credential, or says who somebody is.
    private func personal() throws -> [(view: String, answer: Gate.Answer)] {
        let pair = gate.pair()
        let bearer = Gate.bearer(pair.access)
        let login = Gate.login("ann")
        return [
            ("token.obtain", gate.ask("token.obtain", body: login)),
            ("jwt.obtain", gate.ask("jwt.obtain", body: login)),
            ("jwt.refresh", gate.ask("jwt.refresh", body: #"{"refresh":"\#(pair.refresh)"}"#)),
            ("token.login", gate.ask("token.login", ["AUTHENTICATION": "JWT"], headers: bearer)),
            ("tokens", gate.ask("tokens", ["AUTHENTICATION": "JWT"], method: "GET", headers: bearer)),
            ("whoami", gate.ask("whoami", ["AUTHENTICATION": "JWT"], method: "GET", headers: bearer)),
            ("session.login", gate.ask("session.login", body: login)),
            ("users", gate.ask("users", method: "GET", headers: try gate.administrator("root"))),
            ("password", gate.ask("password", ["AUTHENTICATION": "JWT"], headers: bearer, body: Self.newPassword)),
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
            let answer = gate.ask("whoami", ["AUTHENTICATION": schemes], method: "GET")
            #expect(answer.values("Vary") == [fields], "\(answer)")
        }
    }

    @Test("No browser guesses a type, frames an answer, or lets another window have it")
    func browsers() throws {
        let answers = try personal().map(\.answer) + [gate.ask("whoami", method: "GET"), gate.ask("unknown")]
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
            gate.ask(
                "whoami",
                ["PERMISSION": "AllowAny"],
                method: "GET",
                headers: ["ORIGIN": origin, "HOST": "example.org"]
            ),
            gate.ask("whoami", ["PERMISSION": "AllowAny"], method: "OPTIONS", headers: preflight),
            gate.ask("jwt.obtain", headers: ["ORIGIN": origin], body: Gate.login("ann")),
        ] {
            #expect(!answer.fields.contains { $0.name.lowercased().hasPrefix("access-control-") })
        }
    }
}
