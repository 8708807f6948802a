/// Finds what nginx understands otherwise than whoever wrote it meant.
public struct NginxLint {
    let configuration: NginxConfiguration
    /// What is wrong with the parameters of a location; nil: nothing.
    private let policyError: ([(name: String, value: String)]) -> String?
    /// The mode of a socket; nil where there is none.
    let socketMode: (_ path: String) -> UInt32?

    public init(
        _ configuration: NginxConfiguration,
        policyError: @escaping ([(name: String, value: String)]) -> String?,
        socketMode: @escaping (_ path: String) -> UInt32?
    ) {
        self.configuration = configuration
        self.policyError = policyError
        self.socketMode = socketMode
    }

    /// In the order of the files.
    public func findings() -> [Finding] {
        var findings = sockets() + configuration.servers.flatMap { strayGuards($0) + strayPolicies($0) }
        for server in configuration.servers where !server.posternLocations.isEmpty {
            findings += self.server(server)
            findings += neighbours(server)
            for location in server.posternLocations {
                findings += parameters(location)
                if location.gate != nil { findings += guarded(location) + rawPath(location) }
            }
            for gate in Set(server.posternLocations.compactMap(\.gate?.directive.place)) {
                guard let location = server.allLocations.first(where: { $0.directive.place == gate }) else { continue }
                findings += self.gate(location)
            }
        }
        var seen = Set<String>()
        return findings.filter { seen.insert("\($0.file) \($0.line) \($0.rule) \($0.message)").inserted }
            .sorted { ($0.file, $0.line, $0.rule) < ($1.file, $1.line, $1.rule) }
    }

    // MARK: - Every location of Postern's

    private func parameters(_ location: PosternLocation) -> [Finding] {
        var findings: [Finding] = []
        let directive = location.location.directive
        let title = location.location.title
        // The gate by itself has no policy: each guarded location brings its own.
        if location.gate != nil || location.location.view != "gate",
            let error = policyError(location.policy(in: configuration))
        {
            findings.append(Finding("policy", .error, directive, "\(title) lets nobody in: \(error)."))
        }
        let sent = location.passing.effective("fastcgi_param")
        let names = Set(sent.map(\.value))
        // The gate judges the target that the upstream gets.
        let ofGate = location.gate == nil ? [] : ["REQUEST_URI"]
        for name in ["REQUEST_METHOD", "REMOTE_ADDR", "DOCUMENT_URI"] + ofGate where !names.contains(name) {
            findings.append(
                Finding(
                    "missing-parameter",
                    .error,
                    directive,
                    "\(title) does not send \(name): include postern-fastcgi.conf."
                )
            )
        }
        if !names.contains("HTTPS") {
            findings.append(
                Finding(
                    "missing-https",
                    .error,
                    directive,
                    "\(title) does not send HTTPS: credentials of other machines are refused. Include postern-fastcgi.conf."
                )
            )
        }
        for parameter in sent where parameter.arguments.count > 1 {
            let isTrusted =
                parameter.value.hasPrefix("POSTERN_")
                || ["HTTPS", "REMOTE_ADDR", "REQUEST_METHOD", "DOCUMENT_URI"].contains(parameter.value)
            guard isTrusted, let variable = Variables.names(in: parameter.arguments[1]).first(where: Self.isOfClient)
            else { continue }
            findings.append(
                Finding(
                    "forgeable-parameter",
                    .error,
                    parameter,
                    "\(parameter.value) is what the client says by $\(variable): it must come from the web server alone."
                )
            )
        }
        if let host = sent.first(where: { $0.value == "HTTP_HOST" }), host.arguments.dropFirst().first == "$host" {
            findings.append(
                Finding(
                    "host-without-port",
                    .warning,
                    host,
                    "HTTP_HOST is $host, which has no port: Origin checks then refuse pages of this site. Write $http_host."
                )
            )
        }
        return findings
    }

    /// Whether a client chooses the value.
    private static func isOfClient(_ variable: String) -> Bool {
        ["http_", "arg_", "cookie_"].contains { variable.hasPrefix($0) }
            || ["args", "query_string", "request_uri", "host", "proxy_add_x_forwarded_for", "request_body"].contains(
                variable
            )
    }

    // MARK: - Locations that are guarded

    private func guarded(_ location: PosternLocation) -> [Finding] {
        let (here, title) = (location.location, location.location.title)
        var findings: [Finding] = []
        func find(_ rule: String, _ severity: Finding.Severity, _ directive: Directive, _ message: String) {
            findings.append(Finding(rule, severity, directive, message))
        }
        let conditions = here.own("if")
        for answer in (here.directive.block ?? []) + conditions.flatMap({ $0.block ?? [] }) {
            if answer.name == "return", !Self.isRefusal(answer.value) {
                find(
                    "return-before-guard",
                    .error,
                    answer,
                    "return in \(title) answers everybody: nginx runs it before it asks the gate. Put it behind a location that the guarded one passes to."
                )
            }
            if answer.name == "rewrite", ["redirect", "permanent"].contains(answer.arguments.last ?? "") {
                find(
                    "return-before-guard",
                    .warning,
                    answer,
                    "rewrite in \(title) redirects everybody: nginx runs it before it asks the gate."
                )
            }
        }
        for condition in conditions where (condition.block ?? []).contains(where: { $0.name.hasSuffix("_pass") }) {
            find(
                "pass-in-if",
                .error,
                condition,
                "if in \(title) passes requests on with directives of its own: say auth_request in a location, not beside an if."
            )
        }
        if here.effective("satisfy").first?.value == "any",
            !(here.effective("allow") + here.effective("auth_basic")).isEmpty
        {
            find(
                "satisfy-any",
                .error,
                here.directive,
                "satisfy any in \(title) lets in whoever allow or auth_basic lets in, without the gate."
            )
        }
        if here.own("auth_request").isEmpty, here.own("set").allSatisfy({ $0.value != "$postern_permission" }),
            location.gate.map(Self.goesByVariable) ?? false
        {
            find(
                "nested-without-policy",
                .error,
                here.directive,
                "\(title) inherits auth_request but not what is set: it lets nobody in. Set $postern_permission here and include postern-guard.conf again."
            )
        }
        findings += identity(here)
        if let cache = here.effective("proxy_cache").first, cache.value != "off" {
            let key = here.effective("proxy_cache_key").first?.value ?? ""
            if !key.contains("$http_authorization") || !key.contains("$http_cookie") {
                find(
                    "shared-cache",
                    .error,
                    cache,
                    "proxy_cache in \(title) gives one user's answers to another: the key needs $http_authorization and $http_cookie."
                )
            }
        }
        for page in here.effective("error_page") where page.arguments.contains(where: { ["401", "403"].contains($0) }) {
            guard let target = page.arguments.last.flatMap(location.server.location(named:)), target.pass != nil,
                location.server.posternLocation(target) == nil
            else { continue }
            find(
                "error-page-passes",
                .error,
                page,
                "error_page of \(title) hands refused requests to \(target.title), which passes them on unguarded."
            )
        }
        for files in here.effective("try_files") {
            guard let last = files.arguments.last, last.hasPrefix("@") || last.hasPrefix("/"),
                let target = location.server.location(named: Variables.expand(last) { _ in "" }), target.pass != nil,
                location.server.posternLocation(target) == nil
            else { continue }
            find(
                "try-files-passes",
                .warning,
                files,
                "try_files of \(title) hands requests to \(target.title), which can also be reached unguarded or loses who asks."
            )
        }
        return findings
    }

    private static func goesByVariable(_ gate: Location) -> Bool {
        gate.effective("fastcgi_param").contains {
            $0.value == "POSTERN_PERMISSION" && $0.arguments.contains("$postern_permission")
        }
    }

    private static func isRefusal(_ code: String) -> Bool { Int(code).map { (400..<600).contains($0) } ?? false }

    /// What an upstream believes must be set, or taken away.
    private func identity(_ location: Location) -> [Finding] {
        let names = ["User", "User-Id", "Groups", "Scopes", "Scheme", "Identity"]
        let (directive, prefix): (String, String)
        switch location.pass?.name {
        case "proxy_pass": (directive, prefix) = ("proxy_set_header", "x-postern-")
        case "grpc_pass": (directive, prefix) = ("grpc_set_header", "x-postern-")
        case "fastcgi_pass": (directive, prefix) = ("fastcgi_param", "http_x_postern_")
        case "uwsgi_pass": (directive, prefix) = ("uwsgi_param", "http_x_postern_")
        case "scgi_pass": (directive, prefix) = ("scgi_param", "http_x_postern_")
        default: return []
        }
        let set = Set(location.effective(directive).map { $0.value.lowercased() })
        let missing = names.filter { name in
            let name = name.lowercased()
            return !set.contains(
                prefix + (prefix.hasPrefix("http") ? name.split(separator: "-").joined(separator: "_") : name)
            )
        }
        guard !missing.isEmpty else { return [] }
        let list = missing.map { "X-Postern-" + $0 }.joined(separator: ", ")
        return [
            Finding(
                "identity-not-cleared",
                .error,
                location.directive,
                "\(location.title) hands on what a client writes into \(list): set them by \(directive), as postern-guard.conf and postern-identity-*.conf do."
            )
        ]
    }
}
