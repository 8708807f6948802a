public import FastCGI
internal import Journal
public import Logging

/// The way of a request, in DRF's order: content negotiation, authentication, permission, throttles, method, view.
///
/// Nothing is decided twice and nothing is let through by default: a request without a view is 404, one
/// whose location cannot be understood is 500, and no credential is looked at in either case.
public final class Application: Sendable {
    let classes: PolicyClasses
    let logger: Logger
    private let policies = PolicyCache()
    let counters: CounterTable?

    /// - Parameters:
    ///   - views: nil: our own; likewise `authenticators`.
    ///   - permissions: The classes that `POSTERN_PERMISSION` may name.
    public init(
        accounts: Accounts,
        views: ViewRegistry? = nil,
        authenticators: AuthenticatorRegistry? = nil,
        permissions: PermissionRegistry = PermissionRegistry(),
        logger: Logger
    ) {
        classes = PolicyClasses(
            accounts: accounts,
            views: views,
            authenticators: authenticators,
            permissions: permissions
        )
        self.logger = logger
        do throws(JournalError) {
            counters = try CounterTable(in: accounts.store.folder)
        } catch {
            // Whoever guesses has as many tries as there are processes then, and the users are served.
            logger.error("counting for throttles in this process alone: \(LogText(error.description))")
            counters = CounterTable()
        }
    }

    /// Answers one request. The handler for a `FastCGI.Server`.
    public func respond(to source: FastCGI.Request) -> FastCGI.Response {
        var renderer = Renderer(role: source.role)
        do throws(APIError) {
            var request = try APIRequest(source)
            renderer.isHead = request.method == .head
            let policy = try policy(of: source)
            renderer.policy = policy
            defer { logDecision(request, policy) }
            if policy.view.rendersHTML {
                renderer.isHTML = Negotiation.prefersHTML(request)
            } else if renderer.dialect == nil {
                renderer.indent = try Negotiation.indent(accept: request.accept, query: request.query)
            }
            if policy.view.letsThrough(request) { return renderer.make(try policy.view.respond(to: request)) }
            try limitFailures(&request, by: policy)
            try authenticate(&request, by: policy, &renderer.fields)
            guard try policy.permission.allows(request) else {
                throw request.user == nil && !policy.authenticators.isEmpty ? .notAuthenticated : .permissionDenied
            }
            renderer.fields += try throttle(request, by: policy)
            guard policy.view.takes(request.method) else { throw .methodNotAllowed(request.method) }
            if request.method != .options, let known = renderer.prepared?.view { return known }
            return renderer.make(try answer(request, policy.view))
        } catch {
            log(error, source)
            if renderer.policy == nil { renderer.dialect = GateDialect(of: source) }
            return renderer.render(error)
        }
    }

    /// - Parameter fields: Gets the header fields that authenticators want in the answer.
    func authenticate(
        _ request: inout APIRequest,
        by policy: Policy,
        _ fields: inout [(name: String, value: String)]
    ) throws(APIError) {
        if policy.refusesUnencrypted(request), policy.carriesSecret(request) { throw .insecureTransport }
        for authenticator in policy.authenticators {
            let identity: Identity?
            do throws(APIError) {
                identity = try authenticator.authenticate(request)
            } catch {
                count(error, request)
                guard policy.ignoresBadCredentials, error.isBadCredential else { throw error }
                identity = nil
            }
            fields += authenticator.fields(for: request, identity)
            guard let identity else { continue }
            request.user = identity.user
            request.credential = identity.credential
            request.scheme = authenticator.scheme
            if case .token(let token) = identity.credential { try token.limits?.check(request) }
            guard !identity.credential.isLimited || !policy.view.needsUnlimitedCredential else {
                throw .outsideLimits("a view that hands out or ends credentials")
            }
            break
        }
    }

    private func answer(_ request: APIRequest, _ view: any APIView) throws(APIError) -> APIResponse {
        if request.method == .options, !view.methods.contains(.options) {
            return APIResponse(Metadata.body(of: view))
        }
        if view.mayWait, !request.method.isSafe { request.willWait() }
        do throws(APIError) {
            return try view.respond(to: request)
        } catch {
            count(error, request)
            throw error
        }
    }

    func policy(of source: FastCGI.Request) throws(APIError) -> Policy {
        let outcome = policies.policy(of: source.parameters) {
            Result { () throws(PolicyError) in
                try Policy(try PolicySettings(source.parameters), classes)
            }
        }
        switch outcome {
        case .success(let policy?): return policy
        case .success(nil): throw .notFound
        case .failure(let error): throw .misconfigured(error)
        }
    }

    private func log(_ error: APIError, _ source: FastCGI.Request) {
        let level: Logger.Level = error.status >= 500 ? .error : .debug
        guard logger.logLevel <= level else { return }
        // Careless clients put secrets into the query.
        let path = source.parameters.value(of: "REQUEST_URI")?.prefix { $0 != UInt8(ascii: "?") }
        logger.log(
            level: level,
            "answered \(error.status): \(LogText(error.reason + Self.explanation(of: error, source)))",
            metadata: ["path": "\(LogText(path))"]
        )
    }

    /// What an operator wants to know first of a client that is nobody: whether a credential got as far as here.
    static func explanation(of error: APIError, _ source: FastCGI.Request) -> String {
        guard case .notAuthenticated = error else { return "" }
        let arrived = [("HTTP_AUTHORIZATION", "Authorization"), ("HTTP_COOKIE", "Cookie")].filter { name, _ in
            source.parameters.value(of: name) != nil
        }
        guard !arrived.isEmpty else { return " Neither Authorization nor Cookie reached Postern." }
        return
            " What reached Postern, \(arrived.map(\.1).joined(separator: " and ")), is none of the location's schemes."
    }
}
