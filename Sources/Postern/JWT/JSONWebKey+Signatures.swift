internal import CSodium
internal import Crypto
internal import CryptoExtras

extension JSONWebKey {
    /// Whether `signature` is this key's over `text`: the raw forms of RFC 7518, section 3, and RFC 8037,
    /// section 3.1. Never DER.
    func isSignature(_ signature: [UInt8], of text: ArraySlice<UInt8>) -> Bool {
        switch material {
        case .secret(_, let keyed):
            signature.count == SHA256.byteCount
                && keyed.code(of: text).withUnsafeBytes { code in
                    signature.withUnsafeBytes { sodium_memcmp(code.baseAddress, $0.baseAddress, code.count) == 0 }
                }
        case .p256(let key, _):
            (try? P256.Signing.ECDSASignature(rawRepresentation: signature))
                .map { key.isValidSignature($0, for: text) } ?? false
        case .ed25519(let key, _): key.isValidSignature(signature, for: text)
        case .rsa(let key, let modulus, _):
            signature.count == modulus.count
                && key.isValidSignature(
                    _RSA.Signing.RSASignature(rawRepresentation: signature),
                    for: SHA256.hash(data: text),
                    padding: .insecurePKCS1v1_5
                )
        }
    }

    /// nil for a key that only verifies.
    func sign(_ text: [UInt8]) -> [UInt8]? {
        switch material {
        case .secret(_, let keyed): Array(keyed.code(of: text[...]))
        case .p256(_, let key): key.flatMap { try? $0.signature(for: text) }.map { Array($0.rawRepresentation) }
        case .ed25519(_, let key): key.flatMap { try? $0.signature(for: text) }.map { Array($0) }
        case .rsa: nil
        }
    }
}

extension JSONWebKey {
    /// A new key from the system's random source; nil for an algorithm that we do not sign with.
    static func random(_ algorithm: Algorithm, id: String) -> JSONWebKey? {
        let material: Material
        switch algorithm {
        case .hs256: material = JSONWebKey.Material(secret: SymmetricKey(size: .bits256))
        case .es256:
            let key = P256.Signing.PrivateKey()
            material = .p256(key.publicKey, private: key)
        case .edDSA:
            let key = Curve25519.Signing.PrivateKey()
            material = .ed25519(key.publicKey, private: key)
        case .rs256: return nil
        }
        return JSONWebKey(id: id, algorithm: algorithm, material: material)
    }

    /// The JWK with the members that the public may see; nil for a shared secret, of which it may see none.
    var publicMembers: [(name: String, value: JSONValue)]? {
        switch material {
        case .secret: return nil
        case .p256(let key, _):
            let point = Array(key.rawRepresentation)
            return members("EC", curve: "P-256", [("x", Array(point[..<32])), ("y", Array(point[32...]))])
        case .ed25519(let key, _):
            return members("OKP", curve: "Ed25519", [("x", Array(key.rawRepresentation))])
        case .rsa(_, let modulus, let exponent):
            return members("RSA", curve: nil, [("n", modulus), ("e", exponent)])
        }
    }

    /// The JWK with all that there is, for the key's own file.
    var secretMembers: [(name: String, value: JSONValue)] {
        switch material {
        case .secret(let key, _): members("oct", curve: nil, [("k", key.withUnsafeBytes { Array($0) })])
        case .p256(_, let key): (publicMembers ?? []) + Self.privateMember(key.map { Array($0.rawRepresentation) })
        case .ed25519(_, let key): (publicMembers ?? []) + Self.privateMember(key.map { Array($0.rawRepresentation) })
        case .rsa: publicMembers ?? []
        }
    }

    private func members(
        _ type: String,
        curve: String?,
        _ values: [(name: String, bytes: [UInt8])]
    ) -> [(name: String, value: JSONValue)] {
        var members: [(name: String, value: JSONValue)] = [("kty", .string(type))]
        if let curve { members.append(("crv", .string(curve))) }
        members += values.map { ($0.name, Self.text(of: $0.bytes)) }
        if let id { members.append(("kid", .string(id))) }
        return members + [("alg", .string(algorithm.rawValue)), ("use", .string("sig"))]
    }

    private static func privateMember(_ bytes: [UInt8]?) -> [(name: String, value: JSONValue)] {
        bytes.map { [("d", text(of: $0))] } ?? []
    }

    private static func text(of bytes: [UInt8]) -> JSONValue {
        .string(String(decoding: Base64URL.encode(bytes), as: UTF8.self))
    }
}
