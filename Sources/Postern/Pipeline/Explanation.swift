public import FastCGI

/// What Postern would make of a request, and why, step by step.
public struct Explanation: Sendable {
    /// What a client would get; 204 where the gate lets it go on.
    public let status: Int
    /// What each step is about, and what came of it.
    public let steps: [(name: String, text: String)]
}

extension Application {
    /// Goes the way of a request without its view, and counts nothing.
    ///
    /// - Parameter user: Who asks, whatever credential the request carries; nil: whoever the credential says.
    public func explain(_ source: FastCGI.Request, as user: User? = nil) -> Explanation {
        var steps: [(name: String, text: String)] = []
        var renderer = Renderer(role: source.role)
        do throws(APIError) {
            var request = try APIRequest(source)
            let policy = try policy(of: source)
            renderer.policy = policy
            steps.append(("policy", Self.text(of: policy)))
            if renderer.dialect != nil { try policy.view.check(request) }
            guard !policy.view.letsThrough(request) else {
                steps.append(("preflight", "a CORS preflight goes on without a credential"))
                return Explanation(status: 204, steps: steps)
            }
            if let user {
                guard CredentialFault.of(user, .now) == nil else { throw .inactiveUser }
                request.user = user
                request.credential = .password
                request.scheme = policy.authenticators.first?.scheme
            } else {
                do throws(APIError) {
                    var fields: [(name: String, value: String)] = []
                    try authenticate(&request, by: policy, &fields)
                } catch {
                    steps.append(("recognised", "nobody: \(error.reason)"))
                    throw error
                }
            }
            steps += decision(request, policy)
            try permit(request, by: policy)
            if renderer.dialect != nil, let other = try request.otherMethod() {
                steps.append(("method", "an upstream may take it for \(other), which has to be allowed, too"))
                var twin = request
                twin.method = other
                try permit(twin, by: policy)
                guard policy.view.takes(other) else { throw .methodNotAllowed(other) }
            }
            if let verdict = throttleStates(request, policy).map(\.1).filter({ !$0.isAllowed }).max(by: {
                $0.wait < $1.wait
            }) {
                throw .throttled(verdict.seconds)
            }
            guard policy.view.takes(request.method) else { throw .methodNotAllowed(request.method) }
            return Explanation(status: policy.view is GateView ? 204 : 200, steps: steps)
        } catch {
            steps.append(("refused", error.reason + Self.explanation(of: error, source)))
            return Explanation(status: renderer.status(of: error), steps: steps)
        }
    }

    /// The same in one line, for the log.
    func decisionText(_ request: APIRequest, _ policy: Policy) -> String {
        let steps = [("policy", Self.text(of: policy))] + decision(request, policy)
        return steps.map { "\($0.0): \($0.1)" }.joined(separator: "; ")
    }

    /// Who it is, what the permission says of them, and which throttles stand where.
    private func decision(_ request: APIRequest, _ policy: Policy) -> [(name: String, text: String)] {
        var steps = [(name: "recognised", text: Self.identity(of: request))]
        if let expression = policy.permission as? PermissionExpression,
            let verdicts = try? expression.verdicts(request)
        {
            let parts = verdicts.map { "\($0.text) says \($0.isAllowed ? "yes" : "no")" }
            steps.append(("permission", parts.joined(separator: ", ")))
        } else if let isAllowed = try? policy.permission.allows(request) {
            steps.append(("permission", "\(Self.text(of: policy.permission)) says \(isAllowed ? "yes" : "no")"))
        }
        for (scope, verdict) in throttleStates(request, policy) {
            let wait = verdict.isAllowed ? "" : ", more in \(verdict.seconds) s"
            steps.append(("throttle", "\(scope.name)=\(scope.rate) has \(verdict.remaining) left\(wait)"))
        }
        return steps
    }

    private func throttleStates(_ request: APIRequest, _ policy: Policy) -> [(ThrottleScope, ThrottleVerdict)] {
        guard let counters else { return [] }
        let now = counters.now()
        return policy.throttles.compactMap { throttle in
            throttle.key(for: request).map { key in
                (throttle.scope, counters.withCounter(key, now: now) { throttle.scope.look(&$0, now: now) })
            }
        }
    }

    private static func identity(of request: APIRequest) -> String {
        guard let user = request.user else { return "nobody" }
        let credential =
            switch request.credential {
            case .token(let token)?: ", token \(token.id)"
            case .session(let session)?: ", session \(session.id)"
            default: ""
            }
        return "\(user.username) by \(request.scheme ?? "no scheme")\(credential)"
    }

    private static func text(of policy: Policy) -> String {
        let schemes = policy.authenticators.map(\.scheme).joined(separator: " ")
        let throttles = policy.throttles.map { "\($0.scope.name)=\($0.scope.rate)" }.joined(separator: " ")
        return "view \(policy.viewName), authentication \(schemes.isEmpty ? "None" : schemes), permission "
            + text(of: policy.permission) + (throttles.isEmpty ? "" : ", throttle \(throttles)")
    }

    private static func text(of permission: any Permission) -> String {
        (permission as? PermissionExpression)?.description ?? "\(type(of: permission))"
    }
}
