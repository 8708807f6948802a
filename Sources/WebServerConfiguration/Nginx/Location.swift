/// A `location {}`.
public struct Location: Sendable {
    public enum Kind: Sendable {
        case exact, prefix
        /// `^~`: no regular expression takes the path away.
        case prefixFirst
        case regex, regexIgnoringCase, named
    }

    public let kind: Kind
    /// What stands after the sign: a path, a regular expression, or a name with its `@`.
    public let text: String
    public let directive: Directive
    public let locations: [Location]
    let level: Level
    let pattern: Pattern?

    init(_ directive: Directive, in above: Level) {
        self.directive = directive
        let signs: [String: Kind] = ["=": .exact, "^~": .prefixFirst, "~": .regex, "~*": .regexIgnoringCase]
        if directive.arguments.count > 1, let kind = signs[directive.value] {
            (self.kind, text) = (kind, directive.arguments[1])
        } else {
            (self.kind, text) = (directive.value.hasPrefix("@") ? .named : .prefix, directive.value)
        }
        pattern =
            [.regex, .regexIgnoringCase].contains(kind) ? Pattern(text, ignoresCase: kind == .regexIgnoringCase) : nil
        level = Level(directives: directive.block ?? [], above: [above] + above.above)
        locations = (directive.block ?? []).filter { $0.name == "location" }.map { [level] in Location($0, in: level) }
    }

    /// As it stands in the file.
    public var title: String { (["location"] + directive.arguments).joined(separator: " ") }

    var withNested: [Location] { [self] + locations.flatMap(\.withNested) }

    /// Its own directives of a name; `set`, `return` and `rewrite` are not inherited.
    public func own(_ name: String) -> [Directive] { level.own(name) }

    /// Those that hold for it: its own, or else those of the nearest level around it that has any.
    public func effective(_ name: String) -> [Directive] { level.effective(name) }

    /// What its own `set` make of variables, by their names without `$`.
    public var variables: [String: String] {
        own("set").reduce(into: [:]) { variables, set in
            if set.arguments.count == 2 { variables[String(set.value.dropFirst())] = set.arguments[1] }
        }
    }
}

/// The directives of a block, and those of the blocks around it.
struct Level: Sendable {
    let directives: [Directive]
    /// From the nearest outwards.
    var above: [Level] = []

    func own(_ name: String) -> [Directive] { directives.filter { $0.name == name } }

    func effective(_ name: String) -> [Directive] {
        ([self] + above).lazy.map { $0.own(name) }.first { !$0.isEmpty } ?? []
    }
}

/// A regular expression of nginx's, which are those of PCRE.
struct Pattern: @unchecked Sendable {
    // Regex is not Sendable for closures that it may hold; one that was made of a text holds none.
    private let regex: Regex<AnyRegexOutput>?

    init(_ text: String, ignoresCase: Bool) {
        regex = (try? Regex(text))?.matchingSemantics(.unicodeScalar).ignoresCase(ignoresCase)
    }

    /// Whether it is understood at all.
    var isReadable: Bool { regex != nil }

    func matches(_ text: String) -> Bool { captures(text) != nil }

    /// nil where it does not match; what is not understood matches nothing.
    func captures(_ text: String) -> [String]? {
        guard let regex, let match = try? regex.firstMatch(in: text) else { return nil }
        return match.output.dropFirst().map { $0.substring.map(String.init) ?? "" }
    }
}
