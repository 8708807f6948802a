internal import FastCGI

/// The two kinds of throttles: DRF's, which count what is let in, and ours, which counts what is refused.
extension Application {
    /// Refuses to look at a credential of a client that presented too many bad ones.
    func limitFailures(_ request: inout APIRequest, by policy: Policy) throws(APIError) {
        guard let counters, let throttle = policy.failureThrottle, policy.carriesGuess(request) else { return }
        let failures = ClientFailures(throttle: throttle, client: ClientAddress(request), table: counters)
        // It was let pass before it was put off, and counts itself.
        if (request.source.kept as? KeptState)?.attempt == nil { try failures.check() }
        request.failures = failures
    }

    func count(_ error: APIError, _ request: APIRequest) {
        if error.isGuess { request.failures?.count() }
    }

    /// DRF's `check_throttles`: all of them are asked, each counts what it lets through, and the longest wait is told.
    ///
    /// - Returns: nil where none counts it; with the fields that say how much is left, where the location wants them
    ///   (draft-ietf-httpapi-ratelimit-headers-10).
    func throttle(_ request: APIRequest, by policy: Policy) throws(APIError) -> ThrottlePass? {
        guard let counters, !policy.throttles.isEmpty else { return nil }
        // It was counted before it was put off.
        if let pass = (request.source.kept as? KeptState)?.throttled { return pass }
        let now = counters.now()
        var wait: Int?
        var limits: [(scope: ThrottleScope, verdict: ThrottleVerdict)] = []
        for throttle in policy.throttles {
            guard let key = throttle.key(for: request) else { continue }
            let verdict = counters.withCounter(key, now: now) { throttle.scope.take(&$0, now: now) }
            limits.append((throttle.scope, verdict))
            if !verdict.isAllowed { wait = max(wait ?? 0, verdict.seconds) }
        }
        if let wait { throw .throttled(wait) }
        guard policy.showsRateLimit, !limits.isEmpty else { return ThrottlePass(fields: []) }
        let policies = limits.map { "\"\($0.scope.name)\";q=\($0.scope.rate.limit);w=\($0.scope.rate.period)" }
        let states = limits.map { "\"\($0.scope.name)\";r=\($0.verdict.remaining);t=\($0.verdict.seconds)" }
        return ThrottlePass(fields: [
            ("RateLimit-Policy", policies.joined(separator: ", ")), ("RateLimit", states.joined(separator: ", ")),
        ])
    }
}
