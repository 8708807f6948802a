/// What was counted, for Prometheus. Of all processes of the store, but for what says that it is of the process that
/// answers.
struct MetricsView: APIView {
    let name = "Metrics"
    let methods: [Method] = [.get]
    /// It says how many users there are, and who is refused how often: a location has to say so where others may know.
    let defaultPermission: any Permission = IsAdminUser()
    let rendersText = true
    let accounts: Accounts

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let metrics = accounts.store.metrics.value else { throw .unavailable("There is no memory for metrics.") }
        var text = PrometheusText()
        writeRequests(metrics, &text)
        writePasswords(metrics, &text)
        writeCaches(metrics, &text)
        writeStore(metrics, &text)
        writeProcess(metrics, &text)
        var response = APIResponse.text(text.text, mediaType: PrometheusText.mediaType)
        response.fields = [APIResponse.noStore]
        return response
    }

    private func writeRequests(_ metrics: Metrics, _ text: inout PrometheusText) {
        let views = metrics.viewNames.enumerated().map { ($0.offset, $0.element, metrics.times(view: $0.offset)) }
            .filter { $0.2.count > 0 }
        var requests: [(labels: PrometheusText.Labels, value: Double)] = []
        for (number, view, _) in views {
            for (scheme, schemeName) in Metrics.schemes.enumerated() {
                for (outcome, outcomeName) in Metrics.outcomes.enumerated() {
                    let count = metrics.requests(view: number, scheme: scheme, outcome: outcome)
                    guard count > 0 else { continue }
                    requests.append(
                        ([("view", view), ("scheme", schemeName), ("outcome", outcomeName)], Double(count))
                    )
                }
            }
        }
        text.family(
            "postern_requests_total",
            .counter,
            "Requests by view, by the scheme that recognised who asks, and by the class of the status.",
            requests
        )
        text.histograms(
            "postern_request_duration_seconds",
            "Time from a request's arrival in the pipeline to its answer.",
            views.map { ([("view", $0.1)], $0.2) }
        )
        text.family(
            "postern_refusals_total",
            .counter,
            "Requests that were refused, by the reason.",
            Refusal.allCases.map { ([("reason", $0.name)], Double(metrics[$0])) }
        )
    }

    private func writePasswords(_ metrics: Metrics, _ text: inout PrometheusText) {
        text.family(
            "postern_logins_total",
            .counter,
            "Passwords that were answered with a credential, and passwords that were wrong.",
            [
                ([("outcome", "succeeded")], Double(metrics[.loginsSucceeded])),
                ([("outcome", "failed")], Double(metrics[.loginsFailed])),
            ]
        )
        text.family(
            "postern_password_hashes_total",
            .counter,
            "Password hashes that were made or checked.",
            Double(metrics[.passwordsHashed])
        )
        text.family(
            "postern_password_hashes_refused_total",
            .counter,
            "Password hashes that were refused because too many waited, or waited for too long.",
            Double(metrics[.hashesRefused])
        )
        text.family(
            "postern_password_hash_queue_length",
            .gauge,
            "Password hashes that wait for their turn, in the process that answers.",
            Double(accounts.hasher.queueLength)
        )
    }

    private func writeCaches(_ metrics: Metrics, _ text: inout PrometheusText) {
        // Every request looks its policy up, but for those that make no sense.
        let lookups = metrics.viewNames.indices.reduce(UInt64(0)) { $0 &+ metrics.times(view: $1).count }
        let misses = metrics[.policyMisses]
        let caches: [(name: String, hits: UInt64, misses: UInt64)] = [
            ("policy", lookups > misses ? lookups - misses : 0, misses),
            ("jwt", metrics[.tokenHits], metrics[.tokenMisses]),
            ("password", metrics[.passwordHits], metrics[.passwordMisses]),
        ]
        text.family(
            "postern_cache_hits_total",
            .counter,
            "What was known already: policies of locations, verified JSON Web Tokens, passwords of Basic.",
            caches.map { ([("cache", $0.name)], Double($0.hits)) }
        )
        text.family(
            "postern_key_set_errors_total",
            .counter,
            "JWK Sets of other issuers that a process could not use when it read them: the keys from before stay.",
            Double(metrics[.keySetErrors])
        )
        text.family(
            "postern_cache_misses_total",
            .counter,
            "What had to be read, verified or hashed.",
            caches.map { ([("cache", $0.name)], Double($0.misses)) }
        )
    }

    /// A journal that cannot be read is left out: `health` says what is wrong with it.
    private func writeStore(_ metrics: Metrics, _ text: inout PrometheusText) {
        let sizes = accounts.store.sizes()
        func gauge(_ name: String, _ help: String, _ value: (Store.Size) -> Int64) {
            text.family(name, .gauge, help, sizes.map { ([("journal", $0.journal)], Double(value($0))) })
        }
        gauge(
            "postern_store_live",
            "Users, tokens, sessions, and families of refresh tokens that are used up or revoked."
        ) { Int64($0.live) }
        gauge("postern_store_events", "Events in a journal.") { Int64($0.events) }
        gauge("postern_store_bytes", "Bytes of a journal.") { $0.bytes }
        text.histograms(
            "postern_store_sync_duration_seconds",
            "Time that bringing a journal to disk took, one sync for all who wait.",
            [([], metrics.syncTimes)]
        )
        text.family(
            "postern_store_sync_failures_total",
            .counter,
            "Syncs that failed: nothing of them was acknowledged.",
            Double(metrics[.failedSyncs])
        )
    }

    private func writeProcess(_ metrics: Metrics, _ text: inout PrometheusText) {
        text.family(
            "postern_audit_lines_total",
            .counter,
            "Lines that were written to the audit log, and refusals that were left out: too many of one address.",
            [
                ([("outcome", "written")], Double(metrics[.auditLines])),
                ([("outcome", "left-out")], Double(metrics[.auditLinesLeftOut])),
                ([("outcome", "failed")], Double(metrics[.auditLinesFailed])),
            ]
        )
        if let server = metrics.serverState {
            text.family(
                "postern_connections",
                .gauge,
                "Connections from web servers that are open, in the process that answers.",
                Double(server.connections)
            )
            text.family(
                "postern_requests_waiting",
                .gauge,
                "Requests that wait for a thread that may wait for a disk or a hash, in the process that answers.",
                Double(server.waiting)
            )
            text.family(
                "postern_loop_waits_total",
                .counter,
                "How often a thread that all connections need waited for a disk or a hash, in the process that answers: never.",
                Double(server.waitsOnLoops)
            )
        }
        text.family(
            "process_start_time_seconds",
            .gauge,
            "When the process that answers was started, in seconds since 1970.",
            ProcessState.startSeconds
        )
        if let bytes = ProcessState.residentBytes {
            text.family(
                "process_resident_memory_bytes",
                .gauge,
                "Memory of the process that answers.",
                Double(bytes)
            )
        }
    }
}
