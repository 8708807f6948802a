import Foundation
import TestSupport
import Testing

@testable import Journal
@testable import Postern

/// Sets of keys as issuers publish them: one that is odd says nothing about the others, and signs nothing.
@Suite("JWK Sets of other issuers", .randomized)
struct KeySetTests {
    private static let modulus =
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    private static let weakModulus =
        "nHgHo_wmxoulwLWd1E6x9msQmwrCOldaYemjJd38ksT1wqbUG7nBCl1nNqt70Ow4rqx3YGrcwvC6UdlNhZUkY2E-cCc7HtQQrUPyJHZVo3r0RX816mGUtExFMnr3b6-TSF59uMX3glPq5EHrk1B1NZx7izrEQcBqayFDhSr7sqk"

    /// RFC 7515, appendix A.2: what the key of ``modulus`` signed.
    private static let signedByRSA =
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"

    /// Points by which anybody signs, and second spellings of such.
    static let badPoints = [
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "7P_______________________________________38",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA",
        "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU", "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA", "7v_______________________________________38",
        "7f_______________________________________38", "8P_______________________________________38",
    ]

    private static func parse(_ keys: [String]) throws -> JSONWebKeySet {
        try JSONWebKeySet(parsing: Array(KeySetPublisher.set(keys).utf8))
    }

    private static func isSigned(_ text: String, by set: JSONWebKeySet) -> Bool {
        JSONWebSignature(compact: Array(text.utf8)[...])?.signer(among: set) != nil
    }

    private static func token(_ key: JSONWebKey) throws -> String {
        let claims: [(name: String, value: JSONValue)] = [("sub", .string("ann"))]
        return String(decoding: try #require(JSONWebSignature.compact(claims, signedBy: key)), as: UTF8.self)
    }

    /// The public members of a key, some of them others or more: JSON by name.
    private static func text(_ key: JSONWebKey, _ changes: [String: String?] = [:]) -> String {
        var members: [String: String] = [:]
        for member in key.publicMembers ?? [] {
            members[member.name] = String(decoding: JSONWriter.bytes(of: member.value), as: UTF8.self)
        }
        for (name, value) in changes { members[name] = value }
        return "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }

    private static func rsa(_ modulus: String = modulus, _ exponent: String = "AQAB", _ more: String = "") -> String {
        #"{"kty":"RSA","n":"\#(modulus)","e":"\#(exponent)"\#(more)}"#
    }

    private static func changed(_ name: String, of key: JSONWebKey, _ change: ([UInt8]) -> [UInt8]) -> String {
        let text = JSONObject(key.publicMembers ?? []).string(name) ?? ""
        return "\"\(KeySetPublisher.encoded(change(Base64URL.decode(Array(text.utf8)[...]) ?? [])))\""
    }

    // MARK: Generating

    /// Another key, and who signs by it where somebody can.
    private static func oddKey(_ generator: inout Seeded) throws -> (text: String, signer: JSONWebKey?) {
        let ec = try #require(JSONWebKey.random(.es256, id: "odd"))
        let ed = try #require(JSONWebKey.random(.edDSA, id: "odd"))
        let secret = try #require(JSONWebKey.random(.hs256, id: "odd"))
        let key = Bool.random(using: &generator) ? ec : ed
        let changes: [[String: String?]] = [
            ["use": "\"enc\""], ["use": "\"SIG\""], ["use": "7"], ["use": "[\"sig\"]"], ["key_ops": "[\"sign\"]"],
            ["key_ops": "[\"encrypt\",\"decrypt\"]"], ["key_ops": "\"verify\""], ["alg": "\"RS256\""],
            ["alg": "\"none\""], ["alg": "\"HS256\""], ["alg": "5"], ["kid": "7"], ["kid": "{}"], ["kty": nil],
            ["kty": "null"], ["kty": "\"oct\""], ["crv": nil], ["crv": "\"P-521\""], ["crv": "\"X25519\""],
            ["x": nil], ["x": "null"], ["x": "\"\""], ["x": "\"*\""], ["x": "12"], ["x": "[]"],
            ["x": changed("x", of: key) { $0 + [1] }], ["x": changed("x", of: key) { Array($0.dropFirst(3)) }],
            ["d": "\"AAAA\""], ["d": "12"],
        ]
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: return (["null", "1", "\"x\"", "[]", "true", "{}", "[{}]"].randomElement(using: &generator) ?? "", nil)
        case 1:
            return (#"{"kty":"OKP","crv":"Ed25519","x":"\#(badPoints.randomElement(using: &generator) ?? "")"}"#, nil)
        case 2:
            let moduli = [
                weakModulus, "", "AQAB", "!", String(modulus.dropLast(2)) + "oA", "AAAA",
                KeySetPublisher.encoded([UInt8](repeating: 255, count: 1025)),
            ]
            return (rsa(moduli.randomElement(using: &generator) ?? ""), nil)
        case 3:
            let exponents = ["AQ", "AAE", "Ag", "AA", "", "AAAB", "AQAAAAE", "AQAC", "=", "A"]
            return (rsa(modulus, exponents.randomElement(using: &generator) ?? ""), nil)
        case 4: return (#"{"kty":"RSA","kid":"x","use":"sig","x5c":["MIIB"]}"#, nil)
        case 5:
            let doubled = ["\"use\":\"sig\"", "\"x\":\"AA\"", "\"kid\":\"odd\"", "\"\\u0075se\":\"enc\""]
            return (
                text(key, ["use": "\"sig\""]).dropLast() + "," + (doubled.randomElement(using: &generator) ?? "") + "}",
                key
            )
        case 6: return (KeySetPublisher.text(secret.secretMembers), secret)
        case 7:
            let names = (0..<Int.random(in: 1...300, using: &generator)).map { "\"m\($0)\":[[[{}]]]" }
            return (#"{"kty":"PQC",\#(names.joined(separator: ","))}"#, nil)
        default: return (text(key, changes.randomElement(using: &generator) ?? [:]), key)
        }
    }

    @Test("A good key among odd ones verifies what it signed, and no odd one anything", arguments: 0..<8)
    func goodAmongOdd(part: UInt64) throws {
        let seed = Randomized.seed &+ part
        var generator = Seeded(seed: seed)
        for _ in 0..<40 {
            let good = try #require(
                JSONWebKey.random(Bool.random(using: &generator) ? .es256 : .edDSA, id: "good")
            )
            let odd: [(text: String, signer: JSONWebKey?)] = try (0..<Int.random(in: 1...6, using: &generator)).map {
                _ in try Self.oddKey(&generator)
            }
            var keys = odd.map(\.text)
            for key in [Self.text(good), Self.rsa()] {
                keys.insert(key, at: Int.random(in: 0...keys.count, using: &generator))
            }
            let set = try Self.parse(keys)
            let context = "seed \(seed): \(KeySetPublisher.set(keys))"
            #expect(Self.isSigned(try Self.token(good), by: set), "\(context)")
            #expect(Self.isSigned(Self.signedByRSA, by: set), "\(context)")
            #expect(set.keys.count == 2, "\(context)")
            #expect(set.passedOver.count == odd.count, "\(context)")
            for signer in odd.compactMap(\.signer) {
                #expect(!Self.isSigned(try Self.token(signer), by: set), "\(context)")
            }
        }
    }

    @Test(
        "A key says the same in other spellings: zeros in front, short, padded, members that are null or empty, twice"
    )
    func spellings() throws {
        let zeros = KeySetPublisher.encoded([0, 0] + (Base64URL.decode(Array(Self.modulus.utf8)[...]) ?? []))
        let plain = Self.modulus.replacingOccurrences(of: "_", with: "/").replacingOccurrences(of: "-", with: "+")
        for key in [
            Self.rsa(), Self.rsa(zeros), Self.rsa(Self.modulus + "=="), Self.rsa(plain),
            Self.rsa(Self.modulus, "AAEAAQ"),
            Self.rsa(Self.modulus, "AQAB", #","use":null,"alg":null,"d":null,"kid":null,"key_ops":null"#),
            Self.rsa(Self.modulus, "AQAB", #","use":"","alg":"","d":"","key_ops":[],"x5c":[],"oth":[]"#),
            Self.rsa(Self.modulus, "AQAB", #","key_ops":["verify"],"use":"sig","alg":"RS256","ext":true"#),
        ] {
            let set = try Self.parse([key])
            #expect(Self.isSigned(Self.signedByRSA, by: set), "\(key)")
            #expect(set.passedOver.count == 0, "\(key)")
            #expect(try Self.parse([key, key, key]).keys.count == 1)
        }
        for algorithm in [JSONWebKey.Algorithm.es256, .edDSA] {
            let key = try #require(JSONWebKey.random(algorithm, id: "k"))
            let token = try Self.token(key)
            #expect(Self.isSigned(token, by: try Self.parse([Self.text(key, ["use": "null", "alg": "null"])])))
            let padded = "\"\(JSONObject(key.publicMembers ?? []).string("x") ?? "")=\""
            #expect(Self.isSigned(token, by: try Self.parse([Self.text(key, ["x": padded])])))
        }
    }

    @Test("A coordinate may lack its zeros, or have one more; a point off the curve is none")
    func coordinates() throws {
        // One key of 128 has a coordinate that begins with a zero.
        let short = try #require(
            (0..<20_000).lazy.compactMap { _ in JSONWebKey.random(.es256, id: "k") }.first { key in
                JSONObject(key.publicMembers ?? []).base64URL("x")?.first == 0
            }
        )
        let token = try Self.token(short)
        for change: ([UInt8]) -> [UInt8] in [{ $0 }, { Array($0.drop { $0 == 0 }) }, { [0] + $0 }] {
            let changes = ["x": Self.changed("x", of: short, change), "y": Self.changed("y", of: short, change)]
            #expect(Self.isSigned(token, by: try Self.parse([Self.text(short, changes)])))
        }
        let set = try Self.parse([
            Self.text(short, ["y": Self.changed("y", of: short) { [$0[0] ^ 1] + $0.dropFirst() }])
        ])
        #expect(set.keys.isEmpty)
        #expect(set.passedOver.keys.map(\.reason) == [.malformed("x")])
    }

    @Test(
        "Points of Ed25519 by which anybody signs are refused, whatever the algorithm is called",
        arguments: badPoints
    )
    func smallOrder(point: String) throws {
        for algorithm in ["", #","alg":"EdDSA""#, #","alg":"Ed25519","use":"sig""#] {
            let set = try Self.parse([#"{"kty":"OKP","crv":"Ed25519","x":"\#(point)"\#(algorithm)}"#])
            #expect(set.keys.isEmpty)
            #expect(set.passedOver.keys.map(\.reason) == [.forgeable])
        }
    }

    @Test("Hundreds of keys are looked through; of a list without end the first thousand")
    func many() throws {
        let good = try #require(JSONWebKey.random(.es256, id: "good"))
        func others(_ count: Int) -> [String] {
            (0..<count).map { Self.rsa(Self.modulus, "AQAB", ",\"kid\":\"o\($0)\"") }
        }
        for count in [63, 64, 200, 1000] {
            #expect(Self.isSigned(try Self.token(good), by: try Self.parse(others(count) + [Self.text(good)])))
        }
        let set = try Self.parse([Self.text(good)] + [String](repeating: "{}", count: 50_000))
        #expect(Self.isSigned(try Self.token(good), by: set))
        #expect(set.passedOver.count == 50_000)
        #expect(set.passedOver.keys.count == 16)
        #expect(set.passedOver.description.hasSuffix("and 49984 more"))
        // Without a name, a token is held against so many keys.
        #expect(try Self.parse(others(200)).candidates(id: nil, .rs256).count == JSONWebKeySet.maximumCandidates)
    }

    @Test("Secrets count in a set of secrets alone")
    func secrets() throws {
        let secret = try #require(JSONWebKey.random(.hs256, id: "s"))
        let text = KeySetPublisher.text(secret.secretMembers)
        #expect(Self.isSigned(try Self.token(secret), by: try Self.parse([text])))
        for other in [Self.rsa(), Self.rsa(Self.weakModulus), "{}", "null"] {
            #expect(!Self.isSigned(try Self.token(secret), by: try Self.parse([text, other])), "\(other)")
        }
    }

    // MARK: The file

    @Test("What is passed over is logged once, and again when it changes; usual keys are no warning")
    func logged() throws {
        let log = KeptLog()
        let site = try InProcessSite(logger: log.logger)
        let issuer = KeySetPublisher(of: site)
        let key = try #require(JSONWebKey.random(.es256, id: "good"))
        func ask(_ location: [String: String] = [:]) throws {
            let location = issuer.location.merging(location) { $1 }
            #expect(site.whoami(InProcessSite.bearer(try issuer.token(key)), location) == "ann")
        }
        let usual = Self.text(key, ["use": "\"enc\"", "kid": "\"e\""])
        try issuer.publish(KeySetPublisher.set([Self.text(key), usual]))
        for _ in 0..<3 { try ask() }
        // Another location names the same file.
        try ask(["REALM": "other"])
        #expect(log.warnings == [])
        #expect(log.all.count == 1)
        try issuer.publish(
            KeySetPublisher.set([Self.text(key), Self.rsa(Self.weakModulus, "AQAB", #","kid":"old\nx""#)])
        )
        for _ in 0..<3 { try ask() }
        try #require(log.warnings.count == 1)
        #expect(log.warnings[0].contains(#"key 2 "old\x0ax" is too short to be safe"#))
        try issuer.publish(
            KeySetPublisher.set([Self.text(key), Self.rsa(Self.weakModulus, "AQAB", #","kid":"old\nx""#)]) + "\n"
        )
        try ask()
        #expect(log.warnings.count == 1)
        #expect(site.application.metrics?[.keySetErrors] == 0)
    }

    @Test(
        "The last good set stays when the file becomes something else, and that is an error in log and metrics",
        arguments: [
            "", " ", "<html><body>502 Bad Gateway</body></html>", "{", "{}", "[]", "null", #"{"error":"x"}"#,
            #"{"keys":{}}"#, #"{"keys":null}"#, #"{"keys":[]}"#, #"{"keys":[{}],"keys":[]}"#, "\u{FEFF}",
            "no healthy upstream",
            #"{"keys":[{"kty":"EC""#, "{\"keys\":[\"\u{1}\"]}",
        ]
    )
    func lastGoodSet(text: String) throws {
        let log = KeptLog()
        let site = try InProcessSite(logger: log.logger)
        let issuer = KeySetPublisher(of: site)
        let key = try #require(JSONWebKey.random(.edDSA, id: "good"))
        try issuer.publish(KeySetPublisher.set([Self.text(key)]))
        func who() throws -> String { site.whoami(InProcessSite.bearer(try issuer.token(key)), issuer.location) }
        #expect(try who() == "ann")
        try issuer.publish(text)
        for _ in 0..<3 { #expect(try who() == "ann") }
        try #require(log.warnings.count == 1)
        #expect(log.warnings[0].hasPrefix("error JWK Set "))
        #expect(log.warnings[0].hasSuffix("the keys from before stay"))
        let metrics = site.ask("metrics", ["PERMISSION": "AllowAny"], method: "GET").body
        #expect(metrics.contains("\npostern_key_set_errors_total 1\n"))
        // Other keys end it, and a file that is gone.
        let next = try #require(JSONWebKey.random(.edDSA, id: "next"))
        try issuer.publish(KeySetPublisher.set([Self.text(next)]))
        #expect(try who() == "")
        try FileManager.default.removeItem(atPath: issuer.path)
        let token = try issuer.token(next)
        #expect(site.ask("whoami", issuer.location, method: "GET", headers: InProcessSite.bearer(token)).status == 503)
    }

    @Test("A file that is too large keeps the last good set; bytes that are no UTF-8, and UTF-16, likewise")
    func unreadableBytes() throws {
        let site = try InProcessSite()
        let issuer = KeySetPublisher(of: site)
        let key = try #require(JSONWebKey.random(.edDSA, id: "good"))
        let set = KeySetPublisher.set([Self.text(key)])
        try issuer.publish([0xEF, 0xBB, 0xBF] + Array(set.utf8))
        func who() throws -> String { site.whoami(InProcessSite.bearer(try issuer.token(key)), issuer.location) }
        #expect(try who() == "ann")
        let damaged: [[UInt8]] = [
            Array((set + String(repeating: " ", count: 1 << 20)).utf8),
            [0xFF, 0xFE] + set.utf8.flatMap { [$0, 0] as [UInt8] },
            Array(set.utf8.dropLast()) + [0xE9],
        ]
        for bytes in damaged {
            try issuer.publish(bytes)
            #expect(try who() == "ann")
        }
    }

    @Test("A set whose keys are of no use counts: nobody is let in by the keys from before")
    func uselessSet() throws {
        let log = KeptLog()
        let site = try InProcessSite(logger: log.logger)
        let issuer = KeySetPublisher(of: site)
        let key = try #require(JSONWebKey.random(.es256, id: "good"))
        try issuer.publish(KeySetPublisher.set([Self.text(key)]))
        func status() throws -> Int {
            site.ask("whoami", issuer.location, method: "GET", headers: InProcessSite.bearer(try issuer.token(key)))
                .status
        }
        #expect(try status() == 200)
        try issuer.publish(KeySetPublisher.set([Self.text(key, ["use": "\"enc\""])]))
        #expect(try status() == 401)
        try #require(log.warnings.count == 1)
        #expect(log.warnings[0].contains("no key that can be used"))
        #expect(site.application.metrics?[.keySetErrors] == 1)
    }

    @Test("A file that was never good cannot be read, whatever it holds; an empty set lets nobody in")
    func neverGood() throws {
        let site = try InProcessSite()
        let issuer = KeySetPublisher(of: site)
        let key = try #require(JSONWebKey.random(.es256, id: "good"))
        func status() throws -> Int {
            site.ask("whoami", issuer.location, method: "GET", headers: InProcessSite.bearer(try issuer.token(key)))
                .status
        }
        try issuer.publish("<html>")
        #expect(try status() == 503)
        try issuer.publish(#"{"keys":[]}"#)
        #expect(try status() == 401)
        try issuer.publish(KeySetPublisher.set([Self.text(key)]))
        #expect(try status() == 200)
    }
}
