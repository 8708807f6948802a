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
}
