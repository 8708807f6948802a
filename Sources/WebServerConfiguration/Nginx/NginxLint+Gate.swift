/// Rules about the gate itself, and about the sockets behind which Postern is.
extension NginxLint {
    func gate(_ gate: Location) -> [Finding] {
        var findings: [Finding] = []
        if gate.own("internal").isEmpty {
            findings.append(
                Finding(
                    "gate-not-internal",
                    .warning,
                    gate.directive,
                    "\(gate.title) can be asked by everybody: say internal."
                )
            )
        }
        if gate.effective("fastcgi_pass_request_body").first?.value != "off" {
            findings.append(
                Finding(
                    "gate-reads-bodies",
                    .warning,
                    gate.directive,
                    "\(gate.title) sends bodies to postern: say fastcgi_pass_request_body off, and CONTENT_LENGTH \"\"."
                )
            )
        }
        if let cache = gate.effective("fastcgi_cache").first, cache.value != "off" {
            let key = gate.effective("fastcgi_cache_key").first?.value ?? ""
            for variable in ["$http_authorization", "$http_cookie", "$request_method", "$remote_addr"]
            where !key.contains(variable) {
                findings.append(
                    Finding(
                        "gate-cache-key",
                        .error,
                        cache,
                        "The key of the gate's cache lacks \(variable): one client's yes is another's."
                    )
                )
            }
        }
        return findings
    }

    // MARK: - Sockets

    func sockets() -> [Finding] {
        let passes = configuration.servers.flatMap(\.posternLocations).compactMap {
            $0.passing.own("fastcgi_pass").first
        }
        let upstreams = configuration.http.own("upstream").filter { upstream in
            passes.contains { $0.value == upstream.value }
        }
        let addresses = passes + upstreams.flatMap { ($0.block ?? []).filter { $0.name == "server" } }
        return addresses.compactMap { directive in
            guard directive.value.hasPrefix("unix:"), let mode = socketMode(String(directive.value.dropFirst(5))),
                mode & 0o002 != 0
            else { return nil }
            return Finding(
                "open-socket",
                .error,
                directive,
                "\(directive.value) can be written to by everybody on this machine, who can then claim to be anybody: chmod 660."
            )
        }
    }
}
