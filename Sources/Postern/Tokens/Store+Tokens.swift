public import Journal

extension Store {
    public func token(_ digest: SecretDigest) throws(StoreError) -> Token? {
        try tokens.read { table throws(StoreError) in try table[digest] }
    }

    /// The token of a text that a client presents; nil when there is none.
    func token(presentedAs text: ArraySlice<UInt8>) throws(StoreError) -> Token? {
        switch TokenSecret.form(of: text) {
        case nil: return nil
        case .sha256?: return try token(SecretDigest(of: text))
        case .knox?:
            // Since knox 5 the digest is of the text, before that it was of the bytes that the digits stand for.
            if let token = try token(SecretDigest(sha512Of: text)) { return token }
            return try Hexadecimal.bytes(text).flatMap { bytes throws(StoreError) in
                try token(SecretDigest(sha512Of: bytes))
            }
        }
    }

    /// In the order in which they were issued.
    public func allTokens() throws(StoreError) -> [Token] {
        try withTokenTable { table throws(StoreError) in try table.all }
    }

    public func tokenCount() throws(StoreError) -> Int { try tokens.read { $0.tokenCount } }

    /// - Parameters:
    ///   - expires: The first moment at which it is no longer good; nil: never.
    ///   - renewal: How its uses put its end off; nil: not.
    ///   - limits: nil: it is good for all that the user may do.
    public func issueToken(
        _ secret: TokenSecret,
        for user: User,
        label: String = "",
        expires: Timestamp? = nil,
        renewal: Token.Renewal? = nil,
        limits: TokenLimits? = nil
    ) throws(StoreError) -> Token {
        try issue(secret, for: user, label: label, expires: expires, renewal: renewal, limits: limits).issued
    }

    /// As ``issueToken(_:for:label:expires:renewal:limits:)``, within a quota.
    ///
    /// - Parameters:
    ///   - source: The view that issues it; nil: none does.
    ///   - quota: Of tokens of that source; nil: none.
    /// - Returns: The token, and those that ended with it, in one step.
    /// - Throws: ``StoreError/tokenLimitReached``.
    func issue(
        _ secret: TokenSecret,
        for user: User,
        label: String = "",
        expires: Timestamp? = nil,
        renewal: Token.Renewal? = nil,
        limits: TokenLimits? = nil,
        source: Token.Source? = nil,
        quota: TokenQuota? = nil
    ) throws(StoreError) -> (issued: Token, ended: [Token]) {
        try confirm(user)
        var result: (issued: Token, ended: [Token])?
        try tokens.write { table throws(StoreError) in
            let now = folder.now()
            guard try table[secret.digest] == nil else { throw .conflict }
            let room = try quota.map { quota throws(StoreError) in
                try Self.room(in: table, for: user, source, quota, at: now)
            }
            let token = Token(
                id: table.nextID,
                digest: secret.digest,
                user: user.id,
                epoch: user.epoch,
                label: label,
                created: now,
                expires: expires,
                renewal: renewal,
                limits: limits,
                source: source
            )
            result = (token, room?.ended ?? [])
            let gone = (room?.ended ?? []) + (room?.forgotten ?? [])
            return gone.map { TokenTable.revocation(of: $0.id) } + [token.issued]
        }
        guard let result else { throw .conflict }
        return result
    }

    /// Lets there be room for one token more. The lines of tokens are read only where there are as many as may be.
    /// - Returns: Which good ones have to end for it; of others, some that nobody will ask for again, so that the next ones who
    ///   count need not look at them.
    private static func room(
        in table: borrowing TokenTable,
        for user: User,
        _ source: Token.Source?,
        _ quota: TokenQuota,
        at now: Timestamp
    ) throws(StoreError) -> (ended: [Token], forgotten: [Token]) {
        let owner = TokenOwner(user: user.id, source: source)
        guard try table.count(of: owner, upTo: quota.count) >= quota.count else { return ([], []) }
        let tokens = try table.tokens(of: owner)
        let good = tokens.filter { $0.isGood(for: user, at: now) }
        let excess = good.count - quota.count + 1
        guard excess <= 0 || quota.endsOldest else { throw .tokenLimitReached }
        let byUse = good.sorted { ($0.lastKnownUse, $0.id) < ($1.lastKnownUse, $1.id) }
        let forgotten = tokens.lazy.filter { TokenTable.isForgotten($0, of: user, at: now) }
        return (Array(byUse.prefix(max(0, excess))), Array(forgotten.prefix(forgottenAtOnce)))
    }

    private static let forgottenAtOnce = 64

    public func token(_ id: Token.ID) throws(StoreError) -> Token? {
        try tokens.read { table throws(StoreError) in try table[id] }
    }

    /// Lends all tokens as they are at one moment. What is looked through here is looked through beside the requests that go
    /// on. Called once more where somebody has changed by hand what was looked through.
    func withTokenTable<Result>(
        _ body: (TokenTable) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        try tokens.readCopy(body)
    }

    /// In the order in which they were issued.
    public func tokens(of user: User.ID) throws(StoreError) -> [Token] {
        try withTokenTable { table throws(StoreError) in try table.tokens(of: user) }
    }

    /// Whether putting off the end of a token that is in use makes a difference that is worth a write.
    func isRenewalDue(_ token: Token) -> Bool {
        guard let renewal = token.renewal, let expires = token.expires else { return false }
        return renewal.end(of: token, usedAt: now()).seconds - expires.seconds > max(60, renewal.seconds / 24)
    }

    /// Puts off the end of a token that is in use. Nothing is waited for: where it is lost the token ends earlier.
    func renewToken(_ token: Token) throws(StoreError) {
        guard let renewal = token.renewal, let expires = token.expires else { return }
        let new = renewal.end(of: token, usedAt: now())
        try tokens.write(isAwaited: false) { table throws(StoreError) in
            guard let known = try table[token.id], known.expires == expires else { return [] }
            return [TokenTable.renewal(of: token.id, until: new)]
        }
    }

    /// - Returns: The token that is now dead.
    @discardableResult
    public func revokeToken(_ id: Token.ID) throws(StoreError) -> Token {
        var revoked: Token?
        try tokens.write { table throws(StoreError) in
            guard let token = try table[id] else { throw .noSuchToken }
            revoked = token
            return [TokenTable.revocation(of: id)]
        }
        guard let revoked else { throw .conflict }
        return revoked
    }
}
