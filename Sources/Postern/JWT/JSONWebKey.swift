internal import Crypto
internal import CryptoExtras

/// A key of RFC 7517 for one signature algorithm of RFC 7518 and RFC 8037. The algorithm is the key's: what a
/// token says of its algorithm can only be right or wrong (RFC 8725, section 3.1).
public struct JSONWebKey: Sendable {
    /// What signs or verifies. RS256 verifies tokens of others, we sign none with it.
    public enum Algorithm: String, Sendable, CaseIterable {
        case hs256 = "HS256"
        case es256 = "ES256"
        case edDSA = "EdDSA"
        case rs256 = "RS256"

        init?(name: String) { self.init(rawValue: name) }
    }

    enum Material: Sendable {
        case secret(SymmetricKey, KeyedHash)
        case p256(P256.Signing.PublicKey, private: P256.Signing.PrivateKey?)
        case ed25519(Curve25519.Signing.PublicKey, private: Curve25519.Signing.PrivateKey?)
        case rsa(_RSA.Signing.PublicKey, modulus: [UInt8], exponent: [UInt8])

        init(secret: SymmetricKey) { self = .secret(secret, KeyedHash(secret)) }
    }

    /// The key's name in the headers of tokens; nil where a key of another issuer has none.
    public let id: String?
    public let algorithm: Algorithm
    let material: Material

    /// RFC 7518, section 3.2: at least as many bits as the hash has.
    private static let leastSecretBytes = 32
    /// RFC 7518, section 3.3, and more than anybody uses.
    private static let modulusBits = 2048...8192

    init(id: String?, algorithm: Algorithm, material: Material) {
        self.id = id
        self.algorithm = algorithm
        self.material = material
    }

    /// For HS256.
    /// - Throws: ``JSONWebKeyError/weak``.
    init(id: String, secret: [UInt8]) throws(JSONWebKeyError) {
        guard secret.count >= Self.leastSecretBytes else { throw .weak }
        self.init(id: id, algorithm: .hs256, material: Material(secret: SymmetricKey(data: secret)))
    }

    /// Reads a JWK.
    /// - Throws: ``JSONWebKeyError`` for what is no key, too weak, or meant for something else than signatures
    ///   with an algorithm of ours.
    init(_ object: JSONObject) throws(JSONWebKeyError) {
        let algorithm = try Self.algorithm(of: object)
        if object.contains("kid"), object.string("kid") == nil { throw .malformed("kid") }
        if object.contains("use"), object.string("use") != "sig" { throw .notForSignatures }
        if let operations = object["key_ops"] {
            guard case .array(let names) = operations,
                names.contains(where: { if case .string("verify") = $0 { true } else { false } })
            else { throw .notForSignatures }
        }
        id = object.string("kid")
        self.algorithm = algorithm
        material = try Self.material(object, algorithm)
    }

    func hasSecret(of other: JSONWebKey) -> Bool {
        if case .secret(let own, _) = material, case .secret(let others, _) = other.material {
            own == others
        } else {
            false
        }
    }

    var canSign: Bool {
        switch material {
        case .secret: true
        case .p256(_, let key): key != nil
        case .ed25519(_, let key): key != nil
        case .rsa: false
        }
    }

    private static func algorithm(of object: JSONObject) throws(JSONWebKeyError) -> Algorithm {
        let natural: Algorithm
        switch (object.string("kty"), object.string("crv")) {
        case ("oct", _): natural = .hs256
        case ("EC", "P-256"): natural = .es256
        case ("OKP", "Ed25519"): natural = .edDSA
        case ("RSA", _): natural = .rs256
        default: throw .unsupported
        }
        guard object.contains("alg") else { return natural }
        // RFC 9864 calls EdDSA with this curve Ed25519.
        guard let name = object.string("alg"), name == natural.rawValue || natural == .edDSA && name == "Ed25519"
        else { throw .unsupported }
        return natural
    }

    private static func material(_ object: JSONObject, _ algorithm: Algorithm) throws(JSONWebKeyError) -> Material {
        switch algorithm {
        case .hs256:
            let secret = try bytes("k", of: object)
            guard secret.count >= leastSecretBytes else { throw .weak }
            return Material(secret: SymmetricKey(data: secret))
        case .es256:
            let point = try bytes("x", of: object, count: 32) + bytes("y", of: object, count: 32)
            guard let key = try? P256.Signing.PublicKey(rawRepresentation: point) else { throw .malformed("x") }
            guard object.contains("d") else { return .p256(key, private: nil) }
            let scalar = try bytes("d", of: object, count: 32)
            guard let privateKey = try? P256.Signing.PrivateKey(rawRepresentation: scalar),
                privateKey.publicKey.rawRepresentation == key.rawRepresentation
            else { throw .malformed("d") }
            return .p256(key, private: privateKey)
        case .edDSA:
            let point = try bytes("x", of: object, count: 32)
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: point) else { throw .malformed("x") }
            guard object.contains("d") else { return .ed25519(key, private: nil) }
            let seed = try bytes("d", of: object, count: 32)
            guard let privateKey = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed),
                privateKey.publicKey.rawRepresentation == key.rawRepresentation
            else { throw .malformed("d") }
            return .ed25519(key, private: privateKey)
        case .rs256: return try rsa(object)
        }
    }

    private static func rsa(_ object: JSONObject) throws(JSONWebKeyError) -> Material {
        let modulus = try bytes("n", of: object)
        let exponent = try bytes("e", of: object)
        guard let first = modulus.first, first != 0, modulus.last.map({ $0 & 1 == 1 }) ?? false else {
            throw .malformed("n")
        }
        let bits = modulus.count * 8 - first.leadingZeroBitCount
        guard modulusBits.contains(bits) else { throw .weak }
        // RFC 8017, section 3.1: odd, and at least 3. More than 32 bits only slow us down.
        guard exponent.count <= 4, exponent.first != 0, let last = exponent.last, last & 1 == 1, exponent != [1] else {
            throw .malformed("e")
        }
        guard !hasROCAFingerprint(modulus) else { throw .weak }
        guard let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent) else { throw .malformed("n") }
        return .rsa(key, modulus: modulus, exponent: exponent)
    }

    /// Moduli whose factors can be computed (CVE-2017-15361): modulo each of the first primes they are a power
    /// of 65537, which others are with a probability of one in a hundred million.
    private static func hasROCAFingerprint(_ modulus: [UInt8]) -> Bool {
        let primes = [
            3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
            109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
        ]
        return primes.allSatisfy { prime in
            let rest = modulus.reduce(0) { ($0 * 256 + Int($1)) % prime }
            var power = 1
            for _ in 0..<prime {
                if power == rest { return true }
                power = power * 65537 % prime
            }
            return false
        }
    }

    private static func bytes(
        _ name: String,
        of object: JSONObject,
        count: Int? = nil
    ) throws(JSONWebKeyError) -> [UInt8] {
        guard let bytes = object.base64URL(name), count == nil || bytes.count == count else { throw .malformed(name) }
        return bytes
    }
}

/// Why a JWK is not taken.
public enum JSONWebKeyError: Error, Equatable, CustomStringConvertible {
    /// Is no object of JSON, or holds a name twice.
    case notAnObject
    /// The member of this name is missing or wrong.
    case malformed(String)
    /// A secret of less than 32 bytes, or an RSA modulus of less than 2048 bits.
    case weak
    case notForSignatures
    /// There is no key at all.
    case none
    /// Not HS256, ES256, EdDSA with Ed25519, or RS256.
    case unsupported

    public var description: String {
        switch self {
        case .notAnObject: "is not a JSON object"
        case .malformed(let name): "has no member \(name) that makes sense"
        case .weak: "is too short to be safe"
        case .notForSignatures: "is not meant for signatures"
        case .none: "holds no key"
        case .unsupported: "is not for HS256, ES256, EdDSA or RS256"
        }
    }
}
