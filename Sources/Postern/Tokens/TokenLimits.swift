/// What a token is good for, where it is not good for everything that its user may do.
public struct TokenLimits: Sendable, Equatable {
    /// What `HasScope` asks for (RFC 6749, section 3.3).
    public let scopes: [String]
    /// The only methods; empty: all.
    public let methods: [Method]
    /// The only paths, each with all that is below it; empty: all.
    public let paths: [String]
    /// Where the client has to be; empty: anywhere.
    public let networks: [Network]

    /// Of each kind, so that a token is a line that can be read.
    static let maximumCount = 50

    /// - Throws: ``TokenLimitError`` for the first text that is not what it has to be.
    public init(
        scopes: [String] = [],
        methods: [String] = [],
        paths: [String] = [],
        networks: [String] = []
    ) throws(TokenLimitError) {
        for list in [scopes, methods, paths, networks] where list.count > Self.maximumCount { throw .tooMany }
        for scope in scopes where !Self.isScope(scope) { throw .scope(scope) }
        for path in paths where !Self.isPath(path) { throw .path(path) }
        self.scopes = scopes
        self.paths = paths
        var known: [Method] = []
        for text in methods {
            guard let method = Method(Array(text.utf8)[...]) else { throw .method(text) }
            known.append(method)
        }
        self.methods = known
        var ranges: [Network] = []
        for text in networks {
            guard let network = Network(text) else { throw .network(text) }
            ranges.append(network)
        }
        self.networks = ranges
    }

    /// Bytes of their texts that a client may give a token: a page of tokens is an answer, and each answer has an end.
    static let maximumSize = 4096

    var size: Int {
        [scopes, methods.map(\.name), paths, networks.map(\.description)].joined().reduce(0) { $0 + $1.utf8.count }
    }

    /// Whether there is any: a token without is good for all.
    var isEmpty: Bool { scopes.isEmpty && methods.isEmpty && paths.isEmpty && networks.isEmpty }

    /// Whether it goes by what is asked for, from where: more than scopes, which others can judge.
    var isBoundToRequests: Bool { !methods.isEmpty || !paths.isEmpty || !networks.isEmpty }

    /// - Throws: ``APIError/outsideLimits(_:)`` for a request that the token is not good for. Scopes are the policy's
    ///   affair.
    func check(_ request: APIRequest) throws(APIError) {
        // A token that may read may also ask what it may.
        guard methods.isEmpty || methods.contains(request.method) || request.method == .head && methods.contains(.get)
        else { throw .outsideLimits("method \(request.method)") }
        guard
            networks.isEmpty
                || IPAddress(request.remoteAddress).map({ address in
                    networks.contains { $0.contains(address) }
                }) ?? false
        else { throw .outsideLimits("the client's address") }
        guard paths.isEmpty || request.judgedPath.map({ path in paths.contains { Self.covers($0, path) } }) ?? false
        else { throw .outsideLimits("this path") }
    }

    /// Whether `path` is `prefix` or below it.
    private static func covers(_ prefix: String, _ path: ArraySlice<UInt8>) -> Bool {
        let prefix = prefix.utf8
        guard path.starts(with: prefix) else { return false }
        return prefix.last == UInt8(ascii: "/") || path.count == prefix.count
            || path[path.startIndex + prefix.count] == UInt8(ascii: "/")
    }

    /// RFC 6749, section 3.3: `scope-token`.
    private static func isScope(_ text: String) -> Bool {
        (1...100).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x21..<0x7F).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
            }
    }

    /// A path as the web server routes by it: what it never has, as `//`, `..` or a space, would never match.
    private static func isPath(_ text: String) -> Bool {
        guard (1...1024).contains(text.utf8.count), text.utf8.first == UInt8(ascii: "/"),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        else { return false }
        let segments = text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return segments.enumerated().allSatisfy { position, segment in
            (!segment.isEmpty || position == segments.count - 1) && !segment.elementsEqual(".".utf8)
                && !segment.elementsEqual("..".utf8)
        }
    }
}

/// A limit of a token that makes no sense.
public enum TokenLimitError: Error, Equatable, CustomStringConvertible {
    case scope(String)
    case method(String)
    case path(String)
    case network(String)
    case tooMany
    case tooLong

    public var description: String {
        switch self {
        case .scope(let text): "\"\(text)\" is not a scope: visible characters without quote and backslash, as read."
        case .method(let text): "\"\(text)\" is not a method."
        case .path(let text): "\"\(text)\" is not a path: one begins with / and has no //, . or .. in it, as /api/."
        case .network(let text): "\"\(text)\" is not a network: write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32."
        case .tooLong: "The limits of a token have at most \(TokenLimits.maximumSize) bytes in all."
        case .tooMany: "A token has at most \(TokenLimits.maximumCount) limits of a kind."
        }
    }
}
