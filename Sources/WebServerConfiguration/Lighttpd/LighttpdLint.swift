/// Finds the commonest mistakes in a configuration of lighttpd.
public struct LighttpdLint {
    private let configuration: LighttpdConfiguration
    private let policyError: ([(name: String, value: String)]) -> String?
    private let socketMode: (_ path: String) -> UInt32?

    /// As those of ``NginxLint``.
    public init(
        _ configuration: LighttpdConfiguration,
        policyError: @escaping ([(name: String, value: String)]) -> String?,
        socketMode: @escaping (_ path: String) -> UInt32?
    ) {
        self.configuration = configuration
        self.policyError = policyError
        self.socketMode = socketMode
    }

    /// Conditions under which Postern answers or guards, with its parameters.
    public var locations:
        [(condition: LighttpdConfiguration.Condition, isGuarded: Bool, parameters: [(name: String, value: String)])]
    {
        configuration.root.all.compactMap { condition in
            let parameters = condition.posternParameters
            return parameters.isEmpty ? nil : (condition, condition.isGuarded, parameters)
        }
    }

    public func findings() -> [Finding] {
        var findings: [Finding] = []
        let guarded = configuration.root.all.filter(\.isGuarded)
        func find(_ rule: String, _ condition: LighttpdConfiguration.Condition, _ message: String) {
            findings.append(Finding(rule, .error, file: "lighttpd -p", line: condition.line, message))
        }
        for (condition, isGuarded, parameters) in locations {
            let title = condition.title
            if let error = policyError(parameters) { find("policy", condition, "\(title) lets nobody in: \(error).") }
            let view = parameters.first { $0.name == "POSTERN_VIEW" }?.value
            if isGuarded, view != "gate" {
                find(
                    "view-as-gate",
                    condition,
                    "\(title) asks the view \(view ?? "") as an authorizer: its 200 lets requests go on. Say POSTERN_VIEW gate."
                )
            }
        }
        let targets = Set(guarded.flatMap(\.upstreams))
        for condition in configuration.root.all where !condition.isGuarded {
            for target in condition.upstreams where targets.contains(target) {
                find(
                    "unguarded-neighbour",
                    condition,
                    "\(condition.title) reaches \(target) without the gate, which guards it elsewhere."
                )
            }
        }
        for condition in guarded {
            if condition.posternParameters.isEmpty {
                find(
                    "policy",
                    condition,
                    "\(condition.title) has an authorizer and no POSTERN_ parameter: nobody gets in."
                )
            }
            for server in condition.fastCGIServers
            where server["mode"]?.text == "authorizer" && server["check-local"]?.text != "disable" {
                find(
                    "check-local",
                    condition,
                    "The authorizer of \(condition.title) needs check-local disabled: lighttpd looks for a file first."
                )
            }
            let fields =
                condition.value("setenv.set-request-header") ?? configuration.root.value("setenv.set-request-header")
            let cleared = Set((fields?.elements ?? []).compactMap { $0.name?.lowercased() })
            let names = [
                "x-postern-user", "x-postern-user-id", "x-postern-groups", "x-postern-scopes", "x-postern-scheme",
                "x-postern-identity", "forwarded",
            ]
            if names.contains(where: { !cleared.contains($0) }) {
                find(
                    "identity-not-cleared",
                    condition,
                    "\(condition.title) hands on what a client writes into X-Postern-User and the like: setenv.set-request-header has to take them away, as lighttpd/postern.conf does."
                )
            }
        }
        return findings + strayPolicies(configuration.root, isServed: false) + openSockets()
    }

    /// Conditions that say what Postern is to require where nothing asks it, neither there nor around them.
    private func strayPolicies(_ condition: LighttpdConfiguration.Condition, isServed: Bool) -> [Finding] {
        let isServed = condition.value("fastcgi.server").map { !$0.elements.isEmpty } ?? isServed
        let own =
            condition.posternParameters.isEmpty || isServed || condition.isServedWithin
            ? []
            : [
                Finding(
                    "policy-without-guard",
                    .error,
                    file: "lighttpd -p",
                    line: condition.line,
                    "\(condition.title) says what postern is to require and does not ask it, so everybody gets in: add fastcgi.server = ( \"/\" => ( var.postern_gate ) )."
                )
            ]
        return own + condition.conditions.flatMap { strayPolicies($0, isServed: isServed) }
    }

    private func openSockets() -> [Finding] {
        var seen = Set<String>()
        return configuration.root.all.flatMap { condition in
            condition.posternParameters.isEmpty
                ? [] : condition.fastCGIServers.compactMap { $0["socket"]?.text }.map { (condition, $0) }
        }.compactMap { condition, path in
            guard seen.insert(path).inserted, let mode = socketMode(path), mode & 0o002 != 0 else { return nil }
            return Finding(
                "open-socket",
                .error,
                file: "lighttpd -p",
                line: condition.line,
                "\(path) can be written to by everybody on this machine, who can then claim to be anybody: chmod 660."
            )
        }
    }
}

extension LighttpdConfiguration.Condition {
    /// What it says to Postern.
    var posternParameters: [(name: String, value: String)] {
        (value("setenv.add-environment")?.elements ?? []).compactMap { element in
            guard let name = element.name, name.hasPrefix("POSTERN_"), let text = element.value.text else { return nil }
            return (name, text)
        }
    }

    var fastCGIServers: [LighttpdConfiguration.Value] {
        (value("fastcgi.server")?.elements ?? []).flatMap { $0.value.elements.map(\.value) }
    }

    /// Whether each way on from here is within a condition that has a server of its own.
    fileprivate var isServedWithin: Bool {
        value("proxy.server") == nil && conditions.contains { !$0.fastCGIServers.isEmpty }
    }

    var isGuarded: Bool { fastCGIServers.contains { $0["mode"]?.text == "authorizer" } }

    /// Hosts with ports, or sockets, that requests go to.
    var upstreams: [String] {
        let servers =
            (value("proxy.server")?.elements ?? []).flatMap { $0.value.elements.map(\.value) }
            + fastCGIServers.filter { $0["mode"]?.text != "authorizer" && posternParameters.isEmpty }
        return servers.compactMap { server in
            if let socket = server["socket"]?.text { return socket }
            return server["host"]?.text.map { $0 + ":" + (server["port"]?.text ?? "80") }
        }
    }
}
