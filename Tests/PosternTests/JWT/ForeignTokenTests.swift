import Foundation
import Journal
import Testing

@testable import Postern

/// What tokens of another issuer may do, and how a single one is ended.
@Suite("Tokens of other issuers")
struct ForeignTokenTests {
    private let site: InProcessSite
    private let issuer: Issuer

    init() throws {
        site = try InProcessSite()
        issuer = try Issuer(site)
    }

    private func whoami(_ token: String, _ issuer: Issuer? = nil) -> String {
        site.whoami(InProcessSite.bearer(token), (issuer ?? self.issuer).location())
    }

    private func revoke(_ token: String, _ issuer: Issuer? = nil) -> Int {
        site.ask(
            "oauth.revoke",
            (issuer ?? self.issuer).location(),
            headers: InProcessSite.bearer(token),
            body: "token=\(token)",
            type: "application/x-www-form-urlencoded"
        ).status
    }

    // MARK: Revocation

    private static let names: [String?] = [
        nil, "", "42", "a b", "\u{0}", "é\u{301}", String(repeating: "j", count: 3000),
    ]

    @Test("Ending one ends no other: of the user, of others, of another issuer, with and without jti", arguments: names)
    func revocation(jti: String?) throws {
        let other = try Issuer(site, "https://other.example")
        let slash = try Issuer(site, issuer.name + "/")
        let id = jti.map { JSONValue.string($0) }
        let victim = try issuer.token(["jti": id])
        var others: [(token: String, issuer: Issuer, name: String)] = []
        for next in Self.names where next != jti || next?.isEmpty ?? true {
            let id = next.map { JSONValue.string($0) }
            // Something else in it than in the victim.
            others.append((try issuer.token(["jti": id, "sub": .string("stella")]), issuer, "stella"))
            others.append((try issuer.token(["jti": id, "n": .integer(1)]), issuer, "ann"))
        }
        for next in [other, slash] {
            others.append((try next.token(["jti": id]), next, "ann"))
            others.append((try next.token(["jti": id, "sub": .string("stella")]), next, "stella"))
        }
        // The name of a name.
        let written = "foreign \(issuer.name) \(jti ?? "")"
        others.append((try issuer.token(["jti": .string(written)]), issuer, "ann"))
        #expect(whoami(victim) == "ann")
        #expect(revoke(victim) == 200)
        for _ in 0..<2 { #expect(whoami(victim) == "") }
        for other in others { #expect(whoami(other.token, other.issuer) == other.name, "\(jti ?? "none")") }
        // Also for those who open the store later, and when it was compacted.
        _ = try site.store.compact()
        let beside = try InProcessSite(beside: site)
        #expect(beside.whoami(InProcessSite.bearer(victim), issuer.location()) == "")
        for other in others {
            #expect(beside.whoami(InProcessSite.bearer(other.token), other.issuer.location()) == other.name)
        }
        // One that is dead already ends nothing either.
        #expect(revoke(victim) == 401)
    }

    @Test("A token without jti is the same token with another signature")
    func signatures() throws {
        let now = Timestamp.now().seconds
        let claims: [(name: String, value: JSONValue)] = [
            ("iss", .string(issuer.name)), ("aud", .string("api")), ("sub", .string("ann")),
            ("exp", .integer(now + 60)),
        ]
        // ECDSA signs the same text otherwise each time.
        let (first, second) = (try signed(claims, by: issuer.key), try signed(claims, by: issuer.key))
        #expect(first != second)
        #expect(whoami(second) == "ann")
        #expect(revoke(first) == 200)
        #expect(whoami(first) == "")
        #expect(whoami(second) == "")
    }

    @Test(
        "What a former version revoked by its jti stays revoked; without one it had ended everybody's, and does no more"
    )
    func former() throws {
        let end = Timestamp(seconds: Timestamp.now().seconds + 600)
        try site.store.revoke(Array("foreign 42".utf8), expires: end)
        try site.store.revoke(Array("foreign ".utf8), expires: end)
        #expect(whoami(try issuer.token(["jti": .string("42")])) == "")
        for jti in [nil, "", "43"] {
            #expect(whoami(try issuer.token(["jti": jti.map { .string($0) }])) == "ann")
        }
    }

    @Test(
        "A jti that is no text is none",
        arguments: [JSONValue.integer(1), .null, .bool(true), .array([.string("a")])]
    )
    func oddID(jti: JSONValue) throws {
        let token = try issuer.token(["jti": jti])
        #expect(
            site.ask("whoami", issuer.location(), method: "GET", headers: InProcessSite.bearer(token)).status == 401
        )
        #expect(revoke(token) == 401)
    }

    // MARK: Cookies

    @Test("The CSRF secret of a cookie with such a token follows from that token alone")
    func csrf() throws {
        let location = issuer.location(["JWT_COOKIE": "a", "METHODS": "POST", "MESSAGE": "x"])
        for jti: JSONValue? in [nil, .string(""), .string("42")] {
            let tokens = try (0..<3).map { try issuer.token(["jti": jti, "n": .integer(Int64($0))]) }
            var secrets: Set<String> = []
            for token in tokens {
                // A secret that cannot be one is replaced by the right one.
                let cookie = "a=\(token); csrftoken=bad"
                let refused = site.ask("message", location, headers: ["COOKIE": cookie])
                #expect(refused.status == 403)
                let secret = try #require(refused.cookies["csrftoken"])
                secrets.insert(secret)
                for other in tokens {
                    let headers = ["COOKIE": "a=\(other); csrftoken=\(secret)", "X_CSRFTOKEN": secret]
                    #expect(site.ask("message", location, headers: headers).status == (other == token ? 200 : 403))
                }
            }
            #expect(secrets.count == tokens.count)
        }
    }

    // MARK: Scopes

    private struct Scoped: CustomTestStringConvertible, Sendable {
        let claims: [String: String]
        /// Those of `read`, `write` and `admin` that it has; nil: it is not limited.
        let scopes: [String]?
        var setting: String?

        var testDescription: String { "\(claims) \(setting ?? "")" }
    }

    private static let scoped: [Scoped] = [
        Scoped(claims: [:], scopes: nil),
        Scoped(claims: ["scope": #""read""#], scopes: ["read"]), Scoped(claims: ["scp": #""read""#], scopes: ["read"]),
        Scoped(claims: ["scope": #"["read","write"]"#], scopes: ["read", "write"]),
        Scoped(claims: ["scp": #"["read","write"]"#], scopes: ["read", "write"]),
        Scoped(claims: ["scp": #""read write""#], scopes: ["read", "write"]),
        Scoped(claims: ["scope": #""read""#, "scp": #"["write"]"#], scopes: ["read", "write"]),
        Scoped(claims: ["scope": #""""#], scopes: []), Scoped(claims: ["scp": "[]"], scopes: []),
        Scoped(claims: ["scope": "null"], scopes: []), Scoped(claims: ["scp": "1"], scopes: []),
        Scoped(claims: ["scp": "{}"], scopes: []), Scoped(claims: ["scope": "true"], scopes: []),
        Scoped(claims: ["scope": #"[["read"],1,null,"write"]"#], scopes: ["write"]),
        Scoped(claims: ["scope": #"["read write"]"#], scopes: []),
        Scoped(claims: ["scp": #"" read  ""#], scopes: ["read"]),
        Scoped(claims: ["scope": #""READ reader""#], scopes: []),
        Scoped(claims: ["permissions": #"["read"]"#], scopes: nil),
        Scoped(claims: ["permissions": #"["read"]"#], scopes: ["read"], setting: "permissions"),
        Scoped(claims: ["permissions": "[]"], scopes: [], setting: "permissions"),
        Scoped(claims: [:], scopes: [], setting: "permissions"),
        Scoped(claims: ["scope": #""write""#], scopes: ["write"], setting: "permissions"),
        Scoped(
            claims: ["scope": #""write""#, "permissions": #""read""#],
            scopes: ["read", "write"],
            setting: "permissions"
        ),
        Scoped(claims: ["a": #""read""#, "b": #"["write"]"#], scopes: ["read", "write"], setting: "a b"),
        Scoped(claims: ["family": #""read""#], scopes: ["read"], setting: "family"),
        Scoped(claims: ["scp": #""read""#], scopes: ["read"], setting: "scp"),
    ]

    @Test("Scopes are those of scope, of scp and of what the location names, and limit as those do", arguments: scoped)
    private func scopes(scoped: Scoped) throws {
        var claims: [String: JSONValue?] = [:]
        for (name, text) in scoped.claims { claims[name] = try JSONReader.read(Array(text.utf8)) }
        let token = try issuer.token(claims)
        let location = issuer.location(scoped.setting.map { ["JWT_SCOPE_CLAIM": $0] } ?? [:])
        // Twice: it is remembered then.
        for _ in 0..<2 {
            #expect(site.whoami(InProcessSite.bearer(token), location) == "ann")
            for scope in ["read", "write", "admin"] {
                let asked = location.merging(["PERMISSION": "HasScope('\(scope)')"]) { $1 }
                let status = site.ask("whoami", asked, method: "GET", headers: InProcessSite.bearer(token)).status
                #expect(status == (scoped.scopes?.contains(scope) ?? false ? 200 : 403), "\(scope)")
            }
            // Where the location lets others hand out credentials at all, only limited ones do not.
            let allowed = location.merging(["JWT_CREDENTIALS": "allow"]) { $1 }
            let made = site.ask("tokens", allowed, headers: InProcessSite.bearer(token), body: #"{"label":"x"}"#).status
            #expect(made == (scoped.scopes == nil ? 201 : 403))
        }
        // Beside a location that reads scopes elsewhere.
        #expect(site.whoami(InProcessSite.bearer(token), issuer.location(["JWT_SCOPE_CLAIM": "other"])) == "ann")
        let said = site.ask(
            "oauth.introspect",
            location,
            headers: ["AUTHORIZATION": "Basic " + Base64.encode(Array("stella:\(InProcessSite.password)".utf8))],
            body: "token=\(token)",
            type: "application/x-www-form-urlencoded"
        ).body
        let object = try #require(JSONObject(Array(said.utf8)))
        #expect(object.contains("scope") == (scoped.scopes != nil))
    }

    // MARK: Credentials

    @Test("No view that hands out or ends credentials takes them, unless the location says so")
    func handingOut() throws {
        try site.store.grant(site.user("ann").id, staff: true, superuser: true)
        let token = try issuer.token()
        let id = try site.user("stella").id
        let views: [(String, String, String, Int)] = [
            ("tokens", "POST", #"{"label":"x"}"#, 201), ("tokens", "GET", "", 200), ("tokens.detail", "GET", "", 404),
            ("token.login", "POST", "{}", 200), ("users", "GET", "", 200), ("users.detail", "GET", "", 200),
            ("users.set-password", "POST", #"{"password":"another horse battery staple"}"#, 200),
            ("groups", "GET", "", 200),
            ("users.revoke-all", "POST", "", 204), ("password", "POST", "{}", 400),
            ("token.logoutall", "POST", "", 204),
        ]
        for (view, method, body, status) in views {
            let last = view == "users.set-password" ? "set-password/" : view == "users.revoke-all" ? "revoke-all/" : ""
            let more = [("DOCUMENT_URI", view == "tokens.detail" ? "/api/tokens/999/" : "/api/users/\(id)/\(last)")]
            func answer(_ setting: [String: String]) -> Int {
                let location = issuer.location(["AUTHENTICATION": "JWT"].merging(setting) { $1 })
                return site.ask(
                    view,
                    location,
                    method: method,
                    headers: InProcessSite.bearer(token),
                    body: body,
                    more: more
                )
                .status
            }
            for setting in [[:], ["JWT_CREDENTIALS": "refuse"]] { #expect(answer(setting) == 403, "\(view)") }
            #expect(answer(["JWT_CREDENTIALS": "allow"]) == status, "\(view)")
        }
        #expect(site.ask("whoami", issuer.location(["JWT_CREDENTIALS": "on"]), method: "GET").status == 500)
    }

    @Test(
        "Their refresh tokens open nothing and are not said to be good, whatever they call them",
        arguments: [
            ("token_type", "refresh"), ("token_type", "identity"), ("token_type", "Bearer"), ("typ", "Refresh"),
            ("typ", "Offline"), ("token_use", "refresh"),
        ]
    )
    func kinds(claim: String, value: String) throws {
        let token = try issuer.token([claim: .string(value)])
        #expect(whoami(token) == "")
        for (view, name) in [("jwt.verify", "token"), ("jwt.refresh", "refresh"), ("jwt.blacklist", "refresh")] {
            let answer = site.ask(view, issuer.location(), body: #"{"\#(name)":"\#(token)"}"#)
            #expect(answer.status == 401, "\(view)")
            #expect(answer["code"] == "token_not_valid", "\(view)")
        }
        #expect(whoami(try issuer.token(["typ": .string("Bearer"), "token_use": .string("access")])) == "ann")
    }

    @Test("What Postern says in its own tokens is nothing in theirs")
    func ourClaims() throws {
        let claims: [String: JSONValue?] = [
            "postern:epoch": .integer(.max), "postern:family": .string("f"), "epoch": .integer(.max),
            "family": .string("f"),
            "user_id": .integer(try site.user("stella").id),
        ]
        let token = try issuer.token(claims)
        #expect(whoami(token) == "ann")
        try site.store.revoke(Array("f".utf8), expires: Timestamp(seconds: Timestamp.lastSecond))
        #expect(whoami(token) == "ann")
        try site.store.revokeAll(of: site.user("ann").id)
        #expect(whoami(token) == "")
    }
}
