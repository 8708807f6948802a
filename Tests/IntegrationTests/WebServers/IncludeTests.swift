import Foundation
import Testing

/// The files for web servers alone, and in the combinations that they and the README document: the web server starts with
/// them, without a warning, and answers what it should.
@Suite("The includes, each alone and together")
struct IncludeTests {
    /// A configuration of nginx in a folder of its own, with the includes of a site whose postern answers.
    private struct Nginx {
        let folder: String
        let port: UInt16
        private let site: Site

        /// - Parameters:
        ///   - http: What stands in `http {}`; `{port}` in it is a free port.
        ///   - files: More files, by their paths in the folder.
        init(_ site: Site, http: String, files: [String: String] = [:]) throws {
            self.site = site
            folder = try Site.temporaryFolder()
            port = try freePort()
            let fill = { [port, folder] (text: String) in
                text.replacingOccurrences(of: "{port}", with: "\(port)")
                    .replacingOccurrences(of: site.folder + "/cache", with: folder + "/cache")
            }
            for name in try FileManager.default.contentsOfDirectory(atPath: site.folder)
            where name.hasPrefix("postern-") && name.hasSuffix(".conf") {
                try fill(String(contentsOfFile: site.folder + "/" + name, encoding: .utf8))
                    .write(toFile: folder + "/" + name, atomically: false, encoding: .utf8)
            }
            for (path, text) in files {
                let place = URL(fileURLWithPath: folder + "/" + path)
                try FileManager.default.createDirectory(
                    at: place.deletingLastPathComponent(),
                    withIntermediateDirectories: true
                )
                try fill(text).write(to: place, atomically: false, encoding: .utf8)
            }
            let paths = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"].map { "\($0)_temp_path \($0);" }
            try fill(
                """
                \(geteuid() == 0 ? "user root;" : "")
                pid nginx.pid; error_log error.log; events {}
                http { \(paths.joined(separator: " ")) access_log off; default_type text/plain;
                \(http)
                }
                """
            ).write(toFile: folder + "/nginx.conf", atomically: false, encoding: .utf8)
        }

        /// What `nginx -t` finds fault with; empty: nothing.
        func faults() throws -> String {
            let checked = try Child.run(
                "/usr/sbin/nginx",
                ["-t", "-p", folder, "-c", folder + "/nginx.conf", "-e", "error.log"]
            )
            let lines = checked.error.split(separator: "\n").filter {
                !$0.hasSuffix("syntax is ok") && !$0.hasSuffix("test is successful")
            }
            return checked.code == 0 && lines.isEmpty ? "" : "exit code \(checked.code): \(checked.error)"
        }

        /// Asks a running nginx.
        func ask(_ questions: [IncludeTests.Question]) throws {
            let nginx = try Child(
                "/usr/sbin/nginx",
                ["-p", folder, "-c", folder + "/nginx.conf", "-e", "error.log", "-g", "daemon off;"],
                log: folder + "/nginx.log"
            )
            defer { nginx.end() }
            try eventually("nginx listens") { (try? HTTP.Connection(port: port)) != nil }
            for question in questions {
                let answer = try site.get(question.path, token: question.user.flatMap { site.tokens[$0] }, port: port)
                #expect(answer.status == question.status, "\(question.path) by \(question.user ?? "nobody")")
                if let text = question.text { #expect(answer.text.contains(text), "\(answer.text)") }
            }
            let log = try String(contentsOfFile: folder + "/error.log", encoding: .utf8)
            #expect(!log.contains("[warn]"), "\(log)")
            #expect(!log.contains("[alert]"), "\(log)")
        }

        func remove() { try? FileManager.default.removeItem(atPath: folder) }
    }

    struct Question: Sendable {
        let path: String
        let user: String?
        let status: Int
        let text: String?

        init(_ path: String, by user: String? = nil, _ status: Int, _ text: String? = nil) {
            self.path = path
            self.user = user
            self.status = status
            self.text = text
        }
    }

    struct Combination: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let http: String
        let questions: [Question]

        init(_ name: String, _ http: String, _ questions: [Question]) {
            testDescription = name
            self.http = http
            self.questions = questions
        }
    }

    private static let listen = "listen 127.0.0.1:{port}; location /open/ { return 200 open; }"
    private static let upstream = "include postern-upstream.conf;"
    private static let isServed = Question("/open/", 200, "open")
    private static let endpoints = [
        isServed, Question("/whoami/", by: "ann", 200, #""username":"ann""#), Question("/api-token-auth/", 405),
        Question("/health/", 200),
    ]
    private static let gate = [
        isServed, Question("/_postern/gate", 404), Question("/app/x", 401), Question("/app/x", by: "ann", 200, "ann"),
        Question("/mute/x", by: "stella", 500), Question("/staff/x", by: "ann", 403, "You do not have permission"),
    ]
    /// Beside the application, a location that says nothing, and one for staff.
    private static let guarded = """
        location ^~ /app/ {
            set $postern_permission "IsAuthenticated";
            include postern-guard.conf;
            proxy_pass http://unix:app.sock;
        }
        location ^~ /mute/ { include postern-guard.conf; proxy_pass http://unix:app.sock; }
        location ^~ /staff/ {
            set $postern_permission "IsAdminUser";
            set $postern_cache "5s";
            include postern-guard.conf;
            proxy_pass http://unix:app.sock;
        }
        """
    private static let application =
        "server { listen unix:app.sock; location / { return 200 $http_x_postern_user; } }"

    static let combinations: [Combination] = [
        Combination("upstream alone, nothing of postern in any server", "\(upstream) server { \(listen) }", [isServed]),
        Combination(
            "a location of the site's own",
            """
            \(upstream)
            server {
                \(listen)
                location ^~ /secure/ {
                    include postern-fastcgi.conf;
                    fastcgi_param POSTERN_VIEW message;
                    fastcgi_param POSTERN_MESSAGE "You are authenticated";
                    fastcgi_param POSTERN_PERMISSION IsAuthenticated;
                }
            }
            """,
            [isServed, Question("/secure/", 401), Question("/secure/", by: "ann", 200, "You are authenticated")]
        ),
        Combination(
            "endpoints alone",
            "\(upstream) server { \(listen) include postern-endpoints.conf; }",
            endpoints
        ),
        Combination(
            "the gate alone, nothing guarded",
            "\(upstream) server { \(listen) include postern-gate.conf; }",
            [isServed, Question("/_postern/gate", 404)]
        ),
        Combination(
            "the gate and guarded locations, without the cache",
            "\(upstream) \(application) server { \(listen) include postern-gate.conf; \(guarded) }",
            Array(gate.dropLast())
        ),
        Combination(
            "the cache",
            """
            \(upstream) include postern-cache.conf; \(application)
            server { \(listen) include postern-gate.conf; \(guarded) }
            """,
            gate + [
                Question("/staff/x", by: "stella", 200, "stella"), Question("/staff/x", by: "stella", 200, "stella"),
            ]
        ),
        Combination(
            "upstream after the servers",
            "\(application) server { \(listen) include postern-gate.conf; \(guarded) } include postern-cache.conf; \(upstream)",
            gate
        ),
        Combination(
            "an upstream by FastCGI",
            """
            \(upstream)
            server {
                \(listen)
                include postern-gate.conf;
                location ^~ /fcgi/ {
                    set $postern_permission "IsAuthenticated";
                    include postern-guard.conf;
                    include postern-identity-fastcgi.conf;
                    fastcgi_pass postern;
                    fastcgi_param REQUEST_METHOD $request_method;
                    fastcgi_param REMOTE_ADDR $remote_addr;
                    fastcgi_param POSTERN_VIEW message;
                    fastcgi_param POSTERN_MESSAGE "application";
                    fastcgi_param POSTERN_PERMISSION AllowAny;
                }
            }
            """,
            [isServed, Question("/fcgi/", 401), Question("/fcgi/", by: "ann", 200, "application")]
        ),
        Combination(
            "an upstream by uwsgi",
            """
            \(upstream)
            server {
                \(listen)
                include postern-gate.conf;
                location ^~ /uwsgi/ {
                    set $postern_permission "IsAuthenticated";
                    include postern-guard.conf;
                    include postern-identity-uwsgi.conf;
                    uwsgi_pass unix:none.sock;
                }
            }
            """,
            [isServed, Question("/uwsgi/", 401), Question("/uwsgi/", by: "ann", 502)]
        ),
        Combination(
            "identities where nothing is guarded",
            """
            \(upstream)
            server {
                \(listen)
                location /fcgi/ { include postern-identity-fastcgi.conf; fastcgi_pass postern; }
                location /uwsgi/ { include postern-identity-uwsgi.conf; uwsgi_pass unix:none.sock; }
            }
            """,
            [isServed]
        ),
        Combination(
            "all of it, in several servers",
            """
            \(upstream) include postern-cache.conf; \(application)
            server { listen 127.0.0.1:{port}; server_name other; include postern-endpoints.conf; }
            server { listen 127.0.0.1:{port}; server_name plain; }
            server {
                listen 127.0.0.1:{port}; server_name third;
                include postern-endpoints.conf; include postern-gate.conf; \(guarded)
            }
            server {
                \(listen) server_name localhost;
                include postern-endpoints.conf; include postern-gate.conf; \(guarded)
            }
            """,
            endpoints + gate
        ),
    ]

    @Test("nginx starts with them and answers", arguments: combinations)
    func nginx(_ combination: Combination) throws {
        let nginx = try Nginx(try Site.shared.get(), http: combination.http)
        defer { nginx.remove() }
        let faults = try nginx.faults()
        #expect(faults == "")
        if faults.isEmpty { try nginx.ask(combination.questions) }
    }

    @Test("nginx takes them as Debian has them: upstream and cache in conf.d, sites after them")
    func debianLayout() throws {
        let site = try Site.shared.get()
        func include(_ name: String) throws -> String {
            try String(contentsOfFile: site.folder + "/" + name, encoding: .utf8)
        }
        var files = [
            "conf.d/postern-upstream.conf": try include("postern-upstream.conf"),
            "sites-enabled/default": "server { \(Self.listen) }",
        ]
        for (name, text) in [
            ("postern-cache.conf", try include("postern-cache.conf")), ("application.conf", Self.application),
            ("site.conf", "server { \(Self.listen) include postern-gate.conf; \(Self.guarded) }"), ("", ""),
        ] {
            let nginx = try Nginx(site, http: "include conf.d/*.conf; include sites-enabled/*;", files: files)
            defer { nginx.remove() }
            #expect(try nginx.faults() == "")
            files["conf.d/" + name] = text
            if name == "site.conf" { files["sites-enabled/default"] = "" }
            if name.isEmpty { try nginx.ask(Self.gate) }
        }
    }

    /// The indented block that follows a sentence of the README.
    private static func readme(after sentence: String) throws -> String {
        let text = try String(contentsOfFile: Site.sources + "/README.md", encoding: .utf8)
        let start = try #require(text.range(of: sentence))
        let lines = text[start.upperBound...].split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
        return lines.drop { $0.isEmpty }.prefix { $0.isEmpty || $0.hasPrefix("    ") }.joined(separator: "\n")
    }

    @Test("The README's first servers are taken word for word")
    func readmeServers() throws {
        let site = try Site.shared.get()
        let first = try Nginx(
            site,
            http: "\(Self.upstream) server { \(Self.listen) \(try Self.readme(after: "Then, in your `server {}`:")) }"
        )
        defer { first.remove() }
        #expect(try first.faults() == "")
        try first.ask(Self.endpoints + [Question("/secure/", 401), Question("/secure/", by: "ann", 200)])
        let gate = try Self.readme(after: "before it hands a request on (`auth_request`). In the `server {}`:")
            .replacingOccurrences(of: "http://127.0.0.1:9000", with: "http://unix:app.sock")
        let second = try Nginx(site, http: "\(Self.upstream) \(Self.application) server { \(Self.listen) \(gate) }")
        defer { second.remove() }
        #expect(try second.faults() == "")
        try second.ask([Question("/app/", 401), Question("/app/", by: "ann", 200, "ann")])
    }

    @Test("Every variable of an include has a default in postern-upstream.conf, which makes none out of another's")
    func variables() throws {
        let folder = Site.sources + "/nginx/"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("postern-") }
        // A comment tells of them, too.
        let used = Set(
            try names.flatMap { name in
                try String(contentsOfFile: folder + name, encoding: .utf8).matches(of: /\$(postern_[a-z_]+)/)
                    .map { String($0.1) }
            }
        )
        let upstream = try String(contentsOfFile: folder + "postern-upstream.conf", encoding: .utf8)
        let made = upstream.matches(of: /(?m)^map (?:""|\$postern_[a-z]+) \$(postern_[a-z_]+)/).map { String($0.1) }
        #expect(made.count == Set(made).count)
        // The gate's own: without it no location is guarded.
        #expect(used.subtracting(made) == ["postern_gate"])
        // Each costs every nginx of a machine a place in a small table.
        #expect(made.count <= 31, "\(made.count)")
    }

    // MARK: lighttpd

    private struct Lighttpd {
        let folder: String
        let port: UInt16
        let upstream: Upstream
        private let configuration: String

        /// - Parameters:
        ///   - before: What stands before the include.
        ///   - after: What stands after it; `{upstream}` is the port of the application.
        init(_ site: Site, before: String = "", after: String = "") throws {
            folder = try Site.temporaryFolder()
            port = try freePort()
            upstream = try Upstream()
            configuration = folder + "/lighttpd.conf"
            let text = """
                server.port = \(port)
                server.bind = "127.0.0.1"
                server.document-root = "\(folder)"
                server.upload-dirs = ( "\(folder)" )
                index-file.names = ( "index.html" )
                \(before)
                include "\(site.folder)/lighttpd/postern.conf"
                \(after.replacingOccurrences(of: "{upstream}", with: "\(upstream.port)"))
                """
            try text.write(toFile: configuration, atomically: false, encoding: .utf8)
        }

        /// What `lighttpd -tt` says; empty: nothing.
        func faults() throws -> String {
            let checked = try Child.run("/usr/sbin/lighttpd", ["-tt", "-f", configuration])
            return checked.code == 0 ? checked.output + checked.error : "exit code \(checked.code): \(checked.error)"
        }

        func run(_ body: () throws -> Void) throws {
            let server = try Child("/usr/sbin/lighttpd", ["-D", "-f", configuration], log: folder + "/log")
            defer { server.end() }
            try eventually("lighttpd listens") { (try? HTTP.Connection(port: port)) != nil }
            try body()
            let log = try String(contentsOfFile: folder + "/log", encoding: .utf8)
            #expect(!log.lowercased().contains("warning"), "\(log)")
        }

        func remove() { try? FileManager.default.removeItem(atPath: folder) }
    }

    @Test(
        "The gate of the README's lighttpd keeps its place, whatever modules were loaded before and are loaded after",
        arguments: [
            ("", ""), ("server.modules = ()", ""), (#"server.modules = ( "mod_proxy" )"#, ""),
            (
                #"server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect", "mod_proxy", "mod_fastcgi" )"#,
                ""
            ),
            (#"server.modules += ( "mod_setenv", "mod_proxy" )"#, #"server.modules += ( "mod_fastcgi", "mod_proxy" )"#),
            (#"server.modules = ( "mod_scgi", "mod_sockproxy", "mod_proxy" )"#, #"server.modules += ( "mod_access" )"#),
        ]
    )
    func lighttpdModules(before: String, after: String) throws {
        let site = try Site.shared.get()
        let gate = try Self.readme(after: "its answer is the client's where it is not a yes:")
            .replacingOccurrences(of: "9000", with: "{upstream}")
        let lighttpd = try Lighttpd(site, before: before, after: after + "\n" + gate)
        defer { lighttpd.remove() }
        #expect(try lighttpd.faults() == "")
        try lighttpd.run { () throws in
            #expect(try site.get("/app/x", port: lighttpd.port).status == 401)
            #expect(lighttpd.upstream.requests.isEmpty)
            #expect(try site.get("/app/x", token: site.tokens["ann"], port: lighttpd.port).status == 200)
            #expect(lighttpd.upstream.requests.map { $0.values("Forwarded").joined() }.contains { $0.contains("ann") })
            #expect(try site.get("/whoami/", token: site.tokens["ann"], port: lighttpd.port).text.contains("ann"))
        }
    }

    @Test("What lighttpd's own modules refuse stays refused, and what they redirect is redirected")
    func lighttpdOrder() throws {
        let site = try Site.shared.get()
        let lighttpd = try Lighttpd(
            site,
            before: #"server.modules = ( "mod_auth", "mod_authn_file", "mod_redirect", "mod_access" )"#,
            after: """
                auth.backend = "plain"
                auth.backend.plain.userfile = "/dev/null"
                auth.require = ( "/whoami/" => ( "method" => "basic", "realm" => "web", "require" => "valid-user" ) )
                $HTTP["url"] == "/api/users/" { url.access-deny = ( "" ) }
                url.redirect = ( "^/openapi.json$" => "/elsewhere" )
                """
        )
        defer { lighttpd.remove() }
        #expect(try lighttpd.faults() == "")
        try lighttpd.run { () throws in
            let refused = try site.get("/whoami/", token: site.tokens["ann"], port: lighttpd.port)
            #expect(refused.status == 401)
            #expect(refused.field("WWW-Authenticate")?.contains("web") == true)
            #expect(try site.get("/api/users/", token: site.tokens["stella"], port: lighttpd.port).status == 403)
            #expect(try site.get("/openapi.json", port: lighttpd.port).field("Location") == "/elsewhere")
        }
    }

    @Test("What the application answers is its own, where nginx intercepts errors as well")
    func intercepted() throws {
        let site = try Site.shared.get()
        let http = """
            include postern-upstream.conf;
            proxy_intercept_errors on; fastcgi_intercept_errors on; error_page 502 /maintenance;
            server {
                listen 127.0.0.1:{port}; server_name application;
                location / { add_header WWW-Authenticate Application always; return 418; }
                location /401 { return 401 "of the application"; }
                location /403 { return 403 "of the application"; }
                location /500 { return 500 "of the application"; }
            }
            server {
                listen 127.0.0.1:{port} default_server;
                include postern-gate.conf;
                location ^~ /app/ {
                    set $postern_permission "IsAuthenticated";
                    include postern-guard.conf;
                    proxy_set_header Host application;
                    proxy_pass http://127.0.0.1:{port}/;
                }
            }
            """
        let nginx = try Nginx(site, http: http)
        defer { nginx.remove() }
        #expect(try nginx.faults().isEmpty)
        try nginx.ask(
            [401, 403, 500].map { Question("/app/\($0)", by: "ann", $0, "of the application") }
                + [Question("/app/401", 401, "Authentication credentials were not provided.")]
        )
    }
}
