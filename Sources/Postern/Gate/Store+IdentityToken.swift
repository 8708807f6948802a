internal import Journal

extension Store {
    /// Seconds for which an identity is good: long enough to reach the upstream.
    private static let identityLifetime: Int64 = 60

    /// A JSON Web Token that says who asks, for an upstream that does not trust the network between. It opens nothing
    /// here: its `token_type` is `identity`.
    ///
    /// - Parameters:
    ///   - audience: The `aud` that the upstream has to insist on.
    ///   - listLimit: Bytes that a list has at most.
    /// - Throws: ``APIError/misconfigured(_:)`` without a key that others can verify by.
    func identityToken(
        for user: User,
        _ request: APIRequest,
        _ settings: GateSettings,
        _ audience: String,
        listLimit: Int
    ) throws -> String {
        let now = now()
        let expires = now.seconds + Self.identityLifetime + (settings.cacheSeconds ?? 0)
        guard let key = try keyRing().signer(at: now, isPublic: true)?.key else {
            throw APIError.misconfigured(
                PolicyError(
                    parameter: PolicyParameter.identityAudience.rawValue,
                    value: audience,
                    reason: "needs a key that the upstream can verify by: postern key generate --algorithm EdDSA"
                )
            )
        }
        let claims: [(name: String, value: JSONValue)] = [
            ("token_type", .string("identity")), ("aud", .string(audience)), ("sub", .string(String(user.id))),
            ("iat", .integer(now.seconds)), ("exp", .integer(expires)),
            ("jti", .string(Base62.random(count: 22))), ("username", .string(user.username.description)),
            ("groups", .array(user.groups.lazy.map(\.description).fitting(listLimit).map { .string($0) })),
            ("scope", .string((request.credential?.scopes ?? []).fitting(listLimit).joined(separator: " "))),
            ("scheme", .string(request.scheme ?? "")), ("staff", .bool(user.isStaff)),
            ("superuser", .bool(user.isSuperuser)),
        ]
        guard let text = JSONWebSignature.compact(claims, signedBy: key) else { throw StoreError.noSuchKey }
        return String(decoding: text, as: UTF8.self)
    }
}
