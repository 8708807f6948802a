/// What a location of the web server asks for, read once for each distinct text of its parameters.
struct Policy: Sendable {
    let view: any APIView
    let authenticators: [any Authenticator]
    let permission: any Permission
    let requireHTTPS: RequireHTTPS
    /// Names of the cookies in which the authenticators look for credentials.
    private let cookies: [String]

    enum RequireHTTPS: String, Sendable {
        case on, off
        /// On for all but clients on the loopback address.
        case exceptLoopback
    }

    /// - Throws: ``PolicyError``; ``APIError/notFound`` is for the pipeline: no view means nil.
    init?(_ settings: PolicySettings, views: ViewRegistry, accounts: Accounts) throws(PolicyError) {
        let viewSettings = try ViewSettings(settings)
        let permission = try Self.permission(settings)
        requireHTTPS = try Self.requireHTTPS(settings)
        guard let name = settings[.view] else {
            _ = try Self.authenticators(settings, [], accounts, viewSettings)
            return nil
        }
        guard let makeView = views[name] else { throw settings.error(.view, "is not a view") }
        let view = try makeView(viewSettings)
        self.view = view
        self.permission = permission ?? view.defaultPermission
        authenticators = try Self.authenticators(settings, view.defaultAuthentication, accounts, viewSettings)
        cookies = authenticators.compactMap(\.cookie)
    }

    /// What the view, or else the first authenticator, which alone may do so, says in `WWW-Authenticate`.
    var challenge: String? { view.challenge ?? authenticators.first?.challenge }

    /// Whether the answer may be another one with other cookies.
    var looksAtCookies: Bool { !cookies.isEmpty || view.rendersHTML }

    /// Whether the request carries a credential, or a body that is one.
    func carriesSecret(_ request: APIRequest) -> Bool {
        request.authorization != nil || view.takesSecret || cookies.contains { request.cookie($0) != nil }
    }

    func refusesUnencrypted(_ request: APIRequest) -> Bool {
        guard !request.isSecure else { return false }
        return switch requireHTTPS {
        case .on: true
        case .off: false
        case .exceptLoopback: !request.isFromLoopback
        }
    }

    private static func authenticators(
        _ settings: PolicySettings,
        _ defaults: [String],
        _ accounts: Accounts,
        _ viewSettings: ViewSettings
    ) throws(PolicyError) -> [any Authenticator] {
        let realm = try Self.realm(settings)
        let keyword = try Self.tokenKeyword(settings)
        let names = settings.words(.authentication) ?? defaults
        if names == ["None"] || settings[.authentication] == nil && names.isEmpty { return [] }
        guard !names.isEmpty else { throw settings.error(.authentication, "names no authenticator; None is a name") }
        var authenticators: [any Authenticator] = []
        for name in names {
            switch name {
            case "Token", "TokenAuthentication":
                authenticators.append(TokenAuthentication(store: accounts.store, keyword: keyword))
            case "Knox":
                authenticators.append(TokenAuthentication(store: accounts.store, keyword: keyword, isKnox: true))
            case "JWT", "JWTAuthentication":
                let tokens = JSONWebTokens(store: accounts.store, settings: viewSettings.jwt)
                authenticators.append(JWTAuthentication(tokens: tokens, realm: realm, sessions: viewSettings.session))
            case "Session", "SessionAuthentication":
                authenticators.append(SessionAuthentication(store: accounts.store, settings: viewSettings.session))
            case "Basic", "BasicAuthentication":
                authenticators.append(BasicAuthentication(accounts: accounts, realm: realm))
            default:
                throw settings.error(.authentication, "names the unknown authenticator \(name)")
            }
        }
        return authenticators
    }

    private static func permission(_ settings: PolicySettings) throws(PolicyError) -> (any Permission)? {
        switch settings[.permission] {
        case nil: nil
        case "AllowAny": AllowAny()
        case "IsAuthenticated": IsAuthenticated()
        case "IsAdminUser": IsAdminUser()
        case "IsAuthenticatedOrReadOnly": IsAuthenticatedOrReadOnly()
        default: throw settings.error(.permission, "is not a permission class")
        }
    }

    private static func requireHTTPS(_ settings: PolicySettings) throws(PolicyError) -> RequireHTTPS {
        switch settings[.requireHTTPS] {
        case nil: .exceptLoopback
        case "on": .on
        case "off": .off
        default: throw settings.error(.requireHTTPS, "is neither on nor off")
        }
    }

    /// A realm that needs no escape in a quoted-string (RFC 9110, section 5.6.4).
    private static func realm(_ settings: PolicySettings) throws(PolicyError) -> String {
        guard let realm = settings[.realm] else { return "api" }
        guard
            realm.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            )
        else { throw settings.error(.realm, "holds a quote, a backslash or a character that is not ASCII") }
        return realm
    }

    private static func tokenKeyword(_ settings: PolicySettings) throws(PolicyError) -> String {
        guard let keyword = settings[.tokenKeyword] else { return "Token" }
        guard !keyword.isEmpty, keyword.utf8.allSatisfy(ASCII.isTokenCharacter)
        else { throw settings.error(.tokenKeyword, "is not a token of RFC 9110") }
        return keyword
    }
}
