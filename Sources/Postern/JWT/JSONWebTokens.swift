internal import Journal

/// Issues, checks, refreshes and ends JSON Web Tokens under the settings of one location.
struct JSONWebTokens: Sendable {
    let store: Store
    let settings: JWTSettings

    /// What a login and a refresh hand out. There is no new refresh token where they do not rotate.
    struct Pair {
        let family: [UInt8]
        let access: String
        let accessExpires: Timestamp
        let refresh: String?
        let refreshExpires: Timestamp
    }

    /// The claims of a token whose signature, times, issuer and audience are right. Nothing in it has been looked
    /// at before the signature held.
    func verify(_ text: ArraySlice<UInt8>) throws(JWTError) -> JWTClaims {
        let contents = try contents(of: text)
        guard contents.origin == .foreign, let issuer = settings.foreignIssuer else {
            return try JWTClaims(contents, settings.checks, now: store.now())
        }
        var checks = settings.checks
        checks.issuer = issuer.name
        checks.audienceClaim = issuer.audienceClaim
        return try JWTClaims(contents, checks, now: store.now())
    }

    /// What a token says whose signature is right by the keys that there are now.
    private func contents(of text: ArraySlice<UInt8>) throws(JWTError) -> JWTContents {
        let seen = store.keys.seen
        let digest = seen.digest(of: text, settings.foreignIssuer?.keys)
        if let digest, let entry = seen[digest], entry.userIDClaim == settings.userIDClaim,
            try isOfTheseKeys(entry)
        {
            store.metrics.value?.count(.tokenHits)
            return entry.contents
        }
        store.metrics.value?.count(.tokenMisses)
        let ring = try ring()
        guard let signature = JSONWebSignature(compact: text, knownHeader: ring.set.knownHeader.value) else {
            throw .invalid
        }
        var foreignKeys: JSONWebKeySet?
        var origin = JWTContents.Origin.foreign
        if let key = try signer(of: signature, among: ring.set) {
            origin = ring.isMadeHere(signature.header, by: key) ? .postern : .project
        } else {
            guard let issuer = settings.foreignIssuer else { throw .invalid }
            let keys = try keys(of: issuer)
            guard try signer(of: signature, among: keys, types: ["JWT", "AT+JWT"]) != nil else { throw .invalid }
            foreignKeys = keys
        }
        let scopeClaims = origin == .foreign ? settings.foreignIssuer?.scopeClaims ?? [] : []
        guard
            let contents = JWTContents(
                signature.payload,
                origin,
                signed: signature.signedText,
                userIDClaim: settings.userIDClaim,
                scopeClaims: scopeClaims
            )
        else { throw .invalid }
        if let digest {
            seen.remember(
                SeenTokens.Entry(
                    contents: contents,
                    userIDClaim: settings.userIDClaim,
                    ring: ring.set,
                    issuer: foreignKeys,
                    scopeClaims: scopeClaims
                ),
                at: digest
            )
        }
        return contents
    }

    /// Whether the keys are still those by which the token was verified.
    private func isOfTheseKeys(_ entry: SeenTokens.Entry) throws(JWTError) -> Bool {
        guard try ring().set === entry.ring else { return false }
        guard let keys = entry.issuer else { return true }
        guard let issuer = settings.foreignIssuer, issuer.scopeClaims == entry.scopeClaims else { return false }
        return try self.keys(of: issuer) === keys
    }

    /// The claims of a token that opens something here, and whose it is. Whatever takes a token, or says whether one is good,
    /// asks this.
    ///
    /// - Parameter kind: nil: any that opens something.
    @inline(__always)
    func owner(
        of text: ArraySlice<UInt8>,
        _ kind: JWTClaims.Kind?
    ) throws(JWTError) -> (claims: JWTClaims, user: User) {
        let claims = try verify(text)
        try claims.check(kind)
        guard try !isRevoked(claims) else { throw .blacklisted }
        if kind != .access, try isUsedUp(claims) { throw .blacklisted }
        guard claims.isForeign || claims.namesUser else { throw .noUser }
        guard let user = try user(of: claims) else { throw .fault(.unknownUser) }
        if let fault = CredentialFault.of(user, claims.issuance) { throw .fault(fault) }
        return (claims, user)
    }

    /// The user that a token speaks of; nil when there is none.
    func user(of claims: JWTClaims) throws(JWTError) -> User? {
        do {
            guard claims.isForeign else {
                return try claims.userID.flatMap { id throws(StoreError) in try store.user(id) }
            }
            guard let name = settings.foreignIssuer.flatMap({ claims.object.string($0.userClaim) }),
                let username = try? Username(name.utf8)
            else { return nil }
            return try store.user(named: username)
        } catch {
            throw .unavailable(error.description)
        }
    }

    /// Whether it, or the family that it belongs to, was revoked.
    func isRevoked(_ claims: JWTClaims) throws(JWTError) -> Bool {
        do {
            let name = claims.revocationID
            return try store.isRevoked(name.bytes, claims.isForeign ? name.former : claims.familyID)
        } catch {
            throw .unavailable(error.description)
        }
    }

    /// Whether a refresh token, beyond that, has been used up.
    func isUsedUp(_ claims: JWTClaims) throws(JWTError) -> Bool {
        do {
            guard claims.isRefresh, let last = try store.refreshFamily(claims.familyID)?.last else { return false }
            return last.successor.jti != claims.revocationID.bytes
        } catch {
            throw .unavailable(error.description)
        }
    }

    /// A family of its own for a user who has just given their password.
    func issue(for user: User) throws(JWTError) -> Pair {
        try confirm(user)
        let now = store.now()
        let jti = Self.newID()
        let lifetime = min(settings.refreshLifetime, settings.familyLifetime)
        let successor = RefreshSuccessor(jti: jti, issued: now, expires: now.adding(seconds: lifetime))
        let userID: JSONValue = .string(String(user.id))
        return try pair(for: user, jti, now, refresh: successor, isNew: true, more: [(settings.userIDClaim, userID)])
    }

    /// Uses up a refresh token, or where they do not rotate only uses it.
    ///
    /// - Parameters:
    ///   - claims: Of a refresh token that was checked.
    ///   - address: The client's.
    /// - Throws: ``JWTError/reused`` for one that was used up before, whose family is dead then.
    func refresh(_ claims: JWTClaims, for user: User, address: ArraySlice<UInt8>) throws(JWTError) -> Pair {
        guard let expires = claims.expires else { throw .invalid }
        try confirm(user)
        let now = store.now()
        let authenticated = min(claims.authenticated ?? now, now)
        let passedOn = claims.passedOn(settings.checks)
        let family = claims.familyID
        guard settings.rotates else {
            guard try !isUsedUp(claims) else { throw .blacklisted }
            let same = RefreshSuccessor(jti: claims.revocationID.bytes, issued: now, expires: expires)
            return try pair(for: user, family, authenticated, refresh: same, isNew: false, more: passedOn)
        }
        let end = min(
            now.adding(seconds: settings.refreshLifetime),
            authenticated.adding(seconds: settings.familyLifetime)
        )
        guard now < end else { throw .expired }
        let outcome: Store.Rotated
        do {
            outcome = try store.rotate(
                claims.revocationID.bytes,
                of: family,
                expires: expires,
                successor: RefreshSuccessor(jti: Self.newID(), issued: now, expires: end),
                caller: Self.caller(address, family: family),
                grace: settings.grace
            )
        } catch {
            throw .unavailable(error.description)
        }
        switch outcome {
        case .successor(let successor):
            return try pair(for: user, family, authenticated, refresh: successor, isNew: true, more: passedOn)
        case .reused: throw .reused
        case .refused: throw .blacklisted
        }
    }

    /// Ends the family of a refresh token, access tokens included; of any other token that token alone.
    func revoke(_ claims: JWTClaims) throws(JWTError) {
        do {
            try store.revoke(
                claims.isRefresh ? claims.familyID : claims.revocationID.bytes,
                expires: claims.expires ?? Timestamp(seconds: Timestamp.lastSecond)
            )
        } catch {
            throw .unavailable(error.description)
        }
    }

    private func confirm(_ user: User) throws(JWTError) {
        do {
            try store.confirm(user)
        } catch {
            throw .unavailable(error.description)
        }
    }

    // MARK: Signing

    private func pair(
        for user: User,
        _ family: [UInt8],
        _ authenticated: Timestamp,
        refresh: RefreshSuccessor,
        isNew: Bool,
        more: [(name: String, value: JSONValue)]
    ) throws(JWTError) -> Pair {
        guard let key = try ring().signer(at: store.now())?.key else {
            throw .unavailable("There is no key to sign a JSON Web Token with: run postern key generate.")
        }
        // It does not outlive the record that its family was revoked.
        let accessExpires = min(store.now().adding(seconds: settings.accessLifetime), refresh.expires)
        func token(_ kind: JWTClaims.Kind, _ jti: [UInt8], _ issued: Timestamp, _ expires: Timestamp) -> [UInt8]? {
            var claims: [(name: String, value: JSONValue)] = [
                ("token_type", .string(kind.rawValue)), ("exp", .integer(expires.seconds)),
                ("iat", .integer(issued.seconds)), ("jti", Self.text(jti)),
            ]
            claims += more
            claims += PosternClaims.members(
                epoch: user.epoch,
                family: family,
                login: kind == .refresh ? authenticated : nil
            )
            if let issuer = settings.checks.issuer { claims.append(("iss", .string(issuer))) }
            if let audience = settings.checks.audience { claims.append(("aud", .string(audience))) }
            return JSONWebSignature.compact(claims, signedBy: key)
        }
        guard let access = token(.access, Self.newID(), store.now(), accessExpires),
            let refreshToken = token(.refresh, refresh.jti, refresh.issued, refresh.expires)
        else { throw .unavailable("The key \(key.id ?? "") cannot sign.") }
        return Pair(
            family: family,
            access: String(decoding: access, as: UTF8.self),
            accessExpires: accessExpires,
            refresh: isNew ? String(decoding: refreshToken, as: UTF8.self) : nil,
            refreshExpires: refresh.expires
        )
    }

    private func ring() throws(JWTError) -> KeyRing {
        do {
            return try store.keyRing()
        } catch {
            throw .unavailable(error.description)
        }
    }

    private func keys(of issuer: ForeignIssuer) throws(JWTError) -> JSONWebKeySet {
        do {
            return try issuer.keys.set { store.tell($0) }
        } catch {
            throw .unavailable(error.reason)
        }
    }

    /// - Parameter types: What `typ` may say, in upper case (RFC 7519, section 5.1), where it is there.
    private func signer(
        of signature: JSONWebSignature,
        among keys: JSONWebKeySet,
        types: [String] = ["JWT"]
    ) throws(JWTError) -> JSONWebKey? {
        guard let key = signature.signer(among: keys) else { return nil }
        signature.remember(headerIn: keys)
        guard let type = signature.header.type else { return key }
        guard types.contains(where: { ASCII.equalsIgnoringCase($0.utf8, type.utf8) }) else { throw .invalid }
        return key
    }

    /// simplejwt's `jti`: 128 random bits in hexadecimal.
    private static func newID() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<16).flatMap { _ in Hexadecimal.digits(generator.next() as UInt8) }
    }

    /// Who used up a refresh token, so that nobody else is given its successor: a digest of their address that
    /// says nothing without the token.
    private static func caller(_ address: ArraySlice<UInt8>, family: [UInt8]) -> [UInt8] {
        Array(SecretDigest(of: (family + [0] + address)[...]).hexadecimal.prefix(32))
    }

    private static func text(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }
}
