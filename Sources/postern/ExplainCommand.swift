import ArgumentParser
import FastCGI
import Glibc
import Logging
import Postern
import WebServerConfiguration

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what would become of a request, and why.",
        discussion: """
            Finds the location in nginx's configuration, or takes its parameters from --parameter, and goes the way of \
            the request step by step. Header fields stand on standard input, one a line, as "Authorization: Token …"; \
            a token alone will do. Nothing is counted and no view runs.
            """
    )

    @OptionGroup var store: StoreOptions
    @OptionGroup var nginx: NginxOptions
    @OptionGroup var output: OutputOptions
    @Argument(
        help: "The method.",
        completion: .list(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    )
    var method: String
    @Argument(help: "The URL: https://host/path?query, or the path.")
    var url: String
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("Who asks, whatever the credential.", valueName: "user"),
        completion: .username
    )
    var user: String?
    @Option(help: ArgumentHelp("The client's address.", valueName: "address"))
    var from = "127.0.0.1"
    @Option(
        help: ArgumentHelp(
            "A parameter of the location, as POSTERN_VIEW=whoami; may be repeated. nginx is not asked then.",
            valueName: "name=value"
        )
    )
    var parameter: [String] = []

    func run() throws {
        let target = try ExplainedRequest(method: method, url: url, from: from)
        // Its parts ask on threads of their own.
        let store = try Store(opening: try store.path())
        let user = try user.map { try store.existingUser($0) }
        let fields = try user == nil && nginx.config != "-" ? CredentialInput.fields() : []
        var steps: [(key: String, value: String)] = []
        let parameters = try parameter.isEmpty ? location(of: target, &steps) : given(target)
        let application = Application(
            accounts: Accounts(store: store),
            logger: Logger(label: "explain") { _ in SwiftLogNoOpLogHandler() }
        )
        let pairs = parameters + fields
        let request = Request(parameters: Parameters(pairs.map { ($0.name, Array($0.value.utf8)) }))
        let explanation = application.explain(request, as: user)
        steps += explanation.steps.map { ($0.name, $0.text) }
        steps.append(("answer", String(explanation.status)))
        if output.json {
            let members = steps.map { step in
                JSONValue.object([("step", .string(step.key)), ("text", .string(step.value))])
            }
            StandardOutput.write(
                .object([("status", .integer(Int64(explanation.status))), ("steps", .array(members))])
            )
        } else {
            output.print(steps.map { ($0.key, .string($0.value)) })
        }
    }

    private func given(_ target: ExplainedRequest) throws -> [(name: String, value: String)] {
        try parameter.map { text in
            guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                throw Failure(.usage, "--parameter \(printable(text)) is no NAME=VALUE.")
            }
            return (String(text[..<equals]), String(text[text.index(after: equals)...]))
        } + target.parameters
    }

    /// The parameters that nginx would send, and which location that is.
    private func location(
        of target: ExplainedRequest,
        _ steps: inout [(key: String, value: String)]
    ) throws -> [(name: String, value: String)] {
        let configuration = try NginxConfiguration(dump: try nginx.text())
        guard let server = configuration.server(port: target.port, name: target.host) else {
            throw Failure(.dataError, "No server of the configuration listens on port \(target.port).")
        }
        guard let match = server.location(for: target.path) else {
            throw Failure(.dataError, "No location of \(server.directive.place) is for \(printable(target.path)).")
        }
        steps.append(("location", "\(match.location.title), \(match.location.directive.place)"))
        guard let found = server.posternLocation(match.location) else {
            throw Failure(
                .dataError,
                "\(match.location.title), \(match.location.directive.place), is neither answered nor guarded by postern: everybody gets there."
            )
        }
        if let gate = found.gate { steps.append(("guarded by", "\(gate.title), \(gate.directive.place)")) }
        if let answer = match.location.own("return").first {
            steps.append(("mind", "return in \(answer.place) answers before the gate is asked"))
        }
        return found.parameters { name in
            if let number = Int(name), number > 0 {
                return number <= match.captures.count ? match.captures[number - 1] : ""
            }
            let inner = found.variable(name, configuration).map { text in
                Variables.expand(text) { target.variable($0, server) ?? found.variable($0, configuration) }
            }
            return inner ?? target.variable(name, server) ?? ""
        }
    }
}

/// A request that nobody sends.
struct ExplainedRequest {
    let method: String
    let isSecure: Bool
    let host: String
    let port: Int
    /// Path and query, as a client sends them.
    let target: String
    let path: String
    let address: String

    init(method: String, url: String, from address: String) throws {
        var rest = url[...]
        isSecure = rest.hasPrefix("https://")
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        let authority = url.hasPrefix("/") ? "localhost" : String(rest.prefix { !"/?#".contains($0) })
        if !url.hasPrefix("/") { rest = rest.dropFirst(authority.count) }
        let parts = authority.split(separator: ":", maxSplits: 1)
        host = parts.first.map(String.init) ?? "localhost"
        port = parts.count > 1 ? Int(parts[1]) ?? 80 : isSecure ? 443 : 80
        target = rest.isEmpty ? "/" : String(rest)
        guard let path = RequestTarget.canonical(target) else {
            throw Failure(.usage, "\(printable(target)) is no path that a web server would route.")
        }
        self.path = path
        self.method = method
        self.address = address
    }

    private var query: String { target.firstIndex(of: "?").map { String(target[target.index(after: $0)...]) } ?? "" }

    /// What nginx's variables are for it; nil for those that a configuration makes.
    func variable(_ name: String, _ server: ServerBlock) -> String? {
        switch name {
        case "request_method": method
        case "request_uri": target
        case "uri", "document_uri", "postern_uri": path
        case "query_string", "args": query
        case "remote_addr": address
        case "https": isSecure ? "on" : ""
        case "scheme": isSecure ? "https" : "http"
        case "http_host", "host": host
        case "server_name": server.names.first ?? ""
        case "server_port": String(port)
        default: nil
        }
    }

    /// What every web server sends.
    var parameters: [(name: String, value: String)] {
        [
            ("REQUEST_METHOD", method), ("REQUEST_URI", target), ("DOCUMENT_URI", path), ("QUERY_STRING", query),
            ("REMOTE_ADDR", address), ("HTTP_HOST", host),
        ] + (isSecure ? [("HTTPS", "on")] : [])
    }
}

/// Header fields on standard input, where that is no terminal.
private enum CredentialInput {
    static func fields() throws -> [(name: String, value: String)] {
        guard isatty(STDIN_FILENO) == 0 else { return [] }
        var fields: [(name: String, value: String)] = []
        while let line = readLine() {
            guard !line.isEmpty else { continue }
            if let colon = line.firstIndex(of: ":"), !line[..<colon].contains(" ") {
                let name = line[..<colon].uppercased().split(separator: "-").joined(separator: "_")
                let value = line[line.index(after: colon)...].drop { $0 == " " }
                fields.append(("HTTP_" + name, String(value)))
            } else {
                let isJWT = line.split(separator: ".").count == 3
                fields.append(("HTTP_AUTHORIZATION", (isJWT ? "Bearer " : "Token ") + line))
            }
        }
        return fields
    }
}
