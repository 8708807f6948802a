public import Journal

/// What is done to and with users and tokens, by whichever way it was asked for: passwords are checked and
/// hashed here, tokens made, and signals sent.
public final class Accounts: Sendable {
    public let store: Store
    public let signals = Signals()
    private let hasher: PasswordHasher
    private let rules: PasswordRules
    private let issuesTokenWithUser: Bool

    /// - Parameter issuesTokenWithUser: Makes a token whenever a user is made, as the `post_save` receiver in
    ///   DRF's documentation of `TokenAuthentication` does.
    public init(
        store: Store,
        hasher: PasswordHasher = PasswordHasher(),
        rules: PasswordRules = PasswordRules(),
        issuesTokenWithUser: Bool = false
    ) {
        self.store = store
        self.hasher = hasher
        self.rules = rules
        self.issuesTokenWithUser = issuesTokenWithUser
    }

    /// The active user of this name and password; nil otherwise, after the same time whatever was wrong
    /// (Django's `ModelBackend`).
    ///
    /// - Parameter waiting: Called before a password is hashed, so that a server can use the thread's place.
    /// - Throws: ``APIError/unavailable(_:)`` when too many passwords wait, or the store fails.
    public func user(
        named name: [UInt8],
        password: [UInt8],
        waiting: () -> Void = {}
    ) throws(APIError) -> User? {
        do {
            let candidate = try (try? Username(name)).flatMap { try store.user(named: $0) }
            waiting()
            guard try hasher.verify(password, against: candidate?.passwordHash), let candidate, candidate.isActive
            else {
                signals.send(.loginFailed(username: name))
                return nil
            }
            // A login that is good stays good where the better hash cannot be made or written now.
            try? renewHash(of: candidate, password)
            return candidate
        } catch let error as StoreError {
            throw .unavailable(error.description)
        } catch {
            throw .unavailable("\(error)")
        }
    }

    /// Adds a user, and a token where that is asked for here or by the setting.
    ///
    /// - Parameter password: nil makes an account that no password opens.
    /// - Returns: The user; the token in clear, for the only time.
    /// - Throws: ``PasswordError`` when a rule refuses the password, ``StoreError``.
    public func addUser(
        _ username: Username,
        password: [UInt8]?,
        isStaff: Bool = false,
        isSuperuser: Bool = false,
        withToken: Bool = false
    ) throws -> (User, TokenSecret?) {
        let hash = try password.map { password in
            try rules.check(password, for: username)
            return try hasher.hash(password)
        }
        let user = try store.addUser(username, passwordHash: hash, isStaff: isStaff, isSuperuser: isSuperuser)
        signals.send(.userCreated(user))
        guard withToken || issuesTokenWithUser else { return (user, nil) }
        return (user, try issueToken(for: user).1)
    }

    /// - Throws: ``PasswordError`` when a rule refuses the password, ``StoreError``.
    public func setPassword(of user: User, to password: [UInt8]) throws {
        try rules.check(password, for: user.username)
        try store.setPassword(of: user.id, to: try hasher.hash(password))
    }

    /// - Parameter expires: The first moment at which it is no longer good; nil: never.
    /// - Returns: What the store keeps; the token in clear, for the only time.
    public func issueToken(
        for user: User,
        label: String = "",
        expires: Timestamp? = nil
    ) throws(StoreError) -> (Token, TokenSecret) {
        let secret = TokenSecret.random()
        let token = try store.issueToken(secret, for: user, label: label, expires: expires)
        signals.send(.tokenIssued(token))
        return (token, secret)
    }

    /// Hands out a token for a password that was right.
    func logIn(_ user: User) throws(StoreError) -> (Token, TokenSecret) {
        let issued = try issueToken(for: user)
        signals.send(.loggedIn(user))
        return issued
    }

    public func revokeToken(_ id: Token.ID) throws(StoreError) {
        signals.send(.tokenRevoked(try store.revokeToken(id)))
    }

    /// A hash of older parameters is replaced as soon as its password is known.
    private func renewHash(of user: User, _ password: [UInt8]) throws {
        guard let old = user.passwordHash, Argon2id.isOutdated(old) else { return }
        try store.replaceHash(of: user.id, old, by: try hasher.hash(password))
    }
}
