/// The views that a location can name, ours and those of an engineer who builds on the library.
public struct ViewRegistry: Sendable {
    /// Makes the view of one location from what the location says.
    public typealias Maker = @Sendable (ViewSettings) throws(PolicyError) -> any APIView

    private var makers: [String: Maker]

    /// Our own views.
    public init(accounts: Accounts) {
        let tokens: @Sendable (ViewSettings) -> JSONWebTokens = { settings in
            JSONWebTokens(store: accounts.store, settings: settings.jwt)
        }
        makers = [
            "token.obtain": { ObtainTokenView(accounts: accounts, settings: $0.token) },
            "token.login": { TokenLoginView(accounts: accounts, settings: $0.token) },
            "token.logout": { _ in TokenLogoutView(accounts: accounts) },
            "token.logoutall": { _ in TokenLogoutAllView(accounts: accounts) },
            "tokens": { TokensView(accounts: accounts, settings: $0.token) },
            "tokens.detail": { _ in TokenDetailView(accounts: accounts) },
            "jwt.obtain": { JWTObtainView(accounts: accounts, tokens: tokens($0), settings: $0) },
            "jwt.refresh": { JWTRefreshView(accounts: accounts, tokens: tokens($0), settings: $0) },
            "jwt.verify": { JWTVerifyView(tokens: tokens($0), settings: $0) },
            "jwt.blacklist": { JWTBlacklistView(accounts: accounts, tokens: tokens($0), settings: $0) },
            "jwt.jwks": { _ in JWKSView(store: accounts.store) },
            "session.login": { SessionLoginView(login: SessionLogin(accounts: accounts, settings: $0.session)) },
            "session.logout": { SessionLogoutView(login: SessionLogin(accounts: accounts, settings: $0.session)) },
            "oauth.introspect": { IntrospectionView(tokens: tokens($0)) },
            "oauth.revoke": { RevocationView(accounts: accounts, tokens: tokens($0)) },
            "password": { PasswordView(accounts: accounts, settings: $0.session) },
            "users": { _ in UsersView(accounts: accounts) },
            "users.detail": { _ in UserDetailView(accounts: accounts) },
            "users.set-password": { _ in UserPasswordView(accounts: accounts) },
            "users.revoke-all": { _ in UserRevocationView(accounts: accounts) },
            "groups": { _ in GroupsView(accounts: accounts) },
            "groups.detail": { _ in GroupDetailView(accounts: accounts) },
            "gate": { GateView($0, store: accounts.store, dialect: .authRequest) },
            "forward-auth": { GateView($0, store: accounts.store, dialect: .plain) },
            "message": { settings throws(PolicyError) in try MessageView(settings) },
            "whoami": { _ in WhoAmIView() },
            "health": { _ in HealthView(store: accounts.store) },
            "metrics": { _ in MetricsView(accounts: accounts) },
        ]
        makers["openapi"] = OpenAPIView.maker(describing: makers)
    }

    /// Binds `name`, as `POSTERN_VIEW` has it, to a view of your own; in place of ours if it is the same.
    public mutating func register(_ name: String, _ maker: @escaping Maker) {
        makers[name] = maker
    }

    subscript(name: String) -> Maker? { makers[name] }

    /// Of all views, in no order.
    var names: [String] { Array(makers.keys) }
}

/// What a location says to its view.
public struct ViewSettings: Sendable {
    /// `POSTERN_MESSAGE`.
    public let message: String?
    /// `POSTERN_METHODS`, nil where it is not given. Never empty, and without OPTIONS, which every view answers.
    public let methods: [Method]?
    /// `POSTERN_REALM`, which needs no escape in a quoted-string (RFC 9110, section 5.6.4).
    public let realm: String
    /// `POSTERN_TOKEN_KEYWORD`; never empty.
    public let tokenKeywords: [String]
    let token: TokenSettings
    let jwt: JWTSettings
    let session: SessionSettings
    let gate: GateSettings

    init(_ settings: PolicySettings) throws(PolicyError) {
        realm = try Self.realm(settings)
        tokenKeywords = try settings.keywords(.tokenKeyword, default: "Token")
        token = try TokenSettings(settings)
        jwt = try JWTSettings(settings)
        session = try SessionSettings(settings)
        gate = try GateSettings(settings)
        message = settings[.message]
        guard let names = settings.words(.methods) else {
            methods = nil
            return
        }
        let known: [Method] = [.get, .head, .post, .put, .patch, .delete, .options]
        var methods: [Method] = []
        for name in names {
            guard let method = known.first(where: { $0.name == name }) else {
                throw settings.error(.methods, "names the unknown method \(name)")
            }
            if method != .options { methods.append(method) }
        }
        guard !methods.isEmpty else { throw settings.error(.methods, "names no method") }
        self.methods = methods
    }

    private static func realm(_ settings: PolicySettings) throws(PolicyError) -> String {
        guard let realm = settings[.realm] else { return "api" }
        let needsEscape = [UInt8(ascii: "\""), UInt8(ascii: "\\")]
        guard realm.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && !needsEscape.contains($0) }) else {
            throw settings.error(.realm, "holds a quote, a backslash or a character that is not ASCII")
        }
        return realm
    }
}
