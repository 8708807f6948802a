/// DRF's `SessionAuthentication`: a session's key in a cookie, and for unsafe methods Django's protection
/// against forged requests. A session that is over, or whose user is gone or disabled, is nobody's.
struct SessionAuthentication: Authenticator {
    let scheme = "Session"
    let store: Store
    let settings: SessionSettings

    /// DRF has none: where this is a location's first authenticator, 403 takes the place of 401.
    var challenge: String? { nil }

    var cookie: String? { settings.cookie }

    func authenticate(_ request: APIRequest) throws(APIError) -> Identity? {
        guard let key = request.cookie(settings.cookie), let (session, user) = try session(of: key) else { return nil }
        try CSRF(settings: settings).check(request, bound: CSRFSecret(of: key))
        // A session that is good stays good where its use cannot be written down.
        if session.isUseNews(at: store.now()), try request.mayWait() { try? store.useSession(session.id) }
        return Identity(user, by: .session(session))
    }

    /// As Django's middleware, a session's cookie that is of no use is taken away, and a session gets another secret
    /// where it has none. Unlike there, what never was ours stays: another application of this site may have
    /// cookies of the same names.
    func fields(for request: APIRequest, _ identity: Identity?) -> [(name: String, value: String)] {
        guard let key = request.cookie(settings.cookie), SessionKey.isPlausible(key) else { return [] }
        guard identity != nil else { return [settings.removal(for: request)] }
        let csrf = CSRF(settings: settings)
        return csrf.needsCookie(request) ? [csrf.cookie(CSRFSecret(of: key), for: request)] : []
    }

    /// The session of a key and its user; nil when it is none, or over.
    func session(of key: ArraySlice<UInt8>) throws(APIError) -> (Session, User)? {
        guard SessionKey.isPlausible(key) else { return nil }
        do {
            guard let session = try store.session(SecretDigest(of: key)), let user = try store.user(session.user),
                session.isGood(for: user, at: store.now())
            else { return nil }
            return (session, user)
        } catch {
            throw APIError(error)
        }
    }
}
