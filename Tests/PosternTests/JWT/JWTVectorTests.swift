import Foundation
import Testing

@testable import Postern

/// Published vectors: Wycheproof (Vectors/wycheproof, see its README), RFC 7515 and RFC 8037.
@Suite("Signatures of JSON Web Tokens: published vectors")
struct JWTVectorTests {
    private typealias Dictionary = [String: Any]

    private static func groups(_ file: String) throws -> [Dictionary] {
        let path = Repository.path + "/Tests/PosternTests/Vectors/wycheproof/" + file
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? Dictionary)
        return try #require(object["testGroups"] as? [Dictionary])
    }

    private static func tests(of group: Dictionary) throws -> [Dictionary] {
        try #require(group["tests"] as? [Dictionary])
    }

    /// The set of the group's keys as a file of another issuer would hold it; nil when it is refused.
    private static func keys(of group: Dictionary) throws -> JSONWebKeySet? {
        let key = try #require((group["public"] ?? group["private"]) as? Dictionary)
        let set = key["keys"] == nil ? ["keys": [key]] : key
        return try? JSONWebKeySet(parsing: Array(try JSONSerialization.data(withJSONObject: set)))
    }

    private static func isAccepted(_ test: Dictionary, _ keys: JSONWebKeySet?) -> Bool {
        // Another serialisation than the compact one is no text at all.
        guard let text = (test["jws"] ?? test["jwe"]) as? String, let keys else { return false }
        return JSONWebSignature(compact: Array(text.utf8)[...])?.signer(among: keys) != nil
    }

    private static let ours = ["HS256", "ES256", "EdDSA", "RS256"]

    @Test(
        "Wycheproof: JWS and keys",
        arguments: ["json_web_signature_test.json", "json_web_crypto_test.json", "json_web_key_test.json"]
    )
    func signatures(file: String) throws {
        var accepted = 0
        for group in try Self.groups(file) {
            let keys = try Self.keys(of: group)
            for test in try Self.tests(of: group) {
                let id = try #require(test["tcId"] as? Int)
                var expected = test["result"] as? String == "valid" && test["jwe"] == nil
                if file == "json_web_signature_test.json", [367, 370].contains(id) { expected = true }
                if file == "json_web_signature_test.json", [372, 373].contains(id) { expected = false }
                // Two keys of one name: each is judged alone, and a token is held against both.
                if file == "json_web_key_test.json", id == 4 { expected = true }
                if expected, let text = test["jws"] as? String {
                    expected = Self.ours.contains(try Self.algorithm(of: text))
                }
                #expect(Self.isAccepted(test, keys) == expected, "\(file) \(id): \(test["comment"] ?? "")")
                accepted += expected ? 1 : 0
            }
        }
        #expect(accepted >= 3)
    }

    private static func algorithm(of text: String) throws -> String {
        let header = try #require(Base64URL.decode(Array(text.prefix { $0 != "." }.utf8)[...]))
        return JSONObject(header)?.string("alg") ?? ""
    }

    @Test("Wycheproof: no JWE is taken")
    func encryption() throws {
        var count = 0
        for group in try Self.groups("json_web_encryption_test.json") {
            for test in try Self.tests(of: group) {
                let text = try #require(test["jwe"] as? String)
                #expect(JSONWebSignature(compact: Array(text.utf8)[...]) == nil)
                count += 1
            }
        }
        #expect(count == 139)
    }

    @Test("Wycheproof: HMAC-SHA-256")
    func hmac() throws {
        for group in try Self.groups("hmac_sha256_test.json") {
            for test in try Self.tests(of: group) {
                let key = try Self.bytes(test["key"])
                let jwk: [(name: String, value: JSONValue)] = [
                    ("kty", .string("oct")), ("k", .string(String(decoding: Base64URL.encode(key), as: UTF8.self))),
                ]
                guard key.count >= 32 else {
                    #expect(throws: JSONWebKeyError.weak) { try JSONWebKey(JSONObject(jwk)) }
                    continue
                }
                // A tag that was cut short is no signature of RFC 7518.
                let expected = test["result"] as? String == "valid" && group["tagSize"] as? Int == 256
                let isValid = try JSONWebKey(JSONObject(jwk))
                    .isSignature(Self.bytes(test["tag"]), of: Self.bytes(test["msg"])[...])
                #expect(isValid == expected, "\(test["tcId"] ?? "")")
            }
        }
    }

    @Test(
        "Wycheproof: ES256, EdDSA and RS256",
        arguments: [
            "ecdsa_secp256r1_sha256_p1363_test.json", "ed25519_test.json", "rsa_signature_2048_sha256_test.json",
            "rsa_signature_3072_sha256_test.json",
        ]
    )
    func publicKeys(file: String) throws {
        for group in try Self.groups(file) {
            let key: JSONWebKey
            do {
                key = try JSONWebKey(JSONObject(try Self.publicKey(of: group)))
            } catch {
                Issue.record("\(file): a key is refused: it \(error)")
                continue
            }
            for test in try Self.tests(of: group) {
                let isValid = key.isSignature(try Self.bytes(test["sig"]), of: try Self.bytes(test["msg"])[...])
                // The one acceptable case of RSA leaves the NULL out of the algorithm's parameters.
                let expected = test["result"] as? String == "valid"
                #expect(isValid == expected, "\(file) \(test["tcId"] ?? ""): \(test["comment"] ?? "")")
            }
        }
    }

    private static func publicKey(of group: Dictionary) throws -> [(name: String, value: JSONValue)] {
        func member(_ name: String, _ bytes: [UInt8]) -> (name: String, value: JSONValue) {
            (name, .string(String(decoding: Base64URL.encode(bytes), as: UTF8.self)))
        }
        let key = try #require(group["publicKey"] as? Dictionary)
        if let point = key["uncompressed"] {
            let bytes = try Self.bytes(point)
            return [
                ("kty", .string("EC")), ("crv", .string("P-256")), member("x", Array(bytes[1..<33])),
                member("y", Array(bytes[33...])),
            ]
        }
        if let point = key["pk"] {
            return [("kty", .string("OKP")), ("crv", .string("Ed25519")), member("x", try Self.bytes(point))]
        }
        let modulus = try Self.bytes(key["modulus"]).drop { $0 == 0 }
        let exponent = try Self.bytes(key["publicExponent"]).drop { $0 == 0 }
        return [("kty", .string("RSA")), member("n", Array(modulus)), member("e", Array(exponent))]
    }

    private static func bytes(_ hexadecimal: Any?) throws -> [UInt8] {
        var digits = Array(try #require(hexadecimal as? String))
        if digits.count % 2 == 1 { digits.insert("0", at: 0) }
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(digits[$0...$0 + 1]), radix: 16))
        }
    }

    @Test("RFC 7515, appendix A.1 (HS256), A.2 (RS256), A.3 (ES256), and RFC 8037, appendix A.4 (EdDSA)")
    func requestsForComments() throws {
        let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let vectors = [
            (
                #"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
                "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\(claims).dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
            ),
            (
                #"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#,
                "eyJhbGciOiJSUzI1NiJ9.\(claims)."
                    + "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
            ),
            (
                #"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
                "eyJhbGciOiJFUzI1NiJ9.\(claims).DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
            ),
            (
                #"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
            ),
        ]
        for (key, text) in vectors {
            let keys = JSONWebKeySet([try JSONWebKey(try #require(JSONObject(Array(key.utf8))))])
            #expect(JSONWebSignature(compact: Array(text.utf8)[...])?.signer(among: keys) != nil, "\(text)")
            var forged = Array(text.utf8)
            forged[forged.firstIndex(of: UInt8(ascii: "."))! + 5] ^= 1
            #expect(JSONWebSignature(compact: forged[...])?.signer(among: keys) == nil)
        }
    }

    @Test("RFC 7515, appendix A.5 (none) and A.6 (JSON serialisation): refused")
    func unsecured() {
        let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let unsecured = JSONWebSignature(compact: Array("eyJhbGciOiJub25lIn0.\(claims).".utf8)[...])
        #expect(unsecured?.signer(among: JSONWebKeySet([])) == nil)
        #expect(JSONWebSignature(compact: Array(#"{"payload":"\#(claims)","signatures":[]}"#.utf8)[...]) == nil)
    }
}
