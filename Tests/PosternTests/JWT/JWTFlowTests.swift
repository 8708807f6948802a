import Foundation
import Journal
import Testing

@testable import Postern

@Suite("JSON Web Tokens from the login to their end")
struct JWTFlowTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private func refresh(
        _ token: String,
        _ location: [String: String] = [:],
        address: String = "127.0.0.1"
    ) -> InProcessSite.Answer {
        let more = address == "127.0.0.1" ? [] : [("HTTPS", "on")]
        return site.ask("jwt.refresh", location, body: #"{"refresh":"\#(token)"}"#, more: more, address: address)
    }

    private func content(of token: String) throws -> JSONObject {
        let part = try #require(token.split(separator: ".").dropFirst().first)
        return try #require(Base64URL.decode(Array(part.utf8)[...]).flatMap(JSONObject.init))
    }

    private func seconds(_ object: JSONObject, _ name: String) -> Int64 {
        if case .integer(let number)? = object[name] { number } else { 0 }
    }

    @Test("Tokens have simplejwt's claims and lifetimes, both settable")
    func claims() throws {
        let pair = site.pair()
        for (token, kind, lifetime) in [(pair.access, "access", 300), (pair.refresh, "refresh", 86_400)] {
            let claims = try content(of: token)
            #expect(claims.string("token_type") == kind)
            #expect(claims.string("user_id") == String(try site.user("ann").id))
            #expect(claims.string("jti")?.utf8.count == 32)
            let own = ["postern:epoch", "postern:family"] + (kind == "refresh" ? ["postern:login"] : [])
            let names = ["exp", "iat", "jti"] + own + ["token_type", "user_id"]
            #expect(claims.members.map(\.name).sorted() == names)
            #expect(seconds(claims, "exp") - seconds(claims, "iat") == Int64(lifetime))
        }
        let other = site.pair("ann", ["JWT_ACCESS_LIFETIME": "1h", "JWT_REFRESH_LIFETIME": "7d"])
        let (access, refresh) = (try content(of: other.access), try content(of: other.refresh))
        #expect(seconds(access, "exp") - seconds(access, "iat") == 3600)
        #expect(seconds(refresh, "exp") - seconds(refresh, "iat") == 604_800)
    }

    @Test("Answers have their members in simplejwt's order")
    func memberOrder() {
        let login = site.ask("jwt.obtain", body: InProcessSite.login("ann"))
        #expect(login.body == #"{"refresh":"\#(login["refresh"])","access":"\#(login["access"])"}"#)
        let next = refresh(login["refresh"])
        #expect(next.body == #"{"access":"\#(next["access"])","refresh":"\#(next["refresh"])"}"#)
    }

    @Test("A refresh uses a token up; using it again later, or from elsewhere, ends the family")
    func rotation() throws {
        let first = site.pair()
        let second = refresh(first.refresh)
        #expect(second.status == 200)
        #expect(second["refresh"] != first.refresh)
        #expect(site.whoami(InProcessSite.bearer(second["access"])) == "ann")
        // Another caller within the grace is a thief, or the victim of one.
        #expect(refresh(first.refresh, address: "192.0.2.1")["detail"] == "Token is blacklisted")
        #expect(refresh(second["refresh"])["detail"] == "Token is blacklisted")
        #expect(site.whoami(InProcessSite.bearer(second["access"])) == "")
        #expect(site.whoami(InProcessSite.bearer(first.access)) == "")

        let third = site.pair()
        let fourth = refresh(third.refresh)
        #expect(refresh(third.refresh, ["JWT_GRACE": "0s"])["detail"] == "Token is blacklisted")
        #expect(refresh(fourth["refresh"]).status == 401)
        // Another login is another family.
        #expect(refresh(site.pair().refresh).status == 200)
    }

    @Test("Within the grace, the same caller is given the same successor, and only of the last token")
    func grace() throws {
        let first = site.pair()
        let second = refresh(first.refresh)
        let again = refresh(first.refresh)
        #expect(again.status == 200)
        #expect(again["refresh"] == second["refresh"])
        #expect(site.whoami(InProcessSite.bearer(again["access"])) == "ann")
        let third = refresh(second["refresh"])
        #expect(third.status == 200)
        #expect(refresh(first.refresh).status == 401)
        #expect(refresh(third["refresh"]).status == 401)
    }

    @Test("No family lives longer after its login than the location lets it")
    func familyEnd() throws {
        let location = ["JWT_FAMILY_LIFETIME": "2h", "JWT_REFRESH_LIFETIME": "90m", "JWT_ACCESS_LIFETIME": "80m"]
        let pair = site.pair("ann", location)
        let started = seconds(try content(of: pair.refresh), "postern:login")
        let next = try content(of: refresh(pair.refresh, location)["refresh"])
        #expect(seconds(next, "postern:login") == started)
        #expect(seconds(next, "exp") <= started + 7200)
        let short = site.pair("ann", ["JWT_FAMILY_LIFETIME": "1h", "JWT_REFRESH_LIFETIME": "7d"])
        let claims = try content(of: short.refresh)
        #expect(seconds(claims, "exp") - seconds(claims, "iat") == 3600)
        let key = try #require(try site.store.keyRing().keys.first).key
        let now = Timestamp.now().seconds
        let user = try site.user("ann")
        for (age, status) in [(3500, 200), (3700, 401)] {
            let old: [(name: String, value: JSONValue)] = [
                ("token_type", .string("refresh")), ("exp", .integer(now + 600)), ("jti", .string("\(age)")),
                ("user_id", .integer(user.id)), ("postern:epoch", .integer(user.epoch)),
                ("postern:family", .string("\(age)")), ("postern:login", .integer(now - Int64(age))),
            ]
            let token = String(decoding: try #require(JSONWebSignature.compact(old, signedBy: key)), as: UTF8.self)
            #expect(refresh(token, ["JWT_FAMILY_LIFETIME": "1h"]).status == status)
        }
    }

    @Test("Without rotation a refresh token stays good, and gives an access token alone")
    func withoutRotation() throws {
        let location = ["JWT_ROTATE": "off"]
        let pair = site.pair("ann", location)
        for _ in 0..<3 {
            let answer = refresh(pair.refresh, location)
            #expect(answer.status == 200)
            #expect(answer["refresh"] == "")
            #expect(site.whoami(InProcessSite.bearer(answer["access"])) == "ann")
        }
        let used = site.pair()
        #expect(refresh(used.refresh).status == 200)
        #expect(refresh(used.refresh, location)["detail"] == "Token is blacklisted")
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(pair.refresh)"}"#).status == 200)
        #expect(refresh(pair.refresh, location)["detail"] == "Token is blacklisted")
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "")
    }

    @Test("Blacklisting ends the access tokens as well, and what was used up cannot be verified")
    func blacklist() throws {
        let pair = site.pair()
        #expect(site.ask("jwt.verify", body: #"{"token":"\#(pair.access)"}"#).status == 200)
        let next = refresh(pair.refresh)
        #expect(site.ask("jwt.verify", body: #"{"token":"\#(pair.refresh)"}"#).status == 400)
        #expect(site.ask("jwt.verify", body: #"{"token":"\#(next["refresh"])"}"#).status == 200)
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(next["refresh"])"}"#).body == "{}")
        for token in [pair.access, next["access"], next["refresh"], pair.refresh] {
            #expect(site.ask("jwt.verify", body: #"{"token":"\#(token)"}"#).status == 400)
        }
        #expect(site.whoami(InProcessSite.bearer(next["access"])) == "")
        // Whoever blacklists a token that was used up ends what came of it.
        let (third, fourth) = { ($0, refresh($0.refresh)) }(site.pair())
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(third.refresh)"}"#).status == 401)
        #expect(refresh(fourth["refresh"]).status == 401)
    }

    @Test("What is left of families is the same after the store was opened anew")
    func reopened() throws {
        let (used, dead) = (site.pair(), site.pair())
        let next = refresh(used.refresh)
        _ = site.ask("jwt.blacklist", body: #"{"refresh":"\#(dead.refresh)"}"#)
        let store = try site.temporary.reopened()
        let family = Array((try content(of: used.refresh).string("jti") ?? "").utf8)
        #expect(
            try store.refreshFamily(family)?.last?.successor.jti
                == Array((try content(of: next["refresh"]).string("jti") ?? "").utf8)
        )
        #expect(try store.isRevoked(Array((try content(of: dead.refresh).string("jti") ?? "").utf8)))
    }

    @Test("A new epoch ends tokens of every kind, and says so when it was the password")
    func epochs() throws {
        let user = try site.user("ann")
        var pair = site.pair()
        try site.store.revokeAll(of: user.id)
        #expect(
            site.ask("whoami", method: "GET", headers: InProcessSite.bearer(pair.access)).body.contains(
                "token_not_valid"
            )
        )
        #expect(refresh(pair.refresh)["detail"] == "Token is blacklisted")
        #expect(site.ask("jwt.verify", body: #"{"token":"\#(pair.access)"}"#).status == 401)

        pair = site.pair()
        try site.accounts.setPassword(of: user, to: Array("another horse battery staple".utf8))
        #expect(
            site.ask("whoami", method: "GET", headers: InProcessSite.bearer(pair.access))["code"] == "password_changed"
        )
        try site.store.setActive(user.id, false)
        #expect(
            site.ask("whoami", method: "GET", headers: InProcessSite.bearer(pair.access))["code"] == "user_inactive"
        )
        #expect(refresh(pair.refresh)["detail"] == "No active account found for the given token.")
        try site.store.deleteUser(user.id)
        #expect(
            site.ask("whoami", method: "GET", headers: InProcessSite.bearer(pair.access))["code"] == "user_not_found"
        )
        // Somebody else of the same name is somebody else.
        try site.addUser("ann")
        #expect(
            site.ask("whoami", method: "GET", headers: InProcessSite.bearer(pair.access))["code"] == "user_not_found"
        )
    }

    @Test("Tokens of simplejwt, without epoch and family, end with the epoch in which they were issued")
    func foreignClaims() throws {
        let key = try #require(try site.store.keyRing().keys.first).key
        let user = try site.user("ann")
        let now = Timestamp.now().seconds
        func token(_ kind: String, _ jti: String, issued: Int64) throws -> String {
            let claims: [(name: String, value: JSONValue)] = [
                ("token_type", .string(kind)), ("exp", .integer(now + 600)), ("iat", .integer(issued)),
                ("jti", .string(jti)), ("user_id", .integer(user.id)),
            ]
            return String(decoding: try #require(JSONWebSignature.compact(claims, signedBy: key)), as: UTF8.self)
        }
        let (access, old) = (try token("access", "a", issued: now - 60), try token("refresh", "b", issued: now - 60))
        #expect(site.whoami(InProcessSite.bearer(access)) == "ann")
        let next = refresh(old)
        #expect(next.status == 200)
        #expect(refresh(next["refresh"]).status == 200)
        #expect(refresh(old)["detail"] == "Token is blacklisted")
        try site.store.revokeAll(of: user.id)
        #expect(site.whoami(InProcessSite.bearer(access)) == "")
        #expect(refresh(try token("refresh", "c", issued: now - 60)).status == 401)
    }

    @Test("In cookies that no script can read, protected as a session is")
    func cookies() throws {
        let location = ["JWT_COOKIE": "access"]
        let login = site.ask("jwt.obtain", location, body: InProcessSite.login("ann"))
        #expect(login.status == 200)
        #expect(login.body == "{}")
        let fields = login.values("Set-Cookie")
        #expect(fields.count == 3)
        #expect(fields.filter { $0.contains("HttpOnly") }.count == 2)
        #expect(fields.contains { $0.hasPrefix("access_refresh=") && $0.contains("SameSite=Strict") })
        let jar = login.cookies
        let csrf = try #require(jar["csrftoken"])
        let cookie = "access=\(jar["access"]!); access_refresh=\(jar["access_refresh"]!)"
        #expect(site.whoami(["COOKIE": cookie], location) == "ann")
        #expect(site.whoami(["COOKIE": cookie]) == "")

        func post(_ view: String, _ headers: [String: String]) -> InProcessSite.Answer {
            site.ask(
                view,
                location.merging(view == "message" ? ["MESSAGE": "x", "METHODS": "POST"] : [:]) { $1 },
                headers: headers
            )
        }
        let good = ["COOKIE": cookie + "; csrftoken=" + csrf, "X_CSRFTOKEN": csrf]
        #expect(post("message", good).status == 200)
        for view in ["message", "jwt.refresh", "jwt.blacklist"] {
            #expect(post(view, ["COOKIE": cookie])["detail"] == "CSRF Failed: CSRF cookie not set.", "\(view)")
            // A secret that was planted is not the right one.
            let planted = String(repeating: "a", count: 32)
            #expect(post(view, ["COOKIE": cookie + "; csrftoken=" + planted, "X_CSRFTOKEN": planted]).status == 403)
            #expect(post(view, good.merging(["ORIGIN": "https://evil.example"]) { $1 }).status == 403)
        }
        let next = post("jwt.refresh", good)
        #expect(next.status == 200)
        #expect(next.body == "{}")
        #expect(next.cookies["access"] != jar["access"])
        #expect(next.cookies["csrftoken"] == csrf)
        let after =
            "access=\(next.cookies["access"]!); access_refresh=\(next.cookies["access_refresh"]!); csrftoken=\(csrf)"
        let out = post("jwt.blacklist", ["COOKIE": after, "X_CSRFTOKEN": csrf])
        #expect(out.status == 200)
        #expect(out.values("Set-Cookie").count == 2)
        #expect(out.values("Set-Cookie").allSatisfy { $0.contains("Max-Age=0") })
        #expect(site.whoami(["COOKIE": after], location) == "")
        // Nobody is logged in by another site's page.
        let forged = site.ask(
            "jwt.obtain",
            location,
            headers: ["SEC_FETCH_SITE": "cross-site"],
            body: InProcessSite.login("ann")
        )
        #expect(forged.status == 403)
        #expect(forged.values("Set-Cookie").isEmpty)
        // The header wins over the cookie.
        #expect(
            site.ask("whoami", location, method: "GET", headers: ["COOKIE": cookie, "AUTHORIZATION": "Bearer x"]).status
                == 401
        )
    }

    @Test("Keys come and go in a running server, and the newest whose time has come signs")
    func keys() throws {
        let first = site.pair()
        func kid(_ token: String) throws -> String {
            let header = try #require(Base64URL.decode(Array(token.prefix { $0 != "." }.utf8)[...]))
            return JSONObject(header)?.string("kid") ?? ""
        }
        let old = try kid(first.access)
        let other = try site.temporary.reopened()
        let later = try other.generateKey(.edDSA, delay: 3600)
        #expect(try kid(site.pair().access) == old)
        #expect(site.ask("jwt.jwks", method: "GET").body.contains(later.id))
        let new = try other.generateKey(.es256)
        let second = site.pair()
        #expect(try kid(second.access) == new.id)
        #expect(site.whoami(InProcessSite.bearer(first.access)) == "ann")
        #expect(site.whoami(InProcessSite.bearer(second.access)) == "ann")
        #expect(refresh(first.refresh).status == 200)
        #expect(throws: StoreError.self) { try other.retireKey(new.id) }
        try other.retireKey(old)
        #expect(site.whoami(InProcessSite.bearer(first.access)) == "")
        #expect(site.whoami(InProcessSite.bearer(second.access)) == "ann")
        try other.retireKey(new.id, force: true)
        #expect(site.whoami(InProcessSite.bearer(second.access)) == "")
        #expect(site.ask("jwt.obtain", body: InProcessSite.login("ann")).status == 503)
    }

    @Test("The JWK Set shows what the public may see, and nothing else")
    func publicKeys() throws {
        for algorithm in [JSONWebKey.Algorithm.edDSA, .es256] { try site.store.generateKey(algorithm) }
        let body = site.ask("jwt.jwks", method: "GET").body
        let set = try #require(JSONObject(Array(body.utf8)))
        guard case .array(let keys)? = set["keys"] else { throw JSONWebKeyError.none }
        #expect(keys.count == 2)
        for key in keys {
            guard case .object(let members) = key else { throw JSONWebKeyError.notAnObject }
            #expect(
                Set(members.map(\.name)).isDisjoint(with: ["d", "k", "p", "q", "dp", "dq", "qi", "oth", "iat", "nbf"])
            )
            #expect(try JSONWebKey(JSONObject(members)).canSign == false)
        }
    }

    @Test("A file in the folder of keys that is no key of ours stops everything, and says which it is")
    func badKeys() throws {
        let site = try InProcessSite(lookInterval: 0)
        let folder = site.temporary.path + "/keys/"
        let pair = site.pair()
        for text in ["", "{", "[]", #"{"kty":"oct","k":"AAAA","kid":"bad","iat":1}"#, #"{"kty":"oct"}"#] {
            try makePrivateFile(folder + "bad.jwk", Array(text.utf8))
            #expect(site.ask("whoami", method: "GET", headers: InProcessSite.bearer(pair.access)).status == 503)
            #expect { try site.store.keyRing() } throws: { "\($0)".contains("bad.jwk") }
            try FileManager.default.removeItem(atPath: folder + "bad.jwk")
        }
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "ann")
        try makePrivateFile(folder + "open.jwk", [])
        chmod(folder + "open.jwk", 0o644)
        #expect(site.ask("whoami", method: "GET", headers: InProcessSite.bearer(pair.access)).status == 503)
    }

    @Test("Tokens of another issuer, by its JWK Set, for the names that it gives")
    func foreignIssuer() throws {
        let path = site.temporary.path + "-foreign.json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let key = try #require(JSONWebKey.random(.es256, id: "theirs"))
        func publish(_ keys: [JSONWebKey]) throws {
            let set: JSONValue = .object([("keys", .array(keys.map { .object($0.publicMembers!) }))])
            try Data(JSONWriter.bytes(of: set)).write(to: URL(fileURLWithPath: path), options: .atomic)
        }
        try publish([key])
        let location = ["JWT_JWKS": "https://idp.example \(path)", "JWT_AUDIENCE": "api"]
        let now = Timestamp.now().seconds
        func token(_ key: JSONWebKey, _ changes: [String: JSONValue?] = [:]) throws -> String {
            var claims: [String: JSONValue] = [
                "iss": .string("https://idp.example"), "aud": .string("api"), "sub": .string("ann"),
                "exp": .integer(now + 60), "iat": .integer(now), "user_id": .integer(2),
            ]
            for (name, value) in changes { claims[name] = value }
            let text = JSONWebSignature.compact(claims.map { ($0.key, $0.value) }, signedBy: key)
            return String(decoding: try #require(text), as: UTF8.self)
        }
        #expect(site.whoami(InProcessSite.bearer(try token(key)), location) == "ann")
        #expect(site.whoami(InProcessSite.bearer(try token(key))) == "")
        #expect(site.whoami(InProcessSite.bearer(try token(key, ["sub": .string("stella")])), location) == "stella")
        #expect(
            site.whoami(
                InProcessSite.bearer(try token(key, ["name": .string("stella")])),
                location.merging(["JWT_USER_CLAIM": "name"]) { $1 }
            ) == "stella"
        )
        for changes: [String: JSONValue?] in [
            ["iss": .string("https://idp.example/")], ["iss": nil], ["aud": .string("other")], ["aud": nil],
            ["sub": nil], ["sub": .string("nobody")], ["sub": .integer(1)], ["exp": nil], ["exp": .integer(now - 1)],
            ["token_type": .string("refresh")], ["nbf": .integer(now + 99)],
        ] {
            #expect(site.whoami(InProcessSite.bearer(try token(key, changes)), location) == "", "\(changes)")
        }
        // Their refresh tokens are none of ours.
        let answer = site.ask(
            "jwt.refresh",
            location,
            body: #"{"refresh":"\#(try token(key, ["token_type": .string("refresh"), "jti": .string("x")]))"}"#
        )
        #expect(answer.status == 401)
        for rotate in ["on", "off"] {
            for changes: [String: JSONValue?] in [
                [:], ["jti": .string("x")], ["jti": .string(""), "token_type": .string("refresh")],
            ] {
                let body = #"{"refresh":"\#(try token(key, changes))"}"#
                for view in ["jwt.refresh", "jwt.blacklist"] {
                    let more = location.merging(["JWT_ROTATE": rotate]) { $1 }
                    #expect(site.ask(view, more, body: body)["detail"] == "Token has wrong type")
                }
            }
        }
        // They change their keys.
        let next = try #require(JSONWebKey.random(.edDSA, id: "next"))
        #expect(site.whoami(InProcessSite.bearer(try token(next)), location) == "")
        try publish([next])
        #expect(site.whoami(InProcessSite.bearer(try token(next)), location) == "ann")
        #expect(site.whoami(InProcessSite.bearer(try token(key)), location) == "")
        // Every credential from before is dead, theirs too.
        try site.store.revokeAll(of: try site.user("ann").id)
        #expect(site.whoami(InProcessSite.bearer(try token(next, ["iat": .integer(now - 5)])), location) == "")
        #expect(site.whoami(InProcessSite.bearer(try token(next, ["iat": nil])), location) == "")
        chmod(path, 0o666)
        #expect(
            site.ask("whoami", location, method: "GET", headers: InProcessSite.bearer(try token(next))).status == 503
        )
        chmod(path, 0o644)
        // A file that is cut short says nothing about them.
        try Data("{".utf8).write(to: URL(fileURLWithPath: path))
        #expect(site.whoami(InProcessSite.bearer(try token(next, ["sub": .string("stella")])), location) == "stella")
        // Without an audience every token of theirs for anybody would be good here.
        #expect(site.ask("whoami", ["JWT_JWKS": "https://idp.example \(path)"], method: "GET").status == 500)
    }
}
