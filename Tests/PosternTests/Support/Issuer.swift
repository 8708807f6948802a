import Foundation
import Journal
import Testing

@testable import Postern

/// Another issuer, whose JWK Set is a file beside the store of a gate.
final class Issuer {
    let name: String
    let key: JSONWebKey
    private let path: String

    init(_ site: InProcessSite, _ name: String = "https://idp.example", _ algorithm: JSONWebKey.Algorithm = .es256)
        throws
    {
        self.name = name
        key = try #require(JSONWebKey.random(algorithm, id: Base62.random(count: 8)))
        path = site.temporary.path + "-\(Base62.random(count: 8)).json"
        let set: JSONValue = .object([("keys", .array([.object(try #require(key.publicMembers))]))])
        try Data(JSONWriter.bytes(of: set)).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// What a location says that takes its tokens.
    func location(_ more: [String: String] = [:]) -> [String: String] {
        ["JWT_JWKS": "\(name) \(path)", "JWT_AUDIENCE": "api"].merging(more) { $1 }
    }

    /// - Parameter changes: Claims to add, to change, or with nil to leave out.
    func token(_ changes: [String: JSONValue?] = [:]) throws -> String {
        let now = Timestamp.now().seconds
        var claims: [String: JSONValue] = [
            "iss": .string(name), "aud": .string("api"), "sub": .string("ann"), "exp": .integer(now + 600),
            "iat": .integer(now - 5), "jti": .string(Base62.random(count: 22)),
        ]
        for (name, value) in changes { claims[name] = value }
        return try signed(claims.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, by: key)
    }
}

/// - Parameter namesKey: Whether the header has a `kid`: tokens of Postern have one, those of simplejwt have not.
func signed(
    _ claims: [(name: String, value: JSONValue)],
    by key: JSONWebKey,
    namesKey: Bool = true
) throws -> String {
    let kid = namesKey ? #","kid":"\#(key.id ?? "")""# : ""
    let header = Array(#"{"alg":"\#(key.algorithm.rawValue)"\#(kid),"typ":"JWT"}"#.utf8)
    let text = Base64URL.encode(header) + [UInt8(ascii: ".")] + Base64URL.encode(JSONWriter.bytes(of: .object(claims)))
    let signature = Base64URL.encode(try #require(key.sign(text)))
    return String(decoding: text + [UInt8(ascii: ".")] + signature, as: UTF8.self)
}
