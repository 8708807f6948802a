import Foundation
import Journal
import TestSupport
import Testing

@testable import Postern

/// What Postern says in its tokens is believed in tokens that Postern made, whatever a project calls its own claims.
@Suite("Claims of Postern's own", .randomized)
struct OwnClaimsTests {
    private let site: InProcessSite
    private let project: JSONWebKey

    init() throws {
        site = try InProcessSite()
        project = try site.store.importKey(Array(String(repeating: "s", count: 40).utf8)).key
    }

    private var own: JSONWebKey {
        get throws { try #require(try site.store.keyRing().signer(at: site.store.now())).key }
    }

    private func token(
        _ kind: String,
        _ more: [(name: String, value: JSONValue)] = [],
        by key: JSONWebKey,
        namesKey: Bool = false,
        of name: String = "ann",
        age: Int64 = 5
    ) throws -> String {
        let now = Timestamp.now().seconds
        return try signed(
            [
                ("token_type", .string(kind)), ("exp", .integer(now + 600)), ("iat", .integer(now - age)),
                ("jti", .string(Base62.random(count: 16))), ("user_id", .string(String(try site.user(name).id))),
            ] + more,
            by: key,
            namesKey: namesKey
        )
    }

    private func refresh(_ token: String, _ location: [String: String] = [:]) -> InProcessSite.Answer {
        site.ask("jwt.refresh", location, body: #"{"refresh":"\#(token)"}"#)
    }

    private func claims(of token: String) throws -> JSONObject {
        let part = try #require(token.split(separator: ".").dropFirst().first)
        return try #require(Base64URL.decode(Array(part.utf8)[...]).flatMap(JSONObject.init))
    }

    /// Claims of a project that are called as ours are or were, of any value, in any order.
    private static func claims(_ generator: inout some RandomNumberGenerator) -> [(name: String, value: JSONValue)] {
        let names =
            PosternClaims.formerNames + [PosternClaims.epochName, PosternClaims.familyName, PosternClaims.loginName]
        let values: [JSONValue] = [
            .integer(.max), .integer(1_764_512_345_678), .integer(9_999_999_999), .integer(1), .integer(0),
            .integer(-1),
            .number(1.5), .string("smith"), .string(""), .string("9999999999"), .bool(true), .null,
            .array([.integer(1)]),
            .object([("a", .integer(1))]), .string(String(repeating: "x", count: 300)),
        ]
        return names.shuffled(using: &generator).prefix(Int.random(in: 1...names.count, using: &generator)).map {
            name in
            (name, values.randomElement(using: &generator) ?? .null)
        }
    }

    @Test("Nothing that a project claims makes its tokens outlive an epoch, before or after a refresh")
    func immunity() throws {
        let seed = Randomized.seed
        var generator = Seeded(seed: seed)
        let ann = try site.user("ann")
        var tokens: [(access: String, refresh: String, pair: InProcessSite.Answer, claims: String)] = []
        for _ in 0..<40 {
            let more = Self.claims(&generator)
            let text = String(decoding: JSONWriter.bytes(of: .object(more)), as: UTF8.self)
            let namesKey = Bool.random(using: &generator)
            let access = try token("access", more, by: project, namesKey: namesKey)
            let used = try token("refresh", more, by: project, namesKey: namesKey)
            let unused = try token("refresh", more, by: project, namesKey: namesKey)
            #expect(site.whoami(InProcessSite.bearer(access)) == "ann", "seed \(seed): \(text)")
            let pair = refresh(used)
            #expect(pair.status == 200, "seed \(seed): \(text)")
            #expect(site.whoami(InProcessSite.bearer(pair["access"])) == "ann", "seed \(seed): \(text)")
            tokens.append((access, unused, pair, text))
        }
        // Nothing that one of them ends ends another one.
        for token in tokens.prefix(5) {
            #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(token.refresh)"}"#).status == 200)
            #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(token.pair["refresh"])"}"#).status == 200)
            #expect(site.whoami(InProcessSite.bearer(token.pair["access"])) == "", "seed \(seed): \(token.claims)")
        }
        for token in tokens.dropFirst(5) {
            #expect(site.whoami(InProcessSite.bearer(token.access)) == "ann", "seed \(seed): \(token.claims)")
            #expect(site.whoami(InProcessSite.bearer(token.pair["access"])) == "ann", "seed \(seed): \(token.claims)")
        }
        try site.store.revokeAll(of: ann.id)
        for token in tokens {
            for text in [token.access, token.pair["access"]] {
                #expect(site.whoami(InProcessSite.bearer(text)) == "", "seed \(seed): \(token.claims)")
            }
            for text in [token.refresh, token.pair["refresh"]] {
                #expect(refresh(text).status == 401, "seed \(seed): \(token.claims)")
            }
        }
    }

    @Test("A project's own claims come through refreshes as they were, also those with names that were ours")
    func survival() throws {
        let more: [(name: String, value: JSONValue)] = [
            ("epoch", .integer(1_764_512_345_678)), ("family", .string("smith")), ("auth_time", .string("noon")),
            ("tenant", .string("acme")), ("roles", .array([.string("a"), .integer(1)])),
            ("iss", .string("https://project.example")), ("aud", .array([.string("web")])),
        ]
        var pair = refresh(try token("refresh", more, by: project))
        for _ in 0..<3 {
            for text in [pair["access"], pair["refresh"]] {
                let claims = try claims(of: text)
                for (name, value) in more {
                    let found = try #require(claims[name])
                    #expect(JSONWriter.bytes(of: found) == JSONWriter.bytes(of: value), "\(name)")
                }
            }
            #expect(site.whoami(InProcessSite.bearer(pair["access"])) == "ann")
            pair = refresh(pair["refresh"])
            #expect(pair.status == 200)
        }
    }

    @Test("Users of one name in a claim of the project's are not logged out together")
    func family() throws {
        let family: [(name: String, value: JSONValue)] = [("family", .string("smith"))]
        let ann = refresh(try token("refresh", family, by: project))
        let stella = refresh(try token("refresh", family, by: project, of: "stella"))
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(ann["refresh"])"}"#).status == 200)
        #expect(site.whoami(InProcessSite.bearer(ann["access"])) == "")
        #expect(site.whoami(InProcessSite.bearer(stella["access"])) == "stella")
        #expect(refresh(stella["refresh"]).status == 200)
    }

    @Test("A token of Postern's that lacks one of its claims, or has one of another kind, is none")
    func strict() throws {
        let good: [(name: String, value: JSONValue)] = [
            ("postern:epoch", .integer(try site.user("ann").epoch)), ("postern:family", .string("f")),
            ("postern:login", .integer(1_700_000_000)),
        ]
        let location = ["JWT_FAMILY_LIFETIME": "3650d"]
        #expect(
            refresh(try token("refresh", good, by: own, namesKey: true), location).status == 401,
            "not the first of its family"
        )
        #expect(
            site.whoami(InProcessSite.bearer(try token("access", Array(good.prefix(2)), by: own, namesKey: true)))
                == "ann"
        )
        let bad: [JSONValue] = [.null, .bool(true), .string("1"), .number(1.5), .array([]), .string("")]
        for position in 0..<2 {
            var left = Array(good.prefix(2))
            left.remove(at: position)
            var tokens = [left]
            for value in bad where !(position == 1 && value.text == "1") {
                var changed = Array(good.prefix(2))
                changed[position].value = value
                tokens.append(changed)
            }
            for claims in tokens {
                let text = try token("access", claims, by: own, namesKey: true)
                #expect(
                    site.ask("whoami", method: "GET", headers: InProcessSite.bearer(text)).status == 401,
                    "\(claims)"
                )
                #expect(site.ask("jwt.verify", body: #"{"token":"\#(text)"}"#).status == 401, "\(claims)")
            }
        }
        // Only refresh tokens say when the password was given, and all of them do.
        #expect(site.whoami(InProcessSite.bearer(try token("access", good, by: own, namesKey: true))) == "")
        #expect(
            refresh(try token("refresh", Array(good.prefix(2)), by: own, namesKey: true))["detail"]
                == "Token is invalid"
        )
    }

    @Test("Without a key id nobody says that Postern made a token: nothing of ours is believed in it")
    func withoutKeyID() throws {
        let claims: [(name: String, value: JSONValue)] = [
            ("postern:epoch", .integer(.max)), ("postern:family", .string("f")), ("epoch", .integer(.max)),
            ("family", .string("f")),
        ]
        let token = try token("access", claims, by: own)
        #expect(site.whoami(InProcessSite.bearer(token)) == "ann")
        try site.store.revokeAll(of: try site.user("ann").id)
        #expect(site.whoami(InProcessSite.bearer(token)) == "")
    }

    @Test("A public key that somebody put among the keys is another program's, whatever its tokens say")
    func publicKey() throws {
        let site = try InProcessSite(lookInterval: 0)
        let key = try #require(JSONWebKey.random(.es256, id: "theirs"))
        let times: [(name: String, value: JSONValue)] = [("iat", .integer(Timestamp.now().seconds))]
        let file = JSONWriter.bytes(of: .object(try #require(key.publicMembers) + times))
        try makePrivateFile(site.temporary.path + "/keys/theirs.jwk", file)
        let tokens = try [[PosternClaims.epochName, PosternClaims.familyName], ["epoch", "family"]].map { names in
            try token("access", [(names[0], .integer(.max)), (names[1], .string("f"))], by: key, namesKey: true)
        }
        for token in tokens { #expect(site.whoami(InProcessSite.bearer(token)) == "ann") }
        try site.store.revokeAll(of: site.user("ann").id)
        for token in tokens { #expect(site.whoami(InProcessSite.bearer(token)) == "") }
    }

    @Test("Tokens that former versions made go on, with their family, their end and their epoch")
    func former() throws {
        let ann = try site.user("ann")
        let now = Timestamp.now().seconds
        func pair(login: Int64, _ family: String) throws -> (access: String, refresh: String) {
            let common: [(name: String, value: JSONValue)] = [
                ("epoch", .integer(ann.epoch)), ("family", .string(family)), ("tenant", .string("acme")),
            ]
            let refresh: [(name: String, value: JSONValue)] = [
                ("token_type", .string("refresh")), ("exp", .integer(now + 600)), ("iat", .integer(now - 5)),
                ("jti", .string(family)), ("user_id", .string(String(ann.id))),
            ]
            return (
                try token("access", common, by: own, namesKey: true),
                try signed(refresh + common + [("auth_time", .integer(login))], by: own)
            )
        }
        let location = ["JWT_FAMILY_LIFETIME": "30d"]
        let first = try pair(login: now - 29 * 86_400, "first")
        #expect(site.whoami(InProcessSite.bearer(first.access)) == "ann")
        let next = refresh(first.refresh, location)
        #expect(next.status == 200)
        let claims = try claims(of: next["refresh"])
        #expect(claims.string("postern:family") == "first")
        #expect(claims.string("tenant") == "acme")
        #expect(PosternClaims.formerNames.allSatisfy { !claims.contains($0) })
        if case .integer(let login)? = claims["postern:login"] { #expect(login == now - 29 * 86_400) }
        let last = refresh(next["refresh"], location)
        #expect(last.status == 200)
        // The family is one, however its tokens say so.
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(last["refresh"])"}"#).status == 200)
        for text in [first.access, next["access"], last["access"]] {
            #expect(site.whoami(InProcessSite.bearer(text)) == "")
        }

        #expect(refresh(try pair(login: now - 31 * 86_400, "second").refresh, location).status == 401)
        let third = try pair(login: now, "third")
        try site.accounts.setPassword(of: ann, to: Array("another horse battery staple".utf8))
        #expect(
            site.ask("whoami", method: "GET", headers: InProcessSite.bearer(third.access))["code"] == "password_changed"
        )
        #expect(refresh(third.refresh).status == 401)
    }

    @Test("An imported key signs nothing, also where it is alone; an upgrade makes another one")
    func signing() throws {
        let id = try #require(try site.store.keyRing().signer(at: site.store.now())).id
        try site.store.retireKey(id, force: true)
        #expect(try site.store.keyRing().signer(at: site.store.now()) == nil)
        #expect(site.ask("jwt.obtain", body: InProcessSite.login("ann")).status == 503)
        #expect(site.whoami(InProcessSite.bearer(try token("access", by: project))) == "ann")
        let made = try Store.upgrade(at: site.temporary.path)
        try #require(made.count == 1)
        #expect(made[0].hasPrefix("keys/"))
        #expect(try Store.upgrade(at: site.temporary.path).isEmpty)
        #expect(site.whoami(InProcessSite.bearer(site.pair().access)) == "ann")
    }

    @Test("A refresh token of the project with an empty jti is its own alone")
    func emptyID() throws {
        let now = Timestamp.now().seconds
        func refreshToken(_ name: String) throws -> String {
            try signed(
                [
                    ("token_type", .string("refresh")), ("exp", .integer(now + 600)), ("iat", .integer(now - 5)),
                    ("jti", .string("")), ("user_id", .integer(try site.user(name).id)),
                ],
                by: project,
                namesKey: false
            )
        }
        let (ann, stella) = (try refreshToken("ann"), try refreshToken("stella"))
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(ann)"}"#).status == 200)
        #expect(refresh(ann)["detail"] == "Token is blacklisted")
        #expect(refresh(stella).status == 200)
        #expect(refresh(stella, ["JWT_GRACE": "0s"])["detail"] == "Token is blacklisted")
    }
}
