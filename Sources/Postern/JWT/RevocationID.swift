/// The names in the journal `revocations` under which single tokens are revoked. Each is the name of one token alone.
struct RevocationID: Sendable {
    let bytes: [UInt8]
    /// The name that former versions gave to the same token; empty where they gave it this one, or one that it shared with
    /// others.
    let former: [UInt8]

    /// Of a token that a key of ours verifies: its `jti`, as simplejwt's blacklist has it.
    /// - Parameter signed: Header and payload as they were signed.
    init(jti: String?, signed: ArraySlice<UInt8>) {
        bytes = jti.flatMap { $0.isEmpty ? nil : Array($0.utf8) } ?? Self.digest(of: signed)
        former = []
    }

    /// Of a token of another issuer: a `jti` is unique within its issuer alone (RFC 7519, section 4.1.7).
    init(jti: String?, issuer: String, signed: ArraySlice<UInt8>) {
        guard let jti, !jti.isEmpty else {
            bytes = Self.digest(of: signed)
            former = []
            return
        }
        // A location names no issuer with a space in it.
        bytes = Array("foreign \(issuer) \(jti)".utf8)
        former = Array("foreign \(jti)".utf8)
    }

    /// Without the signature, of which ECDSA has several for one token.
    private static func digest(of signed: ArraySlice<UInt8>) -> [UInt8] { SecretDigest(of: signed).column }
}
