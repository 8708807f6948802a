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
        try tokens.read { table throws(StoreError) in try table.all }
    }

    public func tokenCount() throws(StoreError) -> Int { try tokens.read { $0.tokenCount } }

    /// - Parameters:
    ///   - expires: The first moment at which it is no longer good; nil: never.
    ///   - renewal: Seconds by which each use puts its end off, as knox's `AUTO_REFRESH`; nil: not.
    ///   - limits: nil: it is good for all that the user may do.
    ///   - limit: Of tokens that a user may have which are still good; nil: none.
    /// - Throws: ``StoreError/tokenLimitReached``.
    public func issueToken(
        _ secret: TokenSecret,
        for user: User,
        label: String = "",
        expires: Timestamp? = nil,
        renewal: Int64? = nil,
        limits: TokenLimits? = nil,
        limit: Int? = nil
    ) throws(StoreError) -> Token {
        try confirm(user)
        var issued: Token?
        try tokens.write { table throws(StoreError) in
            let now = folder.now()
            if let limit {
                let count = try table.tokens(of: user.id).count { $0.isGood(for: user, at: now) }
                guard count < limit else { throw .tokenLimitReached }
            }
            guard try table[secret.digest] == nil else { throw .conflict }
            let token = Token(
                id: table.nextID,
                digest: secret.digest,
                user: user.id,
                epoch: user.epoch,
                label: label,
                created: now,
                expires: expires,
                renewal: renewal,
                limits: limits
            )
            issued = token
            return [token.issued]
        }
        guard let issued else { throw .conflict }
        return issued
    }

    /// In the order in which they were issued.
    public func tokens(of user: User.ID) throws(StoreError) -> [Token] {
        try tokens.read { table throws(StoreError) in try table.tokens(of: user) }
    }

    /// Whether putting off the end of a token that is in use makes a difference that is worth a write.
    func isRenewalDue(_ token: Token) -> Bool {
        guard let renewal = token.renewal, let expires = token.expires else { return false }
        return now().adding(seconds: renewal).seconds - expires.seconds > max(60, renewal / 24)
    }

    /// Puts off the end of a token that is in use. Nothing is waited for: where it is lost the token ends earlier.
    func renewToken(_ token: Token) throws(StoreError) {
        guard let renewal = token.renewal, let expires = token.expires else { return }
        let new = now().adding(seconds: renewal)
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
