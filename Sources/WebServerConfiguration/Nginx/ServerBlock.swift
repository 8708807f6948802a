/// A `server {}` and its locations.
public struct ServerBlock: Sendable {
    public let directive: Directive
    public let locations: [Location]
    let level: Level

    init(_ directive: Directive, http: Level) {
        self.directive = directive
        level = Level(directives: directive.block ?? [], above: [http])
        locations = (directive.block ?? []).filter { $0.name == "location" }.map { [level] in Location($0, in: level) }
    }

    func own(_ name: String) -> [Directive] { level.own(name) }

    public var names: [String] { level.own("server_name").flatMap(\.arguments) }

    /// All locations, those within others too.
    public var allLocations: [Location] { locations.flatMap(\.withNested) }

    /// Addresses as they stand after `listen`, with what is said of them.
    var listens: [[String]] {
        let listens = level.own("listen").map(\.arguments)
        return listens.isEmpty ? [["80"]] : listens
    }

    func listens(onPort port: Int) -> Bool { listens.contains { Self.port(of: $0.first ?? "") == port } }

    func isDefault(onPort port: Int) -> Bool {
        listens.contains { Self.port(of: $0.first ?? "") == port && $0.contains { $0.hasPrefix("default") } }
    }

    /// Whether it answers for a name, by one of the forms of `server_name`.
    func isNamed(_ name: String) -> Bool {
        let name = name.lowercased()
        return names.contains { pattern in
            let pattern = pattern.lowercased()
            if pattern.hasPrefix("~") { return Pattern(String(pattern.dropFirst()), ignoresCase: true).matches(name) }
            if pattern.hasPrefix("*.") { return name.hasSuffix(pattern.dropFirst()) }
            if pattern.hasPrefix(".") { return name.hasSuffix(pattern) || name == pattern.dropFirst() }
            if pattern.hasSuffix(".*") { return name.hasPrefix(pattern.dropLast()) }
            return name == pattern
        }
    }

    /// The location that nginx chooses for a path (ngx_http_core_module: `location`).
    /// - Parameter path: As nginx makes it of the target: decoded and simplified.
    public func location(for path: String) -> LocationMatch? {
        var match: LocationMatch?
        _ = Self.find(path, among: locations, &match)
        return match
    }

    /// The location of a name, as `@denied`, or of exactly this path.
    public func location(named name: String) -> Location? {
        if name.hasPrefix("@") { return allLocations.first { $0.kind == .named && $0.text == name } }
        return location(for: name)?.location
    }

    /// Whether nothing can take the place of what was found.
    private static func find(_ path: String, among locations: [Location], _ match: inout LocationMatch?) -> Bool {
        if let exact = locations.first(where: { $0.kind == .exact && $0.text.utf8.elementsEqual(path.utf8) }) {
            match = LocationMatch(location: exact, captures: [])
            return true
        }
        let prefixes = locations.filter {
            [.prefix, .prefixFirst].contains($0.kind) && path.utf8.starts(with: $0.text.utf8)
        }
        let longest = prefixes.max { $0.text.utf8.count < $1.text.utf8.count }
        if let longest {
            match = LocationMatch(location: longest, captures: [])
            if find(path, among: longest.locations, &match) { return true }
        }
        guard longest?.kind != .prefixFirst else { return false }
        for location in locations {
            guard let captures = location.pattern?.captures(path) else { continue }
            match = LocationMatch(location: location, captures: captures)
            _ = find(path, among: location.locations, &match)
            return true
        }
        return false
    }

    /// 80 where an address names none; nil for a Unix socket.
    static func port(of address: String) -> Int? {
        if address.hasPrefix("unix:") { return nil }
        if let port = Int(address) { return port }
        guard let colon = address.lastIndex(of: ":"), !address.hasSuffix("]") else { return 80 }
        return Int(address[address.index(after: colon)...]) ?? 80
    }
}

/// A location and what its regular expression took out of the path.
public struct LocationMatch: Sendable {
    public let location: Location
    /// `$1` and so on.
    public let captures: [String]
}
