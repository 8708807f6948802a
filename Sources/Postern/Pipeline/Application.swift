public import FastCGI
internal import Journal
public import Logging

/// The way of a request, in DRF's order: content negotiation, authentication, permission, throttles, method, view.
///
/// Nothing is decided twice and nothing is let through by default: a request without a view is 404, one
/// whose location cannot be understood is 500, and no credential is looked at in either case.
public final class Application: Sendable {
    /// Bytes of a body that views of ours read at most.
    public static let maximumBody = 64 * 1024

    let classes: PolicyClasses
    let logger: Logger
    let errorLines: LineLimit<ErrorKind>
    private let policies = PolicyCache()
    let counters: CounterTable?
    let metrics: Metrics?
    private let audit: AuditLog?

    /// - Parameters:
    ///   - views: nil: our own; likewise `authenticators`.
    ///   - permissions: The classes that `POSTERN_PERMISSION` may name.
    ///   - audit: Gets what is refused, and the signals of `accounts`; nil: nobody does.
    public init(
        accounts: Accounts,
        views: ViewRegistry? = nil,
        authenticators: AuthenticatorRegistry? = nil,
        permissions: PermissionRegistry = PermissionRegistry(),
        logger: Logger,
        audit: AuditLog? = nil
    ) {
        classes = PolicyClasses(
            accounts: accounts,
            views: views,
            authenticators: authenticators,
            permissions: permissions
        )
        self.logger = logger
        errorLines = Self.errorLines(logger)
        _ = accounts.store.log.put(StoreLog(logger))
        do throws(JournalError) {
            counters = try CounterTable(in: accounts.store.folder)
        } catch {
            // Whoever guesses has as many tries as there are processes then, and the users are served.
            logger.error("counting for throttles in this process alone: \(LogText(error.description))")
            counters = CounterTable()
        }
        do throws(JournalError) {
            metrics = try Metrics(in: accounts.store.folder)
        } catch {
            logger.error("counting for metrics in this process alone: \(LogText(error.description))")
            metrics = Metrics()
        }
        if let metrics { accounts.observe(by: metrics) }
        self.audit = audit
        audit?.follow(accounts, metrics)
        _ = ProcessState.startSeconds
    }

    /// Lets `metrics` say how the server is that this application answers for.
    public func observe(_ server: Server) {
        metrics?.observeServer { [weak server] in
            guard let server else { return ServerState() }
            return ServerState(
                connections: server.connectionCount,
                waiting: server.waitingCount,
                waitsOnLoops: server.waitsOnLoops
            )
        }
    }

    /// Writes to the logs how many lines they left out until now: for the end of a process, which no minute outlives.
    public func tellLeftOut() {
        errorLines.tell()
        audit?.tellLeftOut()
    }

    /// Answers one request. The handler for a `FastCGI.Server`.
    public func respond(to source: FastCGI.Request) -> FastCGI.Response {
        let began = Metrics.monotonicTime()
        var renderer = Renderer(role: source.role)
        do throws(APIError) {
            var request = try APIRequest(source)
            renderer.isHead = request.method == .head
            let policy = try policy(of: source, isCounted: true)
            renderer.policy = policy
            return respond(to: &request, by: policy, &renderer, since: began)
        } catch {
            renderer.dialect = GateDialect(of: source)
            let visit = Visit(status: renderer.status(of: error), error: error, began: began)
            metrics?.count(error.refusal)
            metrics?.countRequest(view: Metrics.noView, scheme: 0, status: visit.status, nanoseconds: visit.nanoseconds)
            if logger.logLevel <= visit.logLevel { log(visit, source) }
            return renderer.render(error)
        }
    }

    private func respond(
        to request: inout APIRequest,
        by policy: Policy,
        _ renderer: inout Renderer,
        since began: UInt64
    ) -> FastCGI.Response {
        let response: FastCGI.Response
        let visit: Visit
        do throws(APIError) {
            response = try decide(&request, policy, &renderer)
            visit = Visit(status: response.status, error: nil, began: began)
        } catch {
            // It comes again.
            guard !request.source.isPostponed else { return .postponed }
            response = renderer.render(error)
            // What the gate says to its web server is another one.
            let status = renderer.dialect == nil ? response.status : renderer.status(of: error)
            visit = Visit(status: status, error: error, began: began)
            metrics?.count(error.refusal)
            audit?.note(error, request, by: counters)
        }
        metrics?.countRequest(
            view: policy.viewNumber,
            scheme: request.schemeNumber,
            status: visit.status,
            nanoseconds: visit.nanoseconds
        )
        if logger.logLevel <= visit.logLevel { log(visit, request.source, request, policy) }
        return response
    }

    private func decide(
        _ request: inout APIRequest,
        _ policy: Policy,
        _ renderer: inout Renderer
    ) throws(APIError) -> FastCGI.Response {
        if policy.readsBodies, !request.method.isSafe { request.rememberBody() }
        if policy.view.rendersHTML {
            renderer.isHTML = Negotiation.prefersHTML(request)
        } else if renderer.dialect == nil, !policy.view.rendersText {
            renderer.indent = try Negotiation.indent(accept: request.accept, query: request.query)
        }
        if renderer.dialect != nil { try policy.view.check(request) }
        if policy.view.letsThrough(request) { return renderer.make(try policy.view.respond(to: request)) }
        try limitFailures(&request, by: policy)
        if renderer.dialect != nil, let other = try request.otherMethod() {
            try judge(&request, as: other, by: policy, &renderer.fields)
        } else {
            try authenticate(&request, by: policy, &renderer.fields)
            try permit(request, by: policy)
        }
        let pass = try throttle(request, by: policy)
        renderer.fields += pass?.fields ?? []
        request.throttled = pass
        guard policy.view.takes(request.method) else { throw .methodNotAllowed(request.method) }
        if policy.isConstant, request.method != .options, let known = renderer.constantAnswer(of: policy) {
            return known
        }
        return renderer.make(try answer(request, policy.view))
    }

    /// Judges a request by its own method and by another that its upstream may act on: it has to be allowed by both.
    private func judge(
        _ request: inout APIRequest,
        as other: Method,
        by policy: Policy,
        _ fields: inout [(name: String, value: String)]
    ) throws(APIError) {
        let own = request.method
        // Only unsafe methods are protected against forgery.
        request.method = own.isCSRFSafe ? other : own
        try authenticate(&request, by: policy, &fields)
        request.method = other
        try permit(request, by: policy)
        guard policy.view.takes(other) else { throw .methodNotAllowed(other) }
        request.method = own
        try permit(request, by: policy)
    }

    @inline(__always)
    func permit(_ request: APIRequest, by policy: Policy) throws(APIError) {
        guard try policy.permission.allows(request) else {
            throw request.user == nil && !policy.authenticators.isEmpty ? .notAuthenticated : .permissionDenied
        }
    }

    /// - Parameter fields: Gets the header fields that authenticators want in the answer.
    func authenticate(
        _ request: inout APIRequest,
        by policy: Policy,
        _ fields: inout [(name: String, value: String)]
    ) throws(APIError) {
        if policy.refusesUnencrypted(request), policy.carriesSecret(request) { throw .insecureTransport }
        for (position, authenticator) in policy.authenticators.enumerated() {
            let identity: Identity?
            do throws(APIError) {
                identity = try authenticator.authenticate(request)
            } catch {
                count(error, request)
                guard policy.ignoresBadCredentials, error.isBadCredential else { throw error }
                audit?.note(error, request, by: counters)
                identity = nil
            }
            fields += authenticator.fields(for: request, identity)
            guard let identity else { continue }
            request.user = identity.user
            request.credential = identity.credential
            request.scheme = authenticator.scheme
            request.schemeNumber = policy.schemeNumbers[position]
            if case .token(let token) = identity.credential { try token.limits?.check(request) }
            guard !identity.credential.isLimited || !policy.view.needsUnlimitedCredential else {
                throw .outsideLimits("a view that hands out or ends credentials")
            }
            guard !identity.credential.isForeign || policy.trustsForeign || !policy.view.handsOutCredentials else {
                throw .outsideLimits(
                    "a view that hands out or ends credentials, as another issuer's (\(PolicyParameter.jwtCredentials.rawValue))"
                )
            }
            break
        }
    }

    private func answer(_ request: APIRequest, _ view: any APIView) throws(APIError) -> APIResponse {
        if request.method == .options, !view.methods.contains(.options) {
            return APIResponse(Metadata.body(of: view))
        }
        if view.mayWait, !request.method.isSafe { try request.willWait(in: view.hashesPassword ? .scarce : .ordinary) }
        do throws(APIError) {
            return try view.respond(to: request)
        } catch {
            count(error, request)
            throw error
        }
    }

    /// - Parameter isCounted: Whether it is counted when the policy was not known.
    func policy(of source: FastCGI.Request, isCounted: Bool = false) throws(APIError) -> Policy {
        let outcome = policies.policy(of: source.parameters) {
            if isCounted { metrics?.count(.policyMisses) }
            return Result { () throws(PolicyError) in
                try Policy(try PolicySettings(source.parameters), classes, metrics)
            }
        }
        switch outcome {
        case .success(let policy?): return policy
        case .success(nil): throw .notFound
        case .failure(let error): throw .misconfigured(error)
        }
    }
}
