/// What the names in a location's parameters stand for.
struct PolicyClasses: Sendable {
    let views: ViewRegistry
    let authenticators: AuthenticatorRegistry
    let permissions: PermissionRegistry

    /// - Parameters:
    ///   - views: nil: our own; likewise `authenticators`.
    ///   - permissions: The classes that `POSTERN_PERMISSION` may name.
    init(
        accounts: Accounts,
        views: ViewRegistry? = nil,
        authenticators: AuthenticatorRegistry? = nil,
        permissions: PermissionRegistry = PermissionRegistry()
    ) {
        self.views = views ?? ViewRegistry(accounts: accounts)
        self.authenticators = authenticators ?? AuthenticatorRegistry(accounts: accounts)
        var permissions = permissions
        permissions.registerAuthenticatedWith(self.authenticators.schemes)
        self.permissions = permissions
    }
}

/// What a location of the web server asks for, read once for each distinct text of its parameters.
final class Policy: Sendable {
    let view: any APIView
    /// Whether it reads what unsafe requests bring.
    let readsBodies: Bool
    /// Whether it answers the same to all.
    let isConstant: Bool
    /// As `POSTERN_VIEW` names it.
    let viewName: String
    let authenticators: [any Authenticator]
    let permission: any Permission
    let requireHTTPS: RequireHTTPS
    /// Whether a credential that is not good counts as none.
    let ignoresBadCredentials: Bool
    /// Whether tokens of another issuer may hand out and end credentials.
    let trustsForeign: Bool
    let throttles: [Throttle]
    /// nil: bad credentials are not limited.
    let failureThrottle: FailureThrottle?
    /// Whether answers say how much of the throttles is left.
    let showsRateLimit: Bool
    private let showsAllChallenges: Bool
    /// Names of the cookies in which the authenticators look for credentials.
    private let cookies: [String]
    /// Of its view, where that is a gate.
    let gateDialect: GateDialect?
    private let knownAnswers = WriteOnce<PreparedAnswers>()
    /// Under which numbers its view and the schemes of its authenticators are counted.
    let viewNumber: Int
    let schemeNumbers: [Int]

    enum RequireHTTPS: String, Sendable {
        case on, off
        /// On for all but clients on the loopback address.
        case exceptLoopback
    }

    /// - Throws: ``PolicyError``; ``APIError/notFound`` is for the pipeline: no view means nil.
    ///
    /// - Parameter metrics: In which requests are counted; nil: in none.
    init?(_ settings: PolicySettings, _ classes: PolicyClasses, _ metrics: Metrics? = nil) throws(PolicyError) {
        let viewSettings = try ViewSettings(settings)
        let permission = try Self.permission(settings, classes.permissions.withModel(settings[.model]))
        requireHTTPS = try Self.requireHTTPS(settings)
        showsAllChallenges = try settings.isSecond(.unauthenticated, of: "drf", "401")
        ignoresBadCredentials = try settings.isSecond(.badCredential, of: "refuse", "ignore")
        trustsForeign = viewSettings.jwt.foreignIssuer?.mayHandOut ?? false
        throttles = try Throttle.parse(settings)
        failureThrottle = try FailureThrottle(settings)
        showsRateLimit = try settings.flag(.rateLimit) ?? false
        guard let name = settings[.view] else {
            _ = try Self.authenticators(settings, [], classes.authenticators, viewSettings)
            return nil
        }
        guard let makeView = classes.views[name] else { throw settings.error(.view, "is not a view") }
        let view = try makeView(viewSettings)
        self.view = view
        isConstant = view.constantAnswer != nil
        readsBodies = !isConstant && !(view is GateView) && view.methods.contains { !$0.isSafe }
        gateDialect = (view as? GateView)?.dialect
        viewName = name
        self.permission = permission ?? view.defaultPermission
        authenticators = try Self.authenticators(
            settings,
            view.defaultAuthentication,
            classes.authenticators,
            viewSettings
        )
        cookies = authenticators.compactMap(\.cookie)
        viewNumber = metrics?.number(ofView: name) ?? Metrics.noView
        schemeNumbers = authenticators.map { Metrics.schemeNumber($0.scheme) }
    }

    /// What stands in `WWW-Authenticate`, a field each; without any there is no 401. The view knows best; else it is
    /// DRF's rule that the first authenticator alone has a say, unless the location wants to hear all of them. One
    /// that has no challenge is named by its scheme then.
    var challenges: [String] {
        if let challenge = view.challenge { return [challenge] }
        if showsAllChallenges { return authenticators.map { $0.challenge ?? $0.scheme } }
        return authenticators.first?.challenge.map { [$0] } ?? []
    }

    /// The answers that are the same for all, made when one is needed for the first time.
    var answers: PreparedAnswers { knownAnswers.value ?? knownAnswers.put(PreparedAnswers(of: self)) }

    /// Whether the answer may be another one with other cookies.
    var looksAtCookies: Bool { !cookies.isEmpty || view.rendersHTML }

    /// Whether the request carries a credential, or a body that is one.
    func carriesSecret(_ request: APIRequest) -> Bool {
        request.hasAuthorization || view.takesSecret || cookies.contains { request.cookie($0) != nil }
    }

    /// Whether the request carries something that may be a guess. A session's key of 256 random bits, which is nobody's
    /// when it is not right, is none.
    func carriesGuess(_ request: APIRequest) -> Bool {
        request.hasAuthorization || view.takesSecret && !request.method.isSafe
            || authenticators.contains { $0.scheme == "JWT" && $0.cookie.flatMap(request.cookie) != nil }
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
        _ registry: AuthenticatorRegistry,
        _ viewSettings: ViewSettings
    ) throws(PolicyError) -> [any Authenticator] {
        let names = settings.words(.authentication) ?? defaults
        if names == ["None"] || names.isEmpty && settings[.authentication] == nil { return [] }
        guard !names.isEmpty else { throw settings.error(.authentication, "names no authenticator; None is a name") }
        var authenticators: [any Authenticator] = []
        for name in names {
            guard let maker = registry[name] else {
                throw settings.error(.authentication, "names the unknown authenticator \(name)")
            }
            authenticators.append(maker(viewSettings))
        }
        // A token of ours after `Bearer` is understood wherever it stands in the order.
        let place = authenticators.lastIndex { ($0 as? TokenAuthentication)?.takesBearer ?? false } ?? 0
        for earlier in 0..<place {
            guard var tokens = authenticators[earlier] as? JWTAuthentication else { continue }
            tokens.leavesOurTokens = true
            authenticators[earlier] = tokens
        }
        return authenticators
    }

    private static func permission(
        _ settings: PolicySettings,
        _ registry: PermissionRegistry
    ) throws(PolicyError) -> PermissionExpression? {
        guard let text = settings[.permission] else { return nil }
        do {
            return try PermissionParser.parse(text, registry)
        } catch {
            throw settings.error(.permission, "makes no sense at column \(error.column): \(error.reason)")
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
}
