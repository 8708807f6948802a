import Foundation
import Journal
import Testing

@testable import Postern

/// A token whose signature was verified before is not verified again, and everything else about it is.
@Suite("JSON Web Tokens that were seen before")
struct SeenTokenTests {
    private let site: InProcessSite
    private var seen: SeenTokens { site.store.keys.seen }

    init() throws {
        site = try InProcessSite()
        try settleKeys()
    }

    /// A folder of keys that has just changed is read anew with each request, and nothing verified by it counts.
    private func settleKeys() throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while try site.store.keyRing().set !== site.store.keyRing().set, ContinuousClock.now < deadline { usleep(1000) }
        try #require(try site.store.keyRing().set === site.store.keyRing().set)
    }

    private func status(_ token: String, _ location: [String: String] = [:]) -> Int {
        site.ask("whoami", location, method: "GET", headers: InProcessSite.bearer(token)).status
    }

    /// An access token that is good twice, so that it has been seen.
    private func seenToken(_ location: [String: String] = [:]) -> String {
        let token = site.pair("ann", location).access
        #expect(status(token, location) == 200)
        #expect(status(token, location) == 200)
        return token
    }

    private func token(_ claims: [(name: String, value: JSONValue)]) throws -> String {
        let key = try #require(try site.store.keyRing().signer(at: .now())).key
        return String(decoding: try #require(JSONWebSignature.compact(claims, signedBy: key)), as: UTF8.self)
    }

    private func isKnown(_ token: String) throws -> Bool {
        let digest = try #require(seen.digest(of: Array(token.utf8)[...], nil))
        return seen[digest]?.ring === (try site.store.keyRing().set)
    }

    @Test("It is remembered when its signature was right, and only then")
    func remembered() throws {
        let token = site.pair().access
        #expect(try !isKnown(token))
        #expect(status(token) == 200)
        #expect(try isKnown(token))
        let before = seen.count
        for bad in [token + "A", String(token.dropLast()), token + ".", "x" + token, "a.b.c"] {
            #expect(status(bad) == 401)
            #expect(try !isKnown(bad))
        }
        #expect(seen.count == before)
        #expect(status(token) == 200)
    }

    @Test("Others are refused that have all but the last byte in common with it")
    func prefixes() throws {
        let token = seenToken()
        let last = try #require(token.utf8.last)
        for byte in "AEIMQUYcgkosw048ABz_-".utf8 where byte != last {
            #expect(status(String(token.dropLast()) + String(Unicode.Scalar(byte))) == 401)
        }
        let other = site.pair("stella").access
        #expect(site.whoami(InProcessSite.bearer(other)) == "stella")
        // Somebody else's claims under this signature, and the other way round.
        let parts = (token.split(separator: "."), other.split(separator: "."))
        #expect(status("\(parts.1[0]).\(parts.1[1]).\(parts.0[2])") == 401)
        #expect(status("\(parts.0[0]).\(parts.0[1]).\(parts.1[2])") == 401)
        #expect(site.whoami(InProcessSite.bearer(token)) == "ann")
    }

    @Test("The header that was read before is that of the same bytes, and no other")
    func headers() throws {
        let first = try #require(seenToken().split(separator: ".").first)
        #expect(try site.store.keyRing().set.knownHeader.value != nil)
        let key = try #require(try site.store.keyRing().signer(at: .now())).key
        let claims = Base64URL.encode(
            Array(#"{"token_type":"access","exp":\#(Timestamp.now().seconds + 60),"jti":"1","user_id":"1"}"#.utf8)
        )
        func token(_ header: String) throws -> String {
            let text = Base64URL.encode(Array(header.utf8)) + Array(".".utf8) + claims
            return String(
                decoding: text + Array(".".utf8) + Base64URL.encode(try #require(key.sign(text))),
                as: UTF8.self
            )
        }
        let header = String(decoding: try #require(Base64URL.decode(Array(first.utf8)[...])), as: UTF8.self)
        #expect(status(try token(header)) == 200)
        for (from, to) in [
            ("HS256", "none"), ("HS256", "HS512"), (#""kid":""#, #""kid":"x"#), (#""JWT""#, #""JWE""#),
            (#"{"#, #"{"crit":[],"#), (#"}"#, "]"),
        ] {
            let other = header.replacingOccurrences(of: from, with: to)
            #expect(other != header)
            #expect(status(try token(other)) == 401, "\(other)")
        }
        #expect(status(try token(header)) == 200)
    }

    @Test("It is refused at its end")
    func expiry() throws {
        let end = Timestamp.now().seconds + 2
        let token = try token([
            ("token_type", .string("access")), ("exp", .integer(end)), ("jti", .string("1")), ("user_id", .string("1")),
        ])
        #expect(status(token) == 200)
        #expect(try isKnown(token))
        while Timestamp.now().seconds < end { usleep(10_000) }
        #expect(status(token) == 401)
        #expect(status(token, ["JWT_LEEWAY": "60s"]) == 200)
        #expect(status(token) == 401)
    }

    @Test("It is refused when its family was revoked")
    func revocation() throws {
        let pair = site.pair()
        #expect(status(pair.access) == 200)
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(pair.refresh)"}"#).status == 200)
        #expect(status(pair.access) == 401)
        // simplejwt's status here.
        #expect(site.ask("jwt.verify", body: #"{"token":"\#(pair.access)"}"#).status == 400)
    }

    @Test("It is refused when its user is disabled, also when they are enabled again, and when they are gone")
    func user() throws {
        let id = try site.user("ann").id
        let token = seenToken()
        try site.store.setActive(id, false)
        #expect(status(token) == 401)
        try site.store.setActive(id, true)
        #expect(status(token) == 401)
        let next = seenToken()
        try site.store.deleteUser(id)
        #expect(status(next) == 401)
    }

    @Test("It is refused when its user's epoch has ended, by whichever process")
    func epoch() throws {
        let id = try site.user("ann").id
        let token = seenToken()
        try site.temporary.reopened().revokeAll(of: id)
        #expect(status(token) == 401)
        let next = seenToken()
        try site.store.setPassword(of: id, to: "x")
        #expect(status(next) == 401)
    }

    @Test("It is refused when its key was retired, by whichever process")
    func retiredKey() throws {
        let token = seenToken()
        let key = try #require(try site.store.keyRing().signer(at: .now())).id
        let other = try site.temporary.reopened()
        try other.generateKey(.edDSA)
        #expect(status(token) == 200)
        try other.retireKey(key, force: true)
        #expect(status(token) == 401)
        try settleKeys()
        #expect(status(token) == 401)
        #expect(try !isKnown(token))
    }

    @Test(
        "It is refused 20 ms after its key was taken away by hand, by every request, and so is all while a key is none"
    )
    func keysByHand() throws {
        let token = seenToken()
        let folder = site.temporary.path + "/keys/"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        for name in names { rename(folder + name, site.temporary.path + "/" + name) }
        func expect(_ status: Int) {
            usleep(20_000)
            // Longer than a folder counts as just changed.
            let end = ContinuousClock.now + .milliseconds(150)
            while ContinuousClock.now < end { #expect(self.status(token) == status) }
        }
        expect(401)
        for name in names { rename(site.temporary.path + "/" + name, folder + name) }
        expect(200)
        try makePrivateFile(folder + "bad.jwk", Array("{".utf8))
        expect(503)
    }

    @Test("A location that wants another issuer or audience refuses it, whichever saw it first")
    func otherLocations() throws {
        let own = ["JWT_AUDIENCE": "shop", "JWT_ISSUER": "https://a.example"]
        let token = seenToken(own)
        for other in [
            ["JWT_AUDIENCE": "bank"], ["JWT_ISSUER": "https://b.example"], own.merging(["JWT_AUDIENCE": "bank"]) { $1 },
        ] {
            #expect(status(token, other) == 401)
            #expect(status(token, own) == 200)
        }
        #expect(status(token, ["PERMISSION": "HasScope('pay')"]) == 403)
        let plain = seenToken()
        #expect(status(plain, own) == 401)
    }

    @Test("A refresh token that was seen is no access token")
    func kinds() throws {
        let pair = site.pair()
        #expect(site.ask("jwt.verify", body: #"{"token":"\#(pair.refresh)"}"#).status == 200)
        #expect(try isKnown(pair.refresh))
        #expect(status(pair.refresh) == 401)
        #expect(site.ask("jwt.refresh", body: #"{"refresh":"\#(pair.refresh)"}"#).status == 200)
        #expect(site.ask("jwt.verify", body: #"{"token":"\#(pair.refresh)"}"#).status == 400)
    }

    @Test("Another issuer's token is refused once their file holds other keys, and where their tokens are not taken")
    func foreignKeys() throws {
        let path = site.temporary.path + "-foreign.json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        func publish(_ key: JSONWebKey) throws {
            let set: JSONValue = .object([("keys", .array([.object(try #require(key.publicMembers))]))])
            try Data(JSONWriter.bytes(of: set)).write(to: URL(fileURLWithPath: path), options: .atomic)
        }
        let key = try #require(JSONWebKey.random(.es256, id: "theirs"))
        try publish(key)
        let location = ["JWT_JWKS": "https://idp.example \(path)", "JWT_AUDIENCE": "api"]
        let claims: [(name: String, value: JSONValue)] = [
            ("iss", .string("https://idp.example")), ("aud", .string("api")), ("sub", .string("ann")),
            ("exp", .integer(Timestamp.now().seconds + 60)), ("token_type", .string("access")), ("jti", .string("1")),
            ("user_id", .string("1")),
        ]
        let token = String(decoding: try #require(JSONWebSignature.compact(claims, signedBy: key)), as: UTF8.self)
        for _ in 0..<3 {
            #expect(status(token, location) == 200)
            #expect(status(token) == 401)
            #expect(status(token, ["JWT_AUDIENCE": "api"]) == 401)
        }
        try publish(try #require(JSONWebKey.random(.es256, id: "theirs")))
        #expect(status(token, location) == 401)
        try publish(key)
        #expect(status(token, location) == 200)
        try FileManager.default.removeItem(atPath: path)
        #expect(status(token, location) == 503)
    }

    @Test("There are so many entries and no more, and what was forgotten is verified again")
    func bounded() throws {
        let token = seenToken()
        let digest = try #require(seen.digest(of: Array(token.utf8)[...], nil))
        let entry = try #require(seen[digest])
        for number in 0..<4 * SeenTokens.capacity {
            seen.remember(entry, at: try #require(seen.digest(of: Array("\(number)".utf8)[...], nil)))
        }
        #expect(seen.count <= SeenTokens.capacity)
        #expect(status(token) == 200)
        #expect(try isKnown(token))
        #expect(seen.digest(of: [UInt8](repeating: 0x61, count: 100_000)[...], nil) == nil)
    }
}
