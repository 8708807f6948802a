package import Journal

extension Store {
    /// All keys for JSON Web Tokens as they are now.
    public func keyRing() throws(StoreError) -> KeyRing { try keys.ring() }

    /// Makes a new key. It verifies at once, in every process, and signs when its time has come.
    ///
    /// - Parameters:
    ///   - algorithm: Not ``JSONWebKey/Algorithm/rs256``.
    ///   - delay: Seconds until it signs, so that others who verify our tokens can fetch it before.
    @discardableResult
    public func generateKey(
        _ algorithm: JSONWebKey.Algorithm,
        delay: Int64 = 0
    ) throws(StoreError) -> StoredKey {
        guard let key = JSONWebKey.random(algorithm, id: Base62.random(count: 16)) else { throw .noSuchKey }
        let created = now()
        // Times are of whole seconds: a key that follows another within one has to come after it.
        let last = try keyRing().keys.map(\.created.seconds).max() ?? 0
        let stored = StoredKey(
            key: key,
            created: Timestamp(seconds: max(created.seconds, last + 1)),
            signsFrom: delay > 0 ? created.adding(seconds: delay) : Timestamp(seconds: created.seconds)
        )
        try keys.add(key, created: stored.created, signsFrom: stored.signsFrom)
        return stored
    }

    /// Takes over the secret with which another program signs by HS256, so that its tokens stay good. It verifies, and signs
    /// nothing.
    ///
    /// - Parameter secret: Its bytes; of Django, those of `SIGNING_KEY` or else `SECRET_KEY`.
    /// - Returns: The key, or the one that is there already.
    /// - Throws: ``NotASecretError`` for a key, ``JSONWebKeyError/weak`` for a secret of less than 32 bytes (RFC 7518, section
    ///   3.2), ``StoreError``.
    public func importKey(_ secret: [UInt8]) throws -> StoredKey {
        if let shape = KeyShape(of: secret) { throw NotASecretError(shape) }
        let key = try JSONWebKey(id: Base62.random(count: 16), secret: secret)
        if let known = try keyRing().keys.first(where: { $0.key.hasSecret(of: key) }) { return known }
        // No time says that it is imported.
        let stored = StoredKey(key: key, created: Timestamp(seconds: 0), signsFrom: Timestamp(seconds: 0))
        try keys.add(key, created: stored.created, signsFrom: stored.signsFrom)
        return stored
    }

    /// Takes a key away: what it signed is refused from the next request on.
    /// - Throws: ``StoreError/keyInUse`` for the key that signs, unless `force` says so.
    public func retireKey(_ id: String, force: Bool = false) throws(StoreError) {
        let ring = try keyRing()
        guard ring.keys.contains(where: { $0.id == id }) else { throw .noSuchKey }
        guard force || ring.signer(at: now())?.id != id else { throw .keyInUse }
        try keys.remove(id)
    }

    /// Whether a single token or its family was revoked.
    package func isRevoked(_ token: [UInt8], _ family: [UInt8] = []) throws(StoreError) -> Bool {
        try revocations.read { $0.isRevoked(token) || token != family && $0.isRevoked(family) }
    }

    func refreshFamily(_ id: [UInt8]) throws(StoreError) -> RefreshFamily? { try revocations.read { $0[id] } }

    package func revoke(_ id: [UInt8], expires: Timestamp) throws(StoreError) {
        try revocations.write { table in
            let latest = max(expires, table[id]?.expires ?? expires)
            return [RevocationTable.revocation(of: id, expires: latest)]
        }
    }

    /// What became of an attempt to use up a refresh token.
    enum Rotated: Equatable {
        case successor(RefreshSuccessor)
        /// It was used up before: its family is dead now.
        case reused
        /// Its family is dead already, or not known here, and it is not the first of it: in a store that was put back from a
        /// backup it may be a good one whose use is forgotten.
        case refused
    }

    /// Uses up a refresh token, in one step for all processes: of those who try at the same time one makes the
    /// successor, and the others get that same one if they are the same caller within `grace` seconds.
    ///
    /// - Parameter expires: Of the token that is presented.
    func rotate(
        _ jti: [UInt8],
        of family: [UInt8],
        expires: Timestamp,
        successor: RefreshSuccessor,
        caller: [UInt8],
        grace: Int64
    ) throws(StoreError) -> Rotated {
        var outcome = Rotated.refused
        try revocations.write { table in
            outcome = .refused
            let known = table[family]
            let last = known?.last
            // A family that is not known has not been refreshed: its first token is the only one.
            if known == nil ? jti == family : last?.successor.jti == jti {
                outcome = .successor(successor)
                let rotation = RefreshFamily.Rotation(used: jti, successor: successor, caller: caller)
                return [RevocationTable.rotation(family, rotation)]
            }
            guard let known, let last else { return [] }
            if last.used == jti, last.caller == caller, now() < last.successor.issued.adding(seconds: grace) {
                outcome = .successor(last.successor)
                return []
            }
            outcome = .reused
            return [RevocationTable.revocation(of: family, expires: max(known.expires, expires))]
        }
        return outcome
    }
}
