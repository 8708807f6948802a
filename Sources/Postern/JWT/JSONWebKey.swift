internal import CSodium
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

        /// RFC 9864 calls EdDSA with the only curve that we have Ed25519.
        init?(name: String) {
            let name = name.hasSameBytes(as: "Ed25519") ? Self.edDSA.rawValue : name
            guard let algorithm = Self.allCases.first(where: { $0.rawValue.hasSameBytes(as: name) }) else { return nil }
            self = algorithm
        }
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

    /// Reads a JWK as issuers write them: a member that is null or empty is one that is not there, numbers may have zeros
    /// in front, texts the padding and the alphabet of plain base64. Each of these says the same key.
    ///
    /// - Throws: ``JSONWebKeyError`` for what is no key, too weak, or meant for something else than signatures
    ///   with an algorithm of ours.
    init(_ object: JSONObject) throws(JSONWebKeyError) {
        let object = Self.withoutEmptyMembers(object)
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

    private static func withoutEmptyMembers(_ object: JSONObject) -> JSONObject {
        JSONObject(
            object.members.filter { member in
                switch member.value {
                case .null: false
                case .array(let elements): !elements.isEmpty
                // An empty name of a key is a name.
                case .string(let text): !text.isEmpty || member.name == "kid"
                default: true
                }
            }
        )
    }

    func hasSecret(of other: JSONWebKey) -> Bool {
        if case .secret(let own, _) = material, case .secret(let others, _) = other.material {
            own == others
        } else {
            false
        }
    }

    /// Equal for keys that are the same.
    var identity: [UInt8] {
        let bytes: [UInt8] =
            switch material {
            case .secret(let key, _): key.withUnsafeBytes { Array($0) }
            case .p256(let key, _): Array(key.rawRepresentation)
            case .ed25519(let key, _): Array(key.rawRepresentation)
            case .rsa(_, let modulus, let exponent): exponent + [0] + modulus
            }
        return Array(algorithm.rawValue.utf8) + Array((id.map { "\($0.utf8.count) \($0)" } ?? "").utf8) + [0] + bytes
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
        guard let name = object.string("alg"), Algorithm(name: name) == natural else { throw .unsupported }
        return natural
    }

    private static func material(_ object: JSONObject, _ algorithm: Algorithm) throws(JSONWebKeyError) -> Material {
        switch algorithm {
        case .hs256:
            let secret = try bytes("k", of: object)
            guard secret.count >= leastSecretBytes else { throw .weak }
            return Material(secret: SymmetricKey(data: secret))
        case .es256:
            let point = try coordinate("x", of: object) + coordinate("y", of: object)
            guard let key = try? P256.Signing.PublicKey(rawRepresentation: point) else { throw .malformed("x") }
            guard object.contains("d") else { return .p256(key, private: nil) }
            let scalar = try coordinate("d", of: object)
            guard let privateKey = try? P256.Signing.PrivateKey(rawRepresentation: scalar),
                privateKey.publicKey.rawRepresentation == key.rawRepresentation
            else { throw .malformed("d") }
            return .p256(key, private: privateKey)
        case .edDSA:
            let point = try bytes("x", of: object)
            guard point.count == 32 else { throw .malformed("x") }
            // The encoding that has no other, of a point in the group of prime order: by those of small order anybody
            // signs anything (RFC 8032, section 5.1.7, leaves that to us).
            guard crypto_core_ed25519_is_valid_point(point) == 1 else { throw .forgeable }
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: point) else { throw .malformed("x") }
            guard object.contains("d") else { return .ed25519(key, private: nil) }
            let seed = try bytes("d", of: object)
            guard seed.count == 32,
                let privateKey = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed),
                privateKey.publicKey.rawRepresentation == key.rawRepresentation
            else { throw .malformed("d") }
            return .ed25519(key, private: privateKey)
        case .rs256: return try rsa(object)
        }
    }

    private static func rsa(_ object: JSONObject) throws(JSONWebKeyError) -> Material {
        let modulus = try number("n", of: object)
        let exponent = try number("e", of: object)
        guard let first = modulus.first, modulus.last.map({ $0 & 1 == 1 }) ?? false else { throw .malformed("n") }
        let bits = modulus.count * 8 - first.leadingZeroBitCount
        guard bits >= modulusBits.lowerBound else { throw .weak }
        guard bits <= modulusBits.upperBound else { throw .tooLong }
        // RFC 8017, section 3.1: odd, and at least 3. By 1 each text signs itself. More than 32 bits only slow us down.
        guard exponent != [1] else { throw .forgeable }
        guard exponent.count <= 4, let last = exponent.last, last & 1 == 1 else { throw .malformed("e") }
        let rests = smallPrimes.map { prime in modulus.reduce(0) { ($0 * 256 + Int($1)) % prime } }
        guard !rests.contains(0) else { throw .forgeable }
        guard !hasROCAFingerprint(rests) else { throw .weak }
        guard let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent) else { throw .malformed("n") }
        return .rsa(key, modulus: modulus, exponent: exponent)
    }

    private static let smallPrimes = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
        113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ]

    /// Moduli whose factors can be computed (CVE-2017-15361): modulo each of the first primes they are a power
    /// of 65537, which others are with a probability of one in a hundred million.
    /// - Parameter rests: Of the modulus by ``smallPrimes``.
    private static func hasROCAFingerprint(_ rests: [Int]) -> Bool {
        zip(smallPrimes, rests).allSatisfy { prime, rest in
            var power = 1
            for _ in 0..<prime {
                if power == rest { return true }
                power = power * 65537 % prime
            }
            return false
        }
    }

    private static func bytes(_ name: String, of object: JSONObject) throws(JSONWebKeyError) -> [UInt8] {
        guard var text = object.string(name).map({ Array($0.utf8) }) else { throw .malformed(name) }
        for _ in 0..<2 where text.last == UInt8(ascii: "=") { text.removeLast() }
        for (position, character) in text.enumerated() {
            if character == UInt8(ascii: "+") { text[position] = UInt8(ascii: "-") }
            if character == UInt8(ascii: "/") { text[position] = UInt8(ascii: "_") }
        }
        guard let bytes = Base64URL.decode(text[...]) else { throw .malformed(name) }
        return bytes
    }

    /// Without zeros in front, which Java's `BigInteger.toByteArray` writes (RFC 7518, section 6.3.1.1).
    private static func number(_ name: String, of object: JSONObject) throws(JSONWebKeyError) -> [UInt8] {
        Array(try bytes(name, of: object).drop { $0 == 0 })
    }

    /// A number of P-256, of its full length whatever was written (RFC 7518, section 6.2.1.2).
    private static func coordinate(_ name: String, of object: JSONObject) throws(JSONWebKeyError) -> [UInt8] {
        let number = try number(name, of: object)
        guard number.count <= 32 else { throw .malformed(name) }
        return [UInt8](repeating: 0, count: 32 - number.count) + number
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
    /// An RSA modulus of more than 8192 bits.
    case tooLong
    /// A point of small order or of two encodings, an RSA exponent of 1, a modulus that falls apart.
    case forgeable
    case doubledName
    /// A file of more than a mebibyte.
    case tooLarge
    case secretAmongPublicKeys

    public var description: String {
        switch self {
        case .notAnObject: "is not a JSON object"
        case .malformed(let name): "has no member \(name) that makes sense"
        case .weak: "is too short to be safe"
        case .notForSignatures: "is not meant for signatures"
        case .none: "holds no key"
        case .unsupported: "is not for HS256, ES256, EdDSA or RS256"
        case .tooLong: "has more bits than anybody uses"
        case .forgeable: "lets others sign, too"
        case .doubledName: "holds a name twice"
        case .tooLarge: "is larger than any JWK Set"
        case .secretAmongPublicKeys: "is a secret among public keys"
        }
    }
}
