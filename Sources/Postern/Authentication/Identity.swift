/// Who is asking, and by what: what DRF's `authenticate` returns as `(user, auth)`.
public struct Identity: Sendable {
    public let user: User
    public let credential: Credential

    public init(_ user: User, by credential: Credential) {
        self.user = user
        self.credential = credential
    }
}

/// What somebody was recognised by.
public enum Credential: Sendable {
    case token(Token)
    case session(Session)
    case jwt(JWTClaims)
    /// A username and a password, or what an authenticator of one's own goes by.
    case password

    /// The scopes that it carries (RFC 6749, section 3.3). What has none, as a session, is within no scope.
    public var scopes: [String] {
        switch self {
        case .token(let token): token.limits?.scopes ?? []
        case .jwt(let claims): claims.scopes ?? []
        case .session, .password: []
        }
    }

    /// Whether it is good for less than its user may do.
    var isLimited: Bool {
        switch self {
        case .token(let token): token.limits != nil
        case .jwt(let claims): claims.scopes != nil
        case .session, .password: false
        }
    }

    /// Whether it is the word of another issuer.
    var isForeign: Bool { if case .jwt(let claims) = self { claims.isForeign } else { false } }
}
