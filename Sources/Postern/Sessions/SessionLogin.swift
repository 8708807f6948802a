/// Begins and ends sessions of browsers.
struct SessionLogin {
    let accounts: Accounts
    let settings: SessionSettings

    /// Begins a session under a new key, in the place of the one that the client may have, and gives it another
    /// secret against forged requests.
    /// - Returns: The fields that set the cookies.
    func start(for user: User, _ request: APIRequest) throws(APIError) -> [(name: String, value: String)] {
        let key = SessionKey.random()
        do {
            _ = try accounts.store.startSession(
                key,
                for: user,
                lifetime: settings.lifetime,
                idleLimit: settings.idleLimit,
                replacing: try current(request)?.session.id
            )
        } catch {
            throw APIError(error)
        }
        let now = accounts.store.now()
        let cookie = SetCookie(
            name: settings.cookie,
            value: key.text,
            maximumAge: settings.lifetime,
            isHTTPOnly: true,
            isSecure: request.isSecure
        )
        let secret = CSRFSecret(of: key.text.utf8)
        return [CSRF(settings: settings).cookie(secret, for: request), cookie.field(now: now)]
    }

    /// Ends the client's session, if it has one.
    /// - Returns: The field that takes its cookie away.
    func end(_ request: APIRequest) throws(APIError) -> [(name: String, value: String)] {
        do {
            if let session = try current(request)?.session {
                try accounts.store.endSession(session.id)
                accounts.signals.send(
                    .loggedOut(try? accounts.store.user(session.user), id: session.user),
                    for: request
                )
            }
        } catch .noSuchSession {
            // Another request did it first.
        } catch {
            throw APIError(error)
        }
        guard let key = request.cookie(settings.cookie), SessionKey.isPlausible(key) else { return [] }
        return [settings.removal(for: request)]
    }

    /// The session that the client's cookie holds the key of, whatever has become of its user.
    func current(_ request: APIRequest) throws(StoreError) -> (session: Session, secret: CSRFSecret)? {
        guard let key = request.cookie(settings.cookie), SessionKey.isPlausible(key),
            let session = try accounts.store.session(SecretDigest(of: key)), accounts.store.now() < session.ends
        else { return nil }
        return (session, CSRFSecret(of: key))
    }

    /// The secret against forged requests that the client's next form has to say.
    func secret(_ request: APIRequest) throws(APIError) -> CSRFSecret {
        do {
            return try current(request)?.secret ?? CSRF(settings: settings).secret(of: request) ?? .random()
        } catch {
            throw APIError(error)
        }
    }

    /// Where `next` leads, when that is a path of this site, and `/` otherwise: nothing that a browser could take
    /// for another site (RFC 3986, section 4.2, and what browsers make of a backslash). Escaped as Django does.
    static func path(_ next: String?) -> String {
        guard let next, next.utf8.first == UInt8(ascii: "/"), next.utf8.count <= 2048,
            !next.utf8.contains(where: refusedInPath.contains),
            next.utf8.dropFirst().first != UInt8(ascii: "/")
        else { return "/" }
        return Percent.encoded(next.utf8, keeping: keptInPath)
    }

    private static let refusedInPath = ByteSet { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") }
    private static let keptInPath = ByteSet(where: Base62.contains).union("-._/#%[]=:;$&()+,!?*@'~")
}
