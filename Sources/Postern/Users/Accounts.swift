public import Journal

/// What is done to and with users and tokens, by whichever way it was asked for: passwords are checked and
/// hashed here, tokens made, and signals sent.
public final class Accounts: Sendable {
    public let store: Store
    public let signals = Signals()
    let hasher: PasswordHasher
    let memo = PasswordMemo()
    private let rules: PasswordRules
    let issuesTokenWithUser: Bool

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

    /// Counts from now on what is done with passwords and on disk.
    func observe(by metrics: Metrics) {
        // One pipeline counts for all that have the same accounts.
        guard store.metrics.put(metrics) === metrics else { return }
        _ = hasher.metrics.put(metrics)
        store.folder.whenSynced { nanoseconds, isGood in
            if isGood { metrics.countSync(nanoseconds: nanoseconds) } else { metrics.count(.failedSyncs) }
        }
        signals.connect { signal, _ in
            switch signal {
            case .loggedIn: metrics.count(.loginsSucceeded)
            case .loginFailed: metrics.count(.loginsFailed)
            default: break
            }
        }
    }

    /// The active user of this name and password; nil otherwise, after the same time whatever was wrong
    /// (Django's `ModelBackend`).
    ///
    /// - Parameters:
    ///   - isRepeated: Whether the client sends the password with each request: one that was right a minute ago
    ///     is not hashed again then.
    ///   - request: With which it came: how often its client may try is limited, and others use the thread's place while
    ///     it is hashed.
    /// - Throws: ``APIError/unavailable(_:)`` when too many passwords wait, or the store fails;
    ///   ``APIError/tooManyFailures(_:)`` when too many were wrong.
    public func user(
        named name: [UInt8],
        password: [UInt8],
        isRepeated: Bool = false,
        for request: APIRequest? = nil
    ) throws(APIError) -> User? {
        do {
            let candidate = try (try? Username(name)).flatMap { try store.user(named: $0) }
            // Nothing may say whether a password is remembered where none may be tried.
            if isRepeated, let candidate, request?.failures?.hasRoom(for: candidate.id) ?? true,
                remembers(password, of: candidate)
            {
                return candidate
            }
            guard
                try verify(
                    password,
                    of: candidate,
                    name: name,
                    isRepeated: isRepeated,
                    for: request,
                    isRight: { CredentialFault.of($0, .now) == nil }
                ),
                let candidate
            else {
                signals.send(.loginFailed(username: name), for: request)
                return nil
            }
            if isRepeated { memo.remember(password, of: candidate, at: store.now()) }
            // A login that is good stays good where the better hash cannot be made or written now.
            try? renewHash(of: candidate, password)
            return candidate
        } catch {
            throw APIError(any: error)
        }
    }

    /// Whether it is known that the password is the active user's. The counters are asked first.
    private func remembers(_ password: [UInt8], of user: User?) -> Bool {
        guard let user, CredentialFault.of(user, .now) == nil,
            memo.verdict(on: password, of: user, at: store.now()) ?? false
        else {
            return false
        }
        store.metrics.value?.count(.passwordHits)
        return true
    }

    /// Whether another password of the user is remembered.
    private func isKnownWrong(_ password: [UInt8], of user: User?) -> Bool {
        user.flatMap { memo.verdict(on: password, of: $0, at: store.now()) } == false
    }

    /// Whether the password is the user's, as often as the request's client may ask that. Takes the same time whatever
    /// is wrong.
    ///
    /// - Parameters:
    ///   - user: nil for nobody, who has no password.
    ///   - isRepeated: Whether one that was right a minute ago is not hashed again.
    ///   - isRight: What else has to be right about the user.
    private func verify(
        _ password: [UInt8],
        of user: User?,
        name: [UInt8],
        isRepeated: Bool = false,
        for request: APIRequest?,
        isRight: (User?) -> Bool
    ) throws -> Bool {
        var attempt = try attempt(user, name, isRepeated ? password : nil, for: request)
        // Another request of the client may have been right while this one waited.
        if isRepeated, remembers(password, of: user) {
            attempt?.succeeded()
            return true
        }
        if isRepeated {
            store.metrics.value?.count(.passwordMisses)
            if isKnownWrong(password, of: user) { attempt?.becomeKnownWrong() }
        }
        do {
            let hash = user?.passwordHash
            let decoy = hash == nil ? try store.decoyHash(for: name) : nil
            let isRight = try hasher.verify(password, against: hash, decoy: decoy) && isRight(user)
            if isRight { attempt?.succeeded() } else { attempt?.failed() }
            return isRight
        } catch {
            if isRepeated { attempt?.wasNotTried() } else { attempt?.takeBack() }
            throw error
        }
    }

    /// Counts a password before anything is said of it, also before the request waits for its turn to have it hashed: who
    /// hangs up meanwhile, or is refused, was told by then that it is not remembered.
    ///
    /// - Parameter password: Where one that is remembered would have been right by now.
    private func attempt(
        _ user: User?,
        _ name: [UInt8],
        _ password: [UInt8]?,
        for request: APIRequest?
    ) throws(APIError) -> ClientFailures.Attempt? {
        guard let request else { return nil }
        var attempt =
            if let kept = request.takeAttempt() { kept } else {
                try request.failures?.attempt(user?.id, name: name, device: request.cookie(DeviceCookie.name)) {
                    () throws(APIError) in try request.waitForOthers()
                }
            }
        if let password, isKnownWrong(password, of: user) { attempt?.becomeKnownWrong() }
        try request.willHash(attempt)
        return attempt
    }

    /// Of a new password, when the rules let it be one.
    func hash(_ password: [UInt8], for username: Username) throws(PasswordError) -> String {
        try rules.check(password, for: username)
        return try hasher.hash(password)
    }

    /// Adds a user, and a token where that is asked for here or by the setting.
    ///
    /// - Parameters:
    ///   - username: Composed and checked here as by ``Username/init(new:)``, as Django's `create_user` composes it.
    ///   - password: nil makes an account that no password opens.
    ///   - request: That asked for it; nil for the command line. Likewise in the other methods.
    /// - Returns: The user; the token in clear, for the only time.
    /// - Throws: ``UsernameError`` and ``PasswordError`` when a rule refuses the name or the password, ``StoreError``.
    public func addUser(
        _ username: Username,
        password: [UInt8]?,
        isStaff: Bool = false,
        isSuperuser: Bool = false,
        withToken: Bool = false,
        for request: APIRequest? = nil
    ) throws -> (User, TokenSecret?) {
        let username = try Username(new: username.bytes)
        if password != nil { try request?.willHash() }
        let hash = try password.map { try self.hash($0, for: username) }
        let user = try store.addUser(username, passwordHash: hash, isStaff: isStaff, isSuperuser: isSuperuser)
        signals.send(.userCreated(user), for: request)
        guard withToken || issuesTokenWithUser else { return (user, nil) }
        return (user, try issueFirstToken(for: user, request: request))
    }

    /// Issues the token that a new user comes with. Where that fails the user is gone again: nobody finds one half made.
    func issueFirstToken(for user: User, request: APIRequest?) throws(StoreError) -> TokenSecret {
        do throws(StoreError) {
            return try issueToken(for: user, request: request).1
        } catch {
            if (try? store.deleteUser(user.id)) != nil {
                signals.send(.userChanged(user, .deleted, from: user), for: request)
            }
            throw error
        }
    }

    /// - Throws: ``PasswordError`` when a rule refuses the password, ``StoreError``.
    public func setPassword(of user: User, to password: [UInt8], for request: APIRequest? = nil) throws {
        try request?.willHash()
        let changed = try store.setPassword(of: user.id, to: try hash(password, for: user.username))
        signals.send(.userChanged(changed, .password, from: user), for: request)
    }

    /// Changes a user's own password, and raises the epoch: every credential that was issued before is dead.
    ///
    /// - Returns: The user as they are now; nil when `old` is not the password that they have.
    /// - Throws: ``PasswordError``, ``StoreError``, ``APIError/tooManyFailures(_:)``.
    func changePassword(
        of user: User,
        from old: [UInt8],
        to new: [UInt8],
        for request: APIRequest
    ) throws -> User? {
        guard try verify(old, of: user, name: user.username.bytes, for: request, isRight: { _ in true }),
            let oldHash = user.passwordHash
        else {
            signals.send(.loginFailed(username: user.username.bytes), for: request)
            return nil
        }
        let newHash = try hash(new, for: user.username)
        do {
            let changed = try store.setPassword(of: user.id, to: newHash, replacing: oldHash)
            signals.send(.userChanged(changed, .password, from: user), for: request)
            return changed
        } catch StoreError.conflict {
            return nil
        }
    }

    /// - Parameters:
    ///   - expires: The first moment at which it is no longer good; nil: never.
    ///   - renewal: How its uses put its end off; nil: not.
    ///   - limits: nil: it is good for all that the user may do.
    ///   - source: The view that issues it; nil: none does.
    ///   - quota: Of tokens of that source; nil: none.
    /// - Returns: What the store keeps; the token in clear, for the only time.
    /// - Throws: ``StoreError/tokenLimitReached``, and what befalls a store.
    public func issueToken(
        for user: User,
        label: String = "",
        expires: Timestamp? = nil,
        renewal: Token.Renewal? = nil,
        limits: TokenLimits? = nil,
        source: Token.Source? = nil,
        quota: TokenQuota? = nil,
        request: APIRequest? = nil
    ) throws(StoreError) -> (Token, TokenSecret) {
        let secret = TokenSecret.random()
        let (token, ended) = try store.issue(
            secret,
            for: user,
            label: label,
            expires: expires,
            renewal: renewal,
            limits: limits,
            source: source,
            quota: quota
        )
        for token in ended { signals.send(.tokenRevoked(token), for: request) }
        signals.send(.tokenIssued(token), for: request)
        return (token, secret)
    }

    /// Ends every credential of a user.
    public func revokeAll(of user: User, for request: APIRequest? = nil) throws(StoreError) {
        try store.revokeAll(of: user.id)
        signals.send(.userChanged(try store.user(user.id) ?? user, .revoked, from: user), for: request)
    }

    public func revokeToken(_ id: Token.ID, for request: APIRequest? = nil) throws(StoreError) {
        signals.send(.tokenRevoked(try store.revokeToken(id)), for: request)
    }

    /// A hash of older parameters is replaced as soon as its password is known.
    private func renewHash(of user: User, _ password: [UInt8]) throws {
        guard let old = user.passwordHash, Argon2id.isOutdated(old) else { return }
        try store.replaceHash(of: user.id, old, by: try hasher.hash(password))
    }
}
