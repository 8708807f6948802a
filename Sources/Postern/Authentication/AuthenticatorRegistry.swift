/// The authenticators that a location can name, ours and those of an engineer who builds on the library.
public struct AuthenticatorRegistry: Sendable {
    /// Makes the authenticator of one location from what the location says.
    public typealias Maker = @Sendable (ViewSettings) -> any Authenticator

    private var makers: [String: Maker]

    /// What `AuthenticatedWith` may name.
    private(set) var schemes = ["Token", "JWT", "Session", "Basic", "Knox"]

    /// Our own, by short names and by DRF's class names.
    public init(accounts: Accounts) {
        let store = accounts.store
        let token: Maker = { TokenAuthentication(store: store, keywords: $0.tokenKeywords) }
        let jwt: Maker = { settings in
            let tokens = JSONWebTokens(store: store, settings: settings.jwt)
            return JWTAuthentication(tokens: tokens, realm: settings.realm, sessions: settings.session)
        }
        let session: Maker = { SessionAuthentication(store: store, settings: $0.session) }
        let basic: Maker = { BasicAuthentication(accounts: accounts, realm: $0.realm) }
        makers = [
            "Token": token, "TokenAuthentication": token, "JWT": jwt, "JWTAuthentication": jwt, "Session": session,
            "SessionAuthentication": session, "Basic": basic, "BasicAuthentication": basic,
            "Knox": { TokenAuthentication(store: store, keywords: $0.tokenKeywords, isKnox: true) },
        ]
    }

    /// Binds `name`, as `POSTERN_AUTHENTICATION` has it, to an authenticator of your own; in place of ours if it is
    /// the same.
    ///
    /// - Parameter name: The authenticator's ``Authenticator/scheme``.
    public mutating func register(_ name: String, _ maker: @escaping Maker) {
        makers[name] = maker
        schemes.append(name)
    }

    subscript(name: String) -> Maker? { makers[name] }
}
