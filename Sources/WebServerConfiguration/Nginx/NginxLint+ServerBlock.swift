/// Rules about a server as a whole: what stands beside its guarded locations.
extension NginxLint {
    func server(_ server: ServerBlock) -> [Finding] {
        var findings: [Finding] = []
        let guarded = server.posternLocations.filter { $0.gate != nil }
        if let merge = server.level.effective("merge_slashes").first, merge.value == "off", !guarded.isEmpty {
            findings.append(
                Finding(
                    "merge-slashes",
                    .error,
                    merge,
                    "With merge_slashes off //app/ is not /app/: it misses guarded locations, and most upstreams take it for the same."
                )
            )
        }
        if let underscores = server.level.effective("underscores_in_headers").first, underscores.value == "on",
            !guarded.isEmpty
        {
            findings.append(
                Finding(
                    "underscores",
                    .error,
                    underscores,
                    "With underscores_in_headers on X_Postern_User reaches upstreams that read it as X-Postern-User."
                )
            )
        }
        for parameter in server.level.own("fastcgi_param") + configuration.http.own("fastcgi_param")
        where parameter.value.hasPrefix("POSTERN_") {
            findings.append(
                Finding(
                    "lost-parameter",
                    .error,
                    parameter,
                    "\(parameter.value) stands outside of locations: those with a fastcgi_param of their own, as of postern-fastcgi.conf, do not get it."
                )
            )
        }
        for alias in server.allLocations where alias.kind == .prefix || alias.kind == .prefixFirst {
            guard !alias.text.hasSuffix("/"), let path = alias.own("alias").first, path.value.hasSuffix("/") else {
                continue
            }
            findings.append(
                Finding(
                    "alias-traversal",
                    .error,
                    path,
                    "\(alias.title) lets \(alias.text)../ leave the folder of the alias: end the location with a slash."
                )
            )
        }
        let isEncrypted = server.listens.contains { $0.contains("ssl") || $0.contains("quic") }
        let isOpen = server.listens.contains { listen in
            let address = listen.first ?? ""
            return !address.hasPrefix("unix:") && !address.hasPrefix("127.") && !address.hasPrefix("[::1]")
                && !address.hasPrefix("localhost")
        }
        if isOpen, !isEncrypted {
            findings.append(
                Finding(
                    "clear-text",
                    .warning,
                    server.directive,
                    "This server has no TLS: postern refuses every credential that another machine sends here."
                )
            )
        }
        return findings
    }

    /// Locations that mean to ask Postern and ask somebody else, who may say yes to everybody.
    func strayGuards(_ server: ServerBlock) -> [Finding] {
        server.allLocations.compactMap { location in
            guard let request = location.effective("auth_request").first, request.value != "off",
                server.gate(of: location) == nil, request.value == "/_postern/gate" || location.isMeantForPostern
            else { return nil }
            return Finding(
                "guard-without-gate",
                .error,
                location.directive,
                "\(location.title) asks \(request.value), which is not postern's gate here: include postern-gate.conf in this server."
            )
        }
    }

    /// Ways past a guard, by another location of the same server.
    func neighbours(_ server: ServerBlock) -> [Finding] {
        var findings: [Finding] = []
        let guarded = server.posternLocations.filter { $0.gate != nil }
        let targets = Set(guarded.compactMap { $0.location.passesTo })
        for location in server.allLocations where isUnguarded(location, server) {
            if let target = location.passesTo, targets.contains(target) {
                let other = guarded.first { $0.location.passesTo == target }?.location.title ?? ""
                findings.append(
                    Finding(
                        "unguarded-neighbour",
                        .error,
                        location.directive,
                        "\(location.title) reaches \(target) without the gate, which guards it in \(other)."
                    )
                )
            }
            guard location.pattern != nil, location.directive.block?.contains(where: { $0.name == "return" }) != true
            else { continue }
            for other in guarded
            where other.location.kind == .prefix
                && server.locations.contains(where: { $0.directive.place == location.directive.place })
            {
                findings.append(
                    Finding(
                        "regex-before-guard",
                        .warning,
                        location.directive,
                        "\(location.title) takes paths away from \(other.location.title), and is not guarded: write \(other.location.title.split(separator: " ").joined(separator: " ^~ "))."
                    )
                )
            }
        }
        for location in server.posternLocations where location.gate == nil && location.location.kind == .prefix {
            for regex in server.locations where regex.pattern != nil && isUnguarded(regex, server) && regex.pass != nil
            {
                findings.append(
                    Finding(
                        "regex-before-view",
                        .warning,
                        regex.directive,
                        "\(regex.title) takes paths away from \(location.location.title), which postern answers."
                    )
                )
            }
        }
        return findings
    }

    /// Whether requests go on from here without anybody having been asked.
    private func isUnguarded(_ location: Location, _ server: ServerBlock) -> Bool {
        location.kind != .named && location.own("internal").isEmpty && server.posternLocation(location) == nil
            && !location.effective("deny").contains { $0.value == "all" }
    }
}
