/// Rules about what a location says to Postern and nobody enforces, and about the path that an upstream gets.
extension NginxLint {
    /// Locations that say what Postern is to require, and that do not ask it: they are open to all.
    func strayPolicies(_ server: ServerBlock) -> [Finding] {
        // A location that goes there without a view answers 404 to everybody.
        let ofPostern = Set(
            configuration.servers.flatMap(\.posternLocations).compactMap { $0.passing.own("fastcgi_pass").first?.value }
        )
        var findings = server.allLocations.compactMap { location -> Finding? in
            guard server.posternLocation(location) == nil,
                location.own("fastcgi_pass").allSatisfy({ !ofPostern.contains($0.value) })
            else { return nil }
            let request = location.effective("auth_request").first?.value ?? "off"
            if request == "off", let set = location.own("set").first(where: Self.isPolicy) {
                return Finding(
                    "policy-without-guard",
                    .error,
                    set,
                    "\(location.title) says what postern is to require and does not ask it, so everybody gets in: include postern-guard.conf there."
                )
            }
            let parameters = ["fastcgi_param", "uwsgi_param", "scgi_param", "proxy_set_header", "grpc_set_header"]
                .flatMap(location.own)
            if location.own("internal").isEmpty, let parameter = parameters.first(where: Self.isParameter) {
                return Finding(
                    "policy-without-guard",
                    .error,
                    parameter,
                    "\(location.title) says \(parameter.value) to an upstream that is not postern, so everybody gets in: set $\(parameter.value.lowercased()) and include postern-guard.conf there."
                )
            }
            return nil
        }
        if server.posternLocations.isEmpty, let set = server.own("set").first(where: Self.isPolicy) {
            findings.append(
                Finding(
                    "policy-without-guard",
                    .error,
                    set,
                    "This server says what postern is to require, and none of its locations asks it: include postern-guard.conf in them."
                )
            )
        }
        return findings
    }

    /// What postern-guard.conf and postern-gate.conf set themselves.
    private static let ofIncludes = ["$postern_uri", "$postern_gate"]

    private static func isPolicy(_ set: Directive) -> Bool {
        set.value.hasPrefix("$postern_") && !ofIncludes.contains(set.value)
    }

    private static func isParameter(_ parameter: Directive) -> Bool { parameter.value.hasPrefix("POSTERN_") }

    /// A guarded location that takes paths however they are typed, and hands them on so.
    func rawPath(_ location: PosternLocation) -> [Finding] {
        let here = location.location
        guard let set = here.own("set").last(where: { $0.value == "$postern_path" }), set.arguments.last == "raw",
            let pass = here.pass, pass.name != "proxy_pass" || !Self.hasPath(pass.value)
        else { return [] }
        return [
            Finding(
                "raw-path",
                .warning,
                set,
                "\(here.title) takes paths that can be read in more than one way, and \(pass.name) hands on what the client typed: take the line away, or write proxy_pass with a URI."
            )
        ]
    }

    /// Whether `proxy_pass` has a URI, so that it hands on the path that nginx judged.
    private static func hasPath(_ target: String) -> Bool {
        guard let scheme = target.firstRange(of: "://") else { return false }
        let rest = target[scheme.upperBound...]
        guard rest.hasPrefix("unix:") else { return rest.contains("/") }
        return rest.dropFirst(5).contains(":")
    }
}
