import Foundation
import Testing

/// A store, postern on it, and nginx and lighttpd in front of it, from the files that the project ships. All
/// of it lives in a folder of its own and ends with the site.
///
/// Sendable because the one site that tests share is only read after it was made.
final class Site: @unchecked Sendable {
    let folder: String
    let store: String
    let socket: String
    let nginxPort: UInt16
    let lighttpdPort: UInt16
    /// What `{name}` stands for in questions.
    private(set) var tokens: [String: String] = [:]
    private(set) var servers: [Child] = []
    private let locations: [Location]
    private let throttlesFailures: Bool
    /// What stands behind the guarded locations; nil where there are none.
    let upstream: Upstream?
    private let guarded: [Location]

    /// A prefix of paths, and what it asks for.
    typealias Location = (path: String, parameters: [(name: String, value: String)])
    private var webServers: [Child] = []

    static let password = "correct horse battery staple"

    /// A site that tests share which leave it as it is.
    static let shared = Result { try Site() }

    /// - Parameters:
    ///   - more: Locations beside those that all sites have.
    ///   - guarded: Locations that the gate guards, with its parameters; what stands behind them is ``upstream``.
    ///   - throttlesFailures: Whether what is refused is throttled as it really is; tests that try out much that is
    ///     wrong do without.
    init(
        serverArguments: [String] = [],
        users: Bool = true,
        more: [Location] = [],
        guarded: [Location] = [],
        throttlesFailures: Bool = false
    ) throws {
        locations = Self.locations + more
        self.throttlesFailures = throttlesFailures
        self.guarded = guarded
        upstream = guarded.isEmpty ? nil : try Upstream()
        folder = try Self.temporaryFolder()
        store = folder + "/store"
        socket = folder + "/postern.sock"
        nginxPort = try freePort()
        lighttpdPort = try freePort()
        try postern(["store", "init", store]).expectSuccess()
        if users { try addUsers() }
        try startServer(serverArguments)
        try startNginx()
        try startLighttpd()
        for port in [nginxPort, lighttpdPort] {
            try eventually("the web server on port \(port) answers") {
                (try? get("/health/", port: port))?.status == 200
            }
        }
    }

    deinit {
        for child in webServers + servers { child.end() }
        try? FileManager.default.removeItem(atPath: folder)
    }

    static func temporaryFolder() throws -> String {
        var template = Array("/tmp/postern-integration-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw HarnessError("mkdtemp: \(errno)") }
        let folder = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        Child.removeAtExit(folder)
        return folder
    }

    /// Runs the command on this site's store.
    @discardableResult
    func postern(_ arguments: [String], input: String = "") throws -> Child.Finished {
        try Child.run(Self.binary, arguments, input: input, environment: ["POSTERN_STORE": store])
    }

    /// Runs the command on a store that has no site.
    /// - Returns: What it printed.
    static func postern(_ store: String, _ arguments: [String], input: String = "") throws -> String {
        let finished = try Child.run(binary, arguments, input: input, environment: ["POSTERN_STORE": store])
        try finished.expectSuccess()
        return finished.output.trimmingCharacters(in: .newlines)
    }

    func token(_ arguments: [String]) throws -> String {
        let result = try postern(["token", "create"] + arguments)
        try result.expectSuccess()
        return result.output.trimmingCharacters(in: .newlines)
    }

    func get(_ path: String, token: String? = nil, port: UInt16? = nil) throws -> HTTPAnswer {
        try HTTP.exchange(
            port ?? nginxPort,
            HTTP.request("GET", path, token.map { [("Authorization", "Token " + $0)] } ?? [])
        )
    }

    /// Ends the server, by SIGTERM or the signal that is named, and starts another.
    func restartServer(_ arguments: [String] = [], with signal: Int32 = SIGTERM) throws {
        endServers(with: signal)
        try startServer(arguments)
    }

    func endServers(with signal: Int32 = SIGTERM) {
        for server in servers { server.end(with: signal) }
        servers = []
    }

    /// Obtains a token by name and password.
    func login(_ name: String) throws -> HTTPAnswer {
        let body = Array(#"{"username":"\#(name)","password":"\#(Self.password)"}"#.utf8)
        let fields = [("Content-Type", "application/json")]
        return try HTTP.exchange(nginxPort, HTTP.request("POST", "/api-token-auth/", fields, body: body))
    }

    var log: String { (try? String(contentsOfFile: folder + "/postern.log", encoding: .utf8)) ?? "" }

    /// The folder of the products that are tested: the one of the test bundle.
    static let products: String = {
        let bundle = ProcessInfo.processInfo.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().path
    }()

    static let binary = products + "/postern"

    /// Where the sources are of the packages that this one was built with: beside a folder in which the products are.
    static let checkouts: String = {
        var folder = URL(fileURLWithPath: products).resolvingSymlinksInPath()
        while folder.path != "/", access(folder.path + "/checkouts", F_OK) != 0 { folder.deleteLastPathComponent() }
        return folder.appendingPathComponent("checkouts").path
    }()

    /// Whether the products are optimized, as those of `make test` are. A debug build takes many times as long.
    static var areReleased: Bool {
        #if DEBUG
            false
        #else
            true
        #endif
    }

    /// The folder of the package.
    static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    private func addUsers() throws {
        for (name, flags) in [("ann", []), ("stella", ["--staff"]), ("émile", []), ("ina", [])] {
            try addUser(name, flags)
        }
        try postern(["user", "disable", "ina"]).expectSuccess()
    }

    func addUser(_ name: String, _ flags: [String] = []) throws {
        let password =
            ["stella": "correct:horse:battery:staple", "émile": "motdepassé très long"][name] ?? Self.password
        let result = try postern(["user", "add", name, "--with-token"] + flags, input: password + "\n")
        try result.expectSuccess()
        tokens[name] = result.output.trimmingCharacters(in: .newlines)
    }

    /// - Parameters:
    ///   - arguments: `{folder}` in them stands for the site's folder.
    ///   - program: What starts the server, with its arguments; it has to become it.
    func startServer(
        _ arguments: [String] = [],
        by program: [String] = [],
        environment: [String: String] = [:],
        log: String? = nil
    ) throws {
        let arguments = arguments.map { $0.replacingOccurrences(of: "{folder}", with: folder) }
        let level = arguments.contains("--config") ? [] : ["--log-level", "debug"]
        let command = program + [Self.binary, "serve", "--listen", socket] + level + arguments
        servers.append(
            try Child(
                command[0],
                Array(command.dropFirst()),
                environment: environment.merging(["POSTERN_STORE": store]) { $1 },
                log: log ?? folder + "/postern.log"
            )
        )
        try eventually("postern listens") { FastCGIClient.canConnect(self.socket) }
    }

    private func startNginx() throws {
        for file in try FileManager.default.contentsOfDirectory(atPath: Self.sources + "/nginx")
        where file.hasSuffix(".conf") { try copy("nginx/" + file, as: file) }
        var text = try String(contentsOfFile: folder + "/example.conf", encoding: .utf8)
        let locations =
            locations.map { location in
                let parameters = location.parameters.map { "fastcgi_param \($0.name) \"\($0.value)\";" }.joined(
                    separator: " "
                )
                return "location \(location.path) { include postern-fastcgi.conf; \(parameters) }"
            } + guarded.map(nginxGuard)
        guard let place = text.range(of: "# Everybody may read") else { throw HarnessError("example.conf has changed") }
        text.insert(contentsOf: locations.joined(separator: "\n        ") + "\n        ", at: place.lowerBound)
        text = text.replacingOccurrences(of: "127.0.0.1:8080", with: "127.0.0.1:\(nginxPort)")
        text = text.replacingOccurrences(
            of: "include postern-upstream.conf;",
            with: "include postern-upstream.conf; include postern-cache.conf;"
        )
        if geteuid() == 0 { text = "user root;\n" + text }
        try text.write(toFile: folder + "/example.conf", atomically: true, encoding: .utf8)
        webServers.append(
            try Child(
                "/usr/sbin/nginx",
                ["-p", folder, "-c", folder + "/example.conf", "-g", "daemon off;"],
                log: folder + "/nginx.log"
            )
        )
    }

    private func startLighttpd() throws {
        try FileManager.default.createDirectory(atPath: folder + "/lighttpd", withIntermediateDirectories: false)
        try copy("lighttpd/postern.conf", as: "lighttpd/postern.conf")
        try copy("lighttpd/example.conf", as: "lighttpd/example.conf")
        var text = try String(contentsOfFile: folder + "/lighttpd/example.conf", encoding: .utf8)
            .replacingOccurrences(of: "server.port = 8080", with: "server.port = \(lighttpdPort)")
            .replacingOccurrences(of: "/var/www/html", with: folder)
        for location in locations.sorted(by: { $0.path.utf8.count < $1.path.utf8.count }) {
            let parameters = (location.parameters + unthrottled).map { "\"\($0.name)\" => \"\($0.value)\"" }.joined(
                separator: ", "
            )
            text += "\n$HTTP[\"url\"] =^ \"\(location.path)\" {\n  setenv.add-environment = ( \(parameters) )\n"
            text += "  fastcgi.server = ( \"/\" => ( var.postern ) )\n}\n"
        }
        for location in guarded { text += lighttpdGuard(location) }
        try text.write(toFile: folder + "/lighttpd/example.conf", atomically: true, encoding: .utf8)
        webServers.append(
            try Child(
                "/usr/sbin/lighttpd",
                ["-D", "-f", folder + "/lighttpd/example.conf"],
                log: folder + "/lighttpd.log"
            )
        )
    }

    private func nginxGuard(_ location: Location) -> String {
        let sets = location.parameters.map { name, value in
            "set $\(name.lowercased()) \"\(value)\";"
        }
        return """
            location ^~ \(location.path) {
                \(sets.joined(separator: " "))
                include postern-guard.conf;
                client_max_body_size 0;
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $http_connection;
                proxy_request_buffering off;
                proxy_pass http://127.0.0.1:\(upstream?.port ?? 0);
            }
            """
    }

    private func lighttpdGuard(_ location: Location) -> String {
        let parameters = ([("POSTERN_VIEW", "gate")] + location.parameters + unthrottled).map { name, value in
            "\"\(name)\" => \"\(value)\""
        }
        return """

            $HTTP["url"] =^ "\(location.path)" {
                setenv.add-environment = ( \(parameters.joined(separator: ", ")) )
                fastcgi.server = ( "/" => ( var.postern_gate ) )
                proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => \(upstream?.port ?? 0) ) ) )
                proxy.forwarded = ( "remote_user" => 1 )
                proxy.header = ( "upgrade" => "enable" )
            }
            """
    }

    /// What locations say that do not throttle failures.
    private var unthrottled: [(name: String, value: String)] {
        throttlesFailures ? [] : [("POSTERN_FAILURE_THROTTLE", "off")]
    }

    private func copy(_ source: String, as target: String) throws {
        var text = try String(contentsOfFile: Self.sources + "/" + source, encoding: .utf8)
            .replacingOccurrences(of: "/run/postern/", with: folder + "/")
        for (name, value) in unthrottled {
            text = text.replacingOccurrences(
                of: "\"POSTERN_VIEW\" =>",
                with: "\"\(name)\" => \"\(value)\", \"POSTERN_VIEW\" =>"
            )
            if source.hasSuffix("postern-gate.conf") {
                text = text.replacingOccurrences(
                    of: "fastcgi_param POSTERN_VIEW gate;",
                    with: "fastcgi_param POSTERN_VIEW gate; fastcgi_param \(name) \(value);"
                )
            }
            if source.hasSuffix("postern-fastcgi.conf") { text += "fastcgi_param \(name) \(value);\n" }
        }
        try text.write(toFile: folder + "/" + target, atomically: true, encoding: .utf8)
    }
}

extension Site {
    /// Locations beside those of the example, the same in both web servers.
    private static var locations: [Location] {
        func message(_ text: String, _ permission: String, _ more: [(String, String)] = []) -> [(
            name: String, value: String
        )] {
            [("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", text), ("POSTERN_PERMISSION", permission)] + more
        }
        let every = ("POSTERN_METHODS", "GET POST PUT PATCH DELETE")
        return [
            ("/public/", message("Public", "AllowAny", [every])),
            ("/staff/", message("Staff", "IsAdminUser", [every])),
            ("/users/", message("Users", "IsAuthenticated", [every])),
            (
                "/basic-first/",
                message(
                    "Basic",
                    "IsAuthenticated",
                    [("POSTERN_AUTHENTICATION", "BasicAuthentication TokenAuthentication")]
                )
            ),
            (
                "/bearer/",
                message(
                    "Bearer",
                    "IsAuthenticated",
                    [("POSTERN_AUTHENTICATION", "Token"), ("POSTERN_TOKEN_KEYWORD", "Bearer")]
                )
            ),
            ("/nobody/", message("Nobody", "IsAuthenticated", [("POSTERN_AUTHENTICATION", "None")])),
            ("/bad/view/", [("POSTERN_VIEW", "mesage")]),
            ("/bad/permission/", message("In", "IsAuthentcated")),
            ("/bad/authentication/", message("In", "AllowAny", [("POSTERN_AUTHENTICATION", "Token Kerberos")])),
            ("/bad/name/", message("In", "AllowAny", [("POSTERN_PERMISION", "IsAdminUser")])),
            ("/bad/methods/", message("In", "AllowAny", [("POSTERN_METHODS", "GET,POST")])),
            ("/bad/https/", message("In", "AllowAny", [("POSTERN_REQUIRE_HTTPS", "yes")])),
            ("/bad/message/", [("POSTERN_VIEW", "message"), ("POSTERN_PERMISSION", "AllowAny")]),
            ("/no-view/", [("POSTERN_PERMISSION", "AllowAny")]),
            ("/encrypted/", message("Encrypted", "AllowAny", [("POSTERN_REQUIRE_HTTPS", "on"), every])),
        ]
    }
}

struct HarnessError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Looks again and again until the condition holds.
/// - Throws: When it does not within 20 seconds.
func eventually(_ what: String, _ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock().now + .seconds(20)
    while try !condition() {
        guard ContinuousClock().now < deadline else { throw HarnessError("not within 20 seconds: \(what)") }
        usleep(5000)
    }
}

/// A port of the loopback address that nobody uses now.
func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var address = HTTP.loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
        }
    }
    guard isBound else { throw HarnessError("no free port") }
    return UInt16(bigEndian: address.sin_port)
}
