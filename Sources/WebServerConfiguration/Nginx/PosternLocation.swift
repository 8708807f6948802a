/// A location that Postern answers, or that it guards.
public struct PosternLocation: Sendable {
    public let server: ServerBlock
    public let location: Location
    /// The gate's location, where this one is guarded by it.
    public let gate: Location?

    /// The one whose parameters Postern gets.
    public var passing: Location { gate ?? location }

    /// The parameters that Postern gets, as they stand in the file. One with `if_not_empty` that is empty is not sent.
    /// - Parameter value: Of a variable; nil where it is not known, and the text stays as it is.
    public func parameters(_ value: (String) -> String?) -> [(name: String, value: String)] {
        passing.effective("fastcgi_param").compactMap { directive in
            guard directive.arguments.count > 1 else { return nil }
            let text = Variables.expand(directive.arguments[1]) { value($0) ?? "$" + $0 }
            let isOptional = directive.arguments.dropFirst(2).contains("if_not_empty")
            return isOptional && text.isEmpty ? nil : (directive.value, text)
        }
    }

    /// What the location says by `set`, and else what the configuration says of a variable.
    public func variable(_ name: String, _ configuration: NginxConfiguration) -> String? {
        location.variables[name] ?? configuration.constants[name]
    }

    /// The parameters that make the policy, as far as they are the same for each request.
    public func policy(in configuration: NginxConfiguration) -> [(name: String, value: String)] {
        parameters { variable($0, configuration) }.filter { $0.name.hasPrefix("POSTERN_") }
    }
}

extension ServerBlock {
    /// What Postern has to do with one of its locations; nil: nothing.
    public func posternLocation(_ location: Location) -> PosternLocation? {
        if location.passesToPostern { return PosternLocation(server: self, location: location, gate: nil) }
        guard let gate = gate(of: location) else { return nil }
        return PosternLocation(server: self, location: location, gate: gate)
    }

    public var posternLocations: [PosternLocation] { allLocations.compactMap(posternLocation) }

    /// The location that is asked for this one, where that is Postern's gate.
    func gate(of location: Location) -> Location? {
        guard let request = location.effective("auth_request").first, request.value != "off",
            let gate = self.location(named: request.value), gate.passesToPostern
        else { return nil }
        return gate
    }
}

extension Location {
    /// Whether Postern is what answers it, or is asked by it.
    var passesToPostern: Bool {
        !own("fastcgi_pass").isEmpty && effective("fastcgi_param").contains { $0.value == "POSTERN_VIEW" }
    }

    /// Whether it says what only Postern's gate understands.
    var isMeantForPostern: Bool { own("set").contains { $0.value == "$postern_permission" } }

    public var view: String? {
        effective("fastcgi_param").first { $0.value == "POSTERN_VIEW" }?.arguments.dropFirst().first
    }

    /// The directive that hands the request on, which no location inherits.
    var pass: Directive? {
        ["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass"].lazy.compactMap { own($0).first }.first
    }

    /// Where to: without scheme, path and case.
    var passesTo: String? {
        guard var target = pass?.value else { return nil }
        if let scheme = target.firstRange(of: "://") { target = String(target[scheme.upperBound...]) }
        if !target.hasPrefix("unix:"), let slash = target.firstIndex(of: "/") { target = String(target[..<slash]) }
        return target.lowercased()
    }
}
