import Foundation
import Journal
import Testing

@testable import Postern

/// simplejwt's `USER_ID_CLAIM`, so that tokens of a project that sets it stay good, and its clients find the id.
@Suite("The claim that holds the user's id")
struct UserIDClaimTests {
    private let site: InProcessSite
    private let project: JSONWebKey
    private let location = ["JWT_USER_ID_CLAIM": "sub"]

    init() throws {
        site = try InProcessSite()
        project = try site.store.importKey(Array(String(repeating: "s", count: 40).utf8)).key
    }

    private func token(_ kind: String, _ more: [(name: String, value: JSONValue)]) throws -> String {
        let now = Timestamp.now().seconds
        let common: [(name: String, value: JSONValue)] = [
            ("token_type", .string(kind)), ("exp", .integer(now + 600)), ("iat", .integer(now - 5)),
            ("jti", .string(Base62.random(count: 16))),
        ]
        return try signed(common + more, by: project, namesKey: false)
    }

    private func id(_ name: String) throws -> JSONValue { .string(String(try site.user(name).id)) }

    private func content(of token: String) throws -> JSONObject {
        let part = try #require(token.split(separator: ".").dropFirst().first)
        return try #require(Base64URL.decode(Array(part.utf8)[...]).flatMap(JSONObject.init))
    }

    @Test("A project's tokens are good by it alone, before and after a refresh")
    func imported() throws {
        let access = try token("access", [("sub", try id("ann"))])
        // Whichever location saw it first.
        for _ in 0..<2 {
            #expect(site.whoami(InProcessSite.bearer(access), location) == "ann")
            let other = site.ask("whoami", method: "GET", headers: InProcessSite.bearer(access))
            #expect(other.status == 401)
            #expect(other["detail"] == "Token contained no recognizable user identification")
        }
        let both = try token("access", [("sub", try id("ann")), ("user_id", try id("stella"))])
        #expect(site.whoami(InProcessSite.bearer(both), location) == "ann")
        #expect(site.whoami(InProcessSite.bearer(both)) == "stella")
        #expect(site.whoami(InProcessSite.bearer(try token("access", [("user_id", try id("ann"))])), location) == "")

        let refresh = try token("refresh", [("sub", try id("ann"))])
        #expect(site.ask("jwt.refresh", body: #"{"refresh":"\#(refresh)"}"#).status == 401)
        let pair = site.ask("jwt.refresh", location, body: #"{"refresh":"\#(refresh)"}"#)
        for part in ["access", "refresh"] { #expect(try content(of: pair[part])["sub"]?.text == id("ann").text) }
        #expect(site.whoami(InProcessSite.bearer(pair["access"]), location) == "ann")
    }

    @Test("New tokens have it, and nothing beside it")
    func issued() throws {
        let pair = site.pair("ann", ["JWT_USER_ID_CLAIM": "uid"])
        let id = try id("ann").text
        for part in [pair.access, pair.refresh] {
            let claims = try content(of: part)
            #expect(claims.string("uid") == id)
            #expect(!claims.contains("user_id"))
        }
        #expect(site.whoami(InProcessSite.bearer(pair.access), ["JWT_USER_ID_CLAIM": "uid"]) == "ann")
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "")
    }

    @Test("An identity that the gate signed has the id in sub, and opens nothing")
    func identity() throws {
        try site.store.generateKey(.edDSA)
        let access = site.pair("ann", location).access
        let answer = site.ask(
            "gate",
            location.merging(["IDENTITY_AUDIENCE": "x"]) { $1 },
            method: "GET",
            headers: InProcessSite.bearer(access)
        )
        let identity = try #require(answer.values("X-Postern-Identity").first)
        #expect(try content(of: identity).string("sub") == id("ann").text)
        #expect(site.whoami(InProcessSite.bearer(identity), location) == "")
        #expect(site.ask("jwt.verify", location, body: #"{"token":"\#(identity)"}"#).status == 401)
    }

    @Test("It is of no effect on another issuer's tokens, whose users are names")
    func foreign() throws {
        let issuer = try Issuer(site)
        let location = issuer.location(["JWT_USER_ID_CLAIM": "sub"])
        #expect(site.whoami(InProcessSite.bearer(try issuer.token()), location) == "ann")
        #expect(site.whoami(InProcessSite.bearer(try issuer.token(["sub": try id("ann")])), location) == "")
    }

    @Test(
        "A claim that means something else, or is none, lets nobody in",
        arguments: ["jti", "exp", "token_type", "aud", "scope", "postern:family", "epoch", "", " ", "a b", "\u{E9}"]
    )
    func names(name: String) {
        let answer = site.ask(
            "whoami",
            ["PERMISSION": "AllowAny", "JWT_USER_ID_CLAIM": name],
            method: "GET"
        )
        #expect(answer.status == 500)
    }
}
