import FastCGI
import Foundation
import TestSupport
import Testing

@testable import Postern

/// RFC 8725 and the attacks that are known by name: each token would be good but for one thing.
@Suite("JSON Web Tokens that are refused", .randomized)
struct JWTRefusalTests {
    private let site: InProcessSite
    private let userID: String

    init() throws {
        site = try InProcessSite()
        userID = String(try site.user("ann").id)
    }

    private var claims: String {
        let now = Int(Date().timeIntervalSince1970)
        return #"{"token_type":"access","exp":\#(now + 300),"iat":\#(now),"jti":"00","user_id":"\#(userID)"}"#
    }

    private func key(_ algorithm: JSONWebKey.Algorithm = .hs256) throws -> JSONWebKey {
        try #require(try site.store.keyRing().keys.first { $0.key.algorithm == algorithm }).key
    }

    private static func encoded(_ text: some Sequence<UInt8>) -> String {
        String(decoding: Base64URL.encode(text), as: UTF8.self)
    }

    private func token(_ header: String, _ claims: String? = nil, signedBy key: JSONWebKey? = nil) throws -> String {
        let text = Self.encoded(header.utf8) + "." + Self.encoded((claims ?? self.claims).utf8)
        return text + "." + Self.encoded(try #require(try (key ?? self.key()).sign(Array(text.utf8))))
    }

    private func isAccepted(_ token: String) -> Bool { site.whoami(InProcessSite.bearer(token)) == "ann" }

    /// Not let in, and 401 rather than anything else.
    private func expectRefused(_ token: String, _ what: String = "", _ location: SourceLocation = #_sourceLocation) {
        let answer = site.ask("whoami", ["PERMISSION": "AllowAny"], method: "GET", headers: InProcessSite.bearer(token))
        #expect(answer.status == 401, "\(what)", sourceLocation: location)
        #expect(answer.body.contains(#""code":""#), "\(what)", sourceLocation: location)
    }

    @Test("A token without a fault is taken")
    func good() throws {
        #expect(isAccepted(try token(#"{"alg":"HS256","typ":"JWT"}"#)))
        #expect(isAccepted(try token(#"{"alg":"HS256","kid":"\#(try key().id ?? "")"}"#)))
        for algorithm in [JSONWebKey.Algorithm.edDSA, .es256] {
            try site.store.generateKey(algorithm)
            let header = #"{"alg":"\#(algorithm.rawValue)","kid":"\#(try key(algorithm).id ?? "")","typ":"JWT"}"#
            #expect(isAccepted(try token(header, signedBy: key(algorithm))))
        }
    }

    @Test("alg none, in every spelling, with and without a signature")
    func none() throws {
        for name in [
            "none", "None", "NONE", "nOnE", "none ", " none", "", "no\\u006ee", "HS256 ", "hs256", "HS384", "RS256",
        ] {
            let header = #"{"alg":"\#(name)","typ":"JWT"}"#
            let text = Self.encoded(header.utf8) + "." + Self.encoded(claims.utf8)
            for ending in ["", ".", ".AA", "..", "." + Self.encoded([UInt8](repeating: 0, count: 32))] {
                expectRefused(text + ending, "\(name)\(ending)")
            }
            expectRefused(try token(header), name)
        }
        for header in ["{}", #"{"alg":null}"#, #"{"alg":["HS256"]}"#, #"{"alg":256}"#] {
            expectRefused(try token(header))
        }
    }

    @Test("A public key as the secret of HS256, in every form in which it can be had")
    func confusion() throws {
        for algorithm in [JSONWebKey.Algorithm.edDSA, .es256] {
            try site.store.generateKey(algorithm)
            let key = try key(algorithm)
            let members = try #require(key.publicMembers)
            let jwk = JSONWriter.bytes(of: .object(members))
            var secrets = [jwk, jwk + [0x0A], JSONWriter.bytes(of: try site.store.keyRing().publicSet)]
            for name in ["x", "y"] {
                guard let text = JSONObject(members).string(name) else { continue }
                secrets += [Array(text.utf8), try #require(Base64URL.decode(Array(text.utf8)[...]))]
            }
            for secret in secrets where secret.count >= 32 {
                let forger = try JSONWebKey(
                    JSONObject([("kty", .string("oct")), ("k", .string(Self.encoded(secret)))])
                )
                expectRefused(try token(#"{"alg":"HS256"}"#, signedBy: forger))
                expectRefused(try token(#"{"alg":"HS256","kid":"\#(key.id ?? "")"}"#, signedBy: forger))
                expectRefused(
                    try token(#"{"alg":"\#(algorithm.rawValue)","kid":"\#(key.id ?? "")"}"#, signedBy: forger)
                )
            }
        }
    }

    @Test("Another key's name, and names that are paths or worse")
    func keyIDs() throws {
        let other = try site.store.generateKey(.hs256)
        expectRefused(try token(#"{"alg":"HS256","kid":"\#(other.id)"}"#))
        let own = try key().id ?? ""
        for id in [
            "", " ", own + " ", own.lowercased() + "x", "../users", "../keys/" + own, own + ".jwk", "/etc/passwd",
            "/dev/null",
            "' OR 1=1 --", "\\u0000", own + "\\u0000", String(repeating: "a", count: 4000), "..", "*",
        ] {
            expectRefused(try token(#"{"alg":"HS256","kid":"\#(id)"}"#), id)
        }
        for id in ["null", "1", #"["\#(own)"]"#, "{}"] {
            expectRefused(try token(#"{"alg":"HS256","kid":\#(id)}"#), id)
        }
    }

    @Test(
        "Headers that bring a key, or ask for what we have not",
        arguments: [
            #""jwk":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#, #""jwk":null"#,
            #""crit":["exp"],"exp":1"#, #""crit":[]"#, #""crit":null"#, #""b64":false,"crit":["b64"]"#, #""b64":true"#,
            #""enc":"A256GCM""#, #""zip":"DEF""#, #""typ":"at+jwt""#, #""typ":"dpop+jwt""#, #""typ":1"#,
        ]
    )
    func headers(member: String) throws {
        expectRefused(try token(#"{"alg":"HS256",\#(member)}"#))
    }

    @Test("A key that comes with the token does not make it good")
    func embeddedKey() throws {
        let forger = try #require(JSONWebKey.random(.edDSA, id: "forged"))
        let jwk = String(decoding: JSONWriter.bytes(of: .object(try #require(forger.publicMembers))), as: UTF8.self)
        expectRefused(try token(#"{"alg":"EdDSA","jwk":\#(jwk)}"#, signedBy: forger))
        expectRefused(try token(#"{"alg":"EdDSA","kid":"forged"}"#, signedBy: forger))
        expectRefused(try token(#"{"alg":"EdDSA"}"#, signedBy: forger))
    }

    @Test("Names that come twice, in header and claims, escaped too")
    func doubledNames() throws {
        expectRefused(try token(#"{"alg":"HS256","alg":"HS256"}"#))
        expectRefused(try token(#"{"alg":"HS256","\u0061lg":"none"}"#))
        expectRefused(try token(#"{"alg":"HS256","kid":"x","kid":"\#(try key().id ?? "")"}"#))
        for name in ["user_id", "exp", "token_type", "jti", "\\u0065xp"] {
            expectRefused(try token(#"{"alg":"HS256"}"#, #"{"\#(name)":"1","# + claims.dropFirst()))
        }
    }

    @Test("Texts that are no strict base64url")
    func base64() throws {
        let good = try token(#"{"alg":"HS256","typ":"JWT"}"#)
        #expect(isAccepted(good))
        let parts = good.split(separator: ".").map(String.init)
        for (position, part) in parts.enumerated() {
            for other in [
                part + "=", part + "==", "=" + part, part.dropLast() + "\n", part + "A", part + "%3D", "", part + "é",
            ] {
                var parts = parts
                parts[position] = other
                expectRefused(parts.joined(separator: "."), "\(position) \(other)")
            }
        }
        // A last character whose unused bits are not zero says the same to a careless reader.
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let last = try #require(alphabet.firstIndex { $0 == parts[2].last })
        expectRefused(good.dropLast() + String(alphabet[last + 1]))
    }

    @Test("Structures that are none: parts, JSON serialisation, JWE")
    func structures() throws {
        let good = try token(#"{"alg":"HS256"}"#)
        for text in [
            "." + good, good + ".", good + ".x", good.replacingOccurrences(of: ".", with: ".."),
            String(repeating: ".", count: 100), good + good, String(good.reversed()), "a.b", "..", ".",
            #"{"payload":"e30","signatures":[]}"#,
            "eyJhbGciOiJBMjU2S1ciLCJlbmMiOiJBMjU2R0NNIn0.AAAA.AAAA.AAAA.AAAA",
        ] {
            expectRefused(text, text)
        }
    }

    @Test("Claims that are no object, no UTF-8, or not to be read in one way only")
    func claimsOfOddShape() throws {
        for claims in [
            "[]", "null", "1", "\"x\"", "", "{", claims + " x", "\u{FEFF}" + claims, claims.dropLast() + ",}",
            "{" + (0..<200).map { "\"a\($0)\":1" }.joined(separator: ",") + "," + claims.dropFirst(),
            #"{"a":\#(String(repeating: "[", count: 20))\#(String(repeating: "]", count: 20)),"# + claims.dropFirst(),
        ] {
            expectRefused(try token(#"{"alg":"HS256"}"#, claims), String(claims.prefix(80)))
        }
    }

    @Test("Times that are past, ahead, or no numbers")
    func times() throws {
        let now = Int(Date().timeIntervalSince1970)
        func claims(_ times: String) -> String {
            #"{"token_type":"access","jti":"00","user_id":"\#(userID)",\#(times)}"#
        }
        #expect(
            isAccepted(
                try token(#"{"alg":"HS256"}"#, claims(#""exp":\#(now + 9).5,"nbf":\#(now - 9),"iat":\#(now - 9)"#))
            )
        )
        for times in [
            #""exp":\#(now)"#, #""exp":\#(now - 1)"#, #""exp":0"#, #""exp":-1"#, #""exp":1e400"#, #""exp":1e300"#,
            #""exp":"\#(now + 9)""#,
            #""exp":true"#, #""exp":null"#, #""exp":[]"#, #""exp":9223372036854775808"#, #""exp":-9223372036854775808"#,
            #""exp":\#(now + 9),"nbf":\#(now + 60)"#, #""exp":\#(now + 9),"iat":\#(now + 60)"#,
            #""exp":\#(now + 9),"nbf":31556889864403199"#, #""exp":\#(now + 9),"iat":"x""#, #""iat":\#(now)"#,
        ] {
            expectRefused(try token(#"{"alg":"HS256"}"#, claims(times)), times)
        }
    }

    @Test("Issuer and audience, exactly, where the location names them")
    func issuerAndAudience() throws {
        let location = ["JWT_ISSUER": "https://a.example", "JWT_AUDIENCE": "api"]
        func status(_ members: String) throws -> Int {
            let token = try token(#"{"alg":"HS256"}"#, #"{\#(members),"# + claims.dropFirst())
            return site.ask("whoami", location, method: "GET", headers: InProcessSite.bearer(token)).status
        }
        #expect(try status(#""iss":"https://a.example","aud":"api""#) == 200)
        #expect(try status(#""iss":"https://a.example","aud":["x","api"]"#) == 200)
        for members in [
            #""aud":"api""#, #""iss":"https://a.example""#, #""iss":"https://a.example/","aud":"api""#,
            #""iss":"https://a.exampl","aud":"api""#, #""iss":["https://a.example"],"aud":"api""#,
            #""iss":"https://a.example","aud":"ap""#, #""iss":"https://a.example","aud":"apis""#,
            #""iss":"https://a.example","aud":[]"#, #""iss":"https://a.example","aud":{"api":1}"#,
            #""iss":"https://a.example","aud":[["api"]]"#, #""iss":"HTTPS://a.example","aud":"api""#,
        ] {
            #expect(try status(members) == 401, "\(members)")
        }
        // Our own tokens of such a location say both.
        let pair = site.pair("ann", location)
        #expect(site.whoami(InProcessSite.bearer(pair.access), location) == "ann")
        #expect(
            site.ask("whoami", ["JWT_AUDIENCE": "other"], method: "GET", headers: InProcessSite.bearer(pair.access))
                .status
                == 401
        )
    }

    @Test("Leeway lets clocks differ, and no more than it says")
    func leeway() throws {
        let now = Int(Date().timeIntervalSince1970)
        let past = #"{"token_type":"access","jti":"00","user_id":"\#(userID)","exp":\#(now - 20)}"#
        let token = try token(#"{"alg":"HS256"}"#, past)
        #expect(site.whoami(InProcessSite.bearer(token), ["JWT_LEEWAY": "5m"]) == "ann")
        #expect(site.whoami(InProcessSite.bearer(token), ["JWT_LEEWAY": "5s"]) == "")
        #expect(site.whoami(InProcessSite.bearer(token)) == "")
    }

    @Test("Huge tokens are refused by their length, whatever they are made of")
    func huge() throws {
        let long = String(repeating: "a", count: 9000)
        expectRefused(try token(#"{"alg":"HS256","x":"\#(long)"}"#))
        expectRefused(try token(#"{"alg":"HS256"}"#, #"{"x":"\#(long)","# + claims.dropFirst()))
        expectRefused(String(repeating: ".", count: 50_000))
        expectRefused(long + "." + long + "." + long)
    }

    @Test("A token of the wrong kind, everywhere")
    func kinds() throws {
        let pair = site.pair()
        expectRefused(pair.refresh)
        #expect(site.ask("jwt.refresh", body: #"{"refresh":"\#(pair.access)"}"#)["detail"] == "Token has wrong type")
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(pair.access)"}"#)["detail"] == "Token has wrong type")
        let token = try site.accounts.issueToken(for: site.user("ann")).1.text
        expectRefused(String(token.dropFirst(4)))
        #expect(site.whoami(["AUTHORIZATION": "Token " + pair.access]) == "")
        #expect(site.whoami(["COOKIE": "sessionid=" + pair.access]) == "")
    }

    @Test("No mutation of a good token is good, and none is a crash")
    func mutations() throws {
        for algorithm in [JSONWebKey.Algorithm.es256, .edDSA, .hs256] {
            if algorithm != .hs256 { try site.store.generateKey(algorithm) }
            let header = #"{"alg":"\#(algorithm.rawValue)","kid":"\#(try key(algorithm).id ?? "")"}"#
            let good = Array(try token(header, signedBy: key(algorithm)).utf8)
            let tokens = JSONWebTokens(store: site.store, settings: try JWTSettings(PolicySettings(Parameters())))
            #expect(throws: Never.self) { try tokens.verify(good[...]) }
            var generator = seeded
            for _ in 0..<4000 {
                var bytes = good
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                    case 1: bytes.remove(at: place)
                    case 2: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &generator)], at: place)
                    default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                    }
                }
                if bytes != good { #expect(throws: JWTError.self) { try tokens.verify(bytes[...]) } }
            }
        }
    }

    @Test("A signature of ECDSA in its other form does not get around a revocation")
    func malleability() throws {
        try site.store.generateKey(.es256)
        // The newest key signs.
        let access = site.pair().access
        let parts = access.split(separator: ".").map(String.init)
        let signature = try #require(Base64URL.decode(Array(parts[2].utf8)[...]))
        #expect(signature.count == 64)
        // n - s, where n is the order of P-256.
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
        var digits = stride(from: 0, to: 64, by: 2).map { position in
            let start = order.index(order.startIndex, offsetBy: position)
            return Int(order[start...].prefix(2), radix: 16)!
        }
        var borrow = 0
        for position in (0..<32).reversed() {
            let difference = digits[position] - Int(signature[32 + position]) - borrow
            digits[position] = (difference + 256) % 256
            borrow = difference < 0 ? 1 : 0
        }
        let other = parts[0] + "." + parts[1] + "." + Self.encoded(signature[..<32] + digits.map { UInt8($0) })
        #expect(isAccepted(access))
        #expect(isAccepted(other))
        let revoked = site.ask(
            "oauth.revoke",
            ["AUTHENTICATION": "Basic"],
            headers: ["AUTHORIZATION": "Basic " + Data("ann:\(InProcessSite.password)".utf8).base64EncodedString()],
            body: "token=\(access)",
            type: "application/x-www-form-urlencoded"
        )
        #expect(revoked.status == 200)
        #expect(!isAccepted(access))
        #expect(!isAccepted(other))
    }
}
