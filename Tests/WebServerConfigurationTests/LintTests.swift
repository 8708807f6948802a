import Foundation
import Testing

@testable import WebServerConfiguration

@Suite("What lets people in by mistake")
struct LintTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("nginx").path

    /// A configuration with the files that the project ships.
    private static func dump(http: String = "", server: String = "", app: String = "", listen: String = "127.0.0.1:80")
        throws -> String
    {
        var text = """
            # configuration file /etc/nginx/nginx.conf:
            http {
                include postern-upstream.conf;
                \(http)
                server {
                    listen \(listen);
                    include postern-endpoints.conf;
                    include postern-gate.conf;
                    location ^~ /app/ {
                        set $postern_permission "IsAuthenticated";
                        include postern-guard.conf;
                        \(app)
                        proxy_pass http://127.0.0.1:9000;
                    }
                    \(server)
                }
            }

            """
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix("postern-") {
            text +=
                "# configuration file /etc/nginx/\(name):\n"
                + (try String(contentsOfFile: folder + "/" + name, encoding: .utf8))
        }
        return text
    }

    private static func findings(_ dump: String, mode: UInt32 = 0o140660) throws -> [Finding] {
        NginxLint(
            try NginxConfiguration(dump: dump),
            policyError: { parameters in
                let permission = parameters.first { $0.name == "POSTERN_PERMISSION" }?.value
                return permission == "" || permission == "IsAuthentcated" ? "it makes no sense" : nil
            },
            socketMode: { $0 == "/run/postern/postern.sock" ? mode : nil }
        ).findings()
    }

    @Test("The shipped files are as they should be")
    func good() throws {
        let dump = try Self.dump(http: "include postern-cache.conf;")
        #expect(try Self.findings(dump).map(\.message).isEmpty)
        let configuration = try NginxConfiguration(dump: dump)
        let guarded = configuration.servers.flatMap(\.posternLocations).filter { $0.gate != nil }
        #expect(guarded.map(\.location.text) == ["/app/"])
        let policy = try #require(guarded.first).policy(in: configuration)
        #expect(policy.map(\.name) == ["POSTERN_VIEW", "POSTERN_PERMISSION"])
        #expect(policy.map(\.value) == ["gate", "IsAuthenticated"])
    }

    /// What is added to the good one in `http {}`, in `server {}` or in the guarded location, and what is found.
    private static let mistakes: [(place: String, text: String, rules: Set<String>)] = [
        ("server", "location / { proxy_pass http://127.0.0.1:9000; }", ["unguarded-neighbour"]),
        ("server", "location / { proxy_pass http://127.0.0.1:9000/; deny all; }", []),
        ("server", "location / { proxy_pass http://127.0.0.1:9001; }", []),
        ("server", "location /x { internal; proxy_pass http://127.0.0.1:9000; }", []),
        ("app", "location /app/open/ { auth_request off; proxy_pass http://127.0.0.1:9000; }", ["unguarded-neighbour"]),
        ("app", "return 200 hello;", ["return-before-guard"]),
        ("app", "if ($arg_x) { return 200 hello; }", ["return-before-guard"]),
        ("app", "return 404;", []), ("app", "if ($arg_x) { return 403; }", []),
        ("app", "rewrite ^ /elsewhere permanent;", ["return-before-guard"]),
        ("app", "rewrite ^/app/(.*) /$1 break;", []),
        ("app", "if ($arg_x) { proxy_pass http://127.0.0.1:9000; }", ["pass-in-if"]),
        ("app", "satisfy any; allow 10.0.0.0/8;", ["satisfy-any"]), ("app", "satisfy all; allow 10.0.0.0/8;", []),
        ("app", "location /app/in/ { proxy_pass http://127.0.0.1:9000; }", ["nested-without-policy", "policy"]),
        (
            "app",
            "location /app/in/ { set $postern_permission IsAdminUser; include postern-guard.conf; proxy_pass http://127.0.0.1:9000; }",
            []
        ),
        (
            "app",
            "location /app/in/ { set $postern_permission IsAdminUser; proxy_set_header Host x; proxy_pass http://127.0.0.1:9000; }",
            ["identity-not-cleared"]
        ),
        (
            "server",
            "location ^~ /php/ { set $postern_permission IsAuthenticated; include postern-guard.conf; fastcgi_pass unix:/run/php.sock; }",
            ["identity-not-cleared"]
        ),
        (
            "server",
            "location ^~ /php/ { set $postern_permission IsAuthenticated; include postern-guard.conf; include postern-identity-fastcgi.conf; fastcgi_pass unix:/run/php.sock; }",
            []
        ),
        (
            "server",
            "location ^~ /py/ { set $postern_permission IsAuthenticated; include postern-guard.conf; include postern-identity-uwsgi.conf; uwsgi_pass unix:/run/py.sock; }",
            []
        ),
        ("app", "proxy_cache zone;", ["shared-cache"]),
        ("app", "proxy_cache zone; proxy_cache_key $http_authorization$http_cookie$uri;", []),
        ("app", "proxy_cache off;", []),
        ("server", "error_page 403 = @open; location @open { proxy_pass http://127.0.0.1:9000; }", []),
        ("app", "error_page 401 = @open;", []),
        (
            "server",
            "location @open { proxy_pass http://127.0.0.1:9002; } location ^~ /t/ { set $postern_permission IsAuthenticated; include postern-guard.conf; try_files $uri @open; }",
            ["try-files-passes"]
        ),
        (
            "server",
            "location ^~ /m/ { set $postern_permission IsAuthentcated; include postern-guard.conf; proxy_pass http://127.0.0.1:9000; }",
            ["policy"]
        ),
        ("server", "location ^~ /m/ { include postern-guard.conf; proxy_pass http://127.0.0.1:9000; }", ["policy"]),
        (
            "server",
            "location /p/ { set $postern_permission IsAuthenticated; include postern-guard.conf; proxy_pass http://127.0.0.1:9000; } location ~ \\.pub$ { root /srv; }",
            ["regex-before-guard"]
        ),
        ("server", "location ~ \\.pub$ { root /srv; }", []), ("server", "location ~ \\.git { return 404; }", []),
        ("server", "merge_slashes off;", ["merge-slashes"]), ("server", "underscores_in_headers on;", ["underscores"]),
        ("server", "fastcgi_param POSTERN_PERMISSION IsAdminUser;", ["lost-parameter"]),
        ("server", "location /files { alias /srv/files/; }", ["alias-traversal"]),
        ("server", "location /files/ { alias /srv/files/; }", []),
        (
            "server", "location /v/ { fastcgi_pass postern; fastcgi_param POSTERN_VIEW whoami; }",
            ["missing-https", "missing-parameter"]
        ),
        (
            "server",
            "location /v/ { include postern-fastcgi.conf; fastcgi_param POSTERN_VIEW message; fastcgi_param POSTERN_PERMISSION $arg_p; }",
            ["forgeable-parameter"]
        ),
        (
            "server",
            "location /v/ { include postern-fastcgi.conf; fastcgi_param POSTERN_VIEW whoami; fastcgi_param HTTPS $http_x_forwarded_proto; }",
            ["forgeable-parameter"]
        ),
        (
            "server",
            "location /v/ { include postern-fastcgi.conf; fastcgi_param POSTERN_VIEW whoami; fastcgi_param HTTP_HOST $host; }",
            []
        ),
    ]

    @Test("Each mistake is found, and nothing that is none", arguments: Self.mistakes.indices)
    func eachMistake(index: Int) throws {
        let (place, text, rules) = Self.mistakes[index]
        let dump =
            switch place {
            case "server": try Self.dump(server: text)
            case "app": try Self.dump(app: text)
            default: try Self.dump(http: text)
            }
        let found = try Self.findings(dump)
        #expect(Set(found.map(\.rule)) == rules, "\(text): \(found.map(\.message))")
    }

    @Test("A socket that everybody can write to, and a server without TLS")
    func surroundings() throws {
        #expect(try Self.findings(try Self.dump(), mode: 0o140666).map(\.rule) == ["open-socket"])
        #expect(try Self.findings(try Self.dump(listen: "80")).map(\.rule) == ["clear-text"])
        #expect(try Self.findings(try Self.dump(listen: "443 ssl")).isEmpty)
    }

    @Test("A gate that everybody can ask, that reads bodies, or that keeps one client's yes for another")
    func gate() throws {
        let good = try Self.dump()
        for (old, new, rule) in [
            ("    internal;\n", "", "gate-not-internal"), ("fastcgi_pass_request_body off;", "", "gate-reads-bodies"),
            ("$http_authorization\\n", "", "gate-cache-key"), ("$http_cookie\\n", "", "gate-cache-key"),
        ] {
            let dump = good.replacingOccurrences(of: old, with: new)
            #expect(dump != good)
            #expect(try Self.findings(dump).map(\.rule) == [rule], "\(old)")
        }
    }

    @Test("A guard without the gate asks whoever is there")
    func withoutGate() throws {
        let dump = try Self.dump(server: "location / { return 200; }")
            .replacingOccurrences(of: "include postern-gate.conf;\n", with: "\n")
        #expect(try Self.findings(dump).map(\.rule) == ["guard-without-gate"])
        let elsewhere = try Self.dump(server: "location = /mine { return 200; }", app: "auth_request /mine;")
            .replacingOccurrences(of: "auth_request /_postern/gate;", with: "")
        #expect(try Self.findings(elsewhere).map(\.rule) == ["guard-without-gate"])
    }

    @Test(
        "A policy that nobody enforces is an error, whichever way it is said",
        arguments: [
            #"location /x/ { set $postern_permission "IsAdminUser"; proxy_pass http://127.0.0.1:9001; }"#,
            #"location /x/ { set $postern_authentication Token; root /srv; }"#,
            #"location /x/ { set $postern_permission DenyAll; location /x/y/ { proxy_pass http://127.0.0.1:9001; } }"#,
            #"location /x/ { set $postern_permission DenyAll; include postern-guard.conf; auth_request off; proxy_pass http://127.0.0.1:9001; }"#
                .replacing("include postern-guard.conf; ", with: ""),
            #"location /x/ { fastcgi_param POSTERN_PERMISSION IsAuthenticated; proxy_pass http://127.0.0.1:9001; }"#,
            #"location /x/ { fastcgi_param POSTERN_PERMISSION IsAuthenticated; fastcgi_pass 127.0.0.1:9001; }"#,
            #"location /x/ { uwsgi_param POSTERN_PERMISSION IsAuthenticated; uwsgi_pass 127.0.0.1:9001; }"#,
            #"location /x/ { proxy_set_header POSTERN_PERMISSION IsAuthenticated; proxy_pass http://127.0.0.1:9001; }"#,
        ]
    )
    func unenforced(location: String) throws {
        let findings = try Self.findings(try Self.dump(server: location))
        #expect(findings.map(\.rule) == ["policy-without-guard"], "\(findings)")
        #expect(findings.first?.severity == .error, "\(findings)")
    }

    @Test("A policy of a whole server that none of its locations enforces")
    func unenforcedServer() throws {
        let server =
            #"server { listen 127.0.0.1:81; set $postern_permission "IsAdminUser"; location / { proxy_pass http://127.0.0.1:9002; } }"#
        #expect(try Self.findings(try Self.dump(http: server)).map(\.rule) == ["policy-without-guard"])
    }

    @Test(
        "A location that takes paths however they are typed hands on the one that was judged",
        arguments: [
            ("http://127.0.0.1:9000", true), ("http://127.0.0.1:9000/", false), ("http://127.0.0.1:9000/x", false),
            ("http://unix:/run/x.sock", true), ("http://unix:/run/x.sock:/", false),
        ]
    )
    func rawPath(target: String, isFound: Bool) throws {
        let dump = try Self.dump(app: "set $postern_path raw;").replacing("http://127.0.0.1:9000;", with: target + ";")
        let findings = try Self.findings(dump)
        #expect(findings.map(\.rule) == (isFound ? ["raw-path"] : []))
        #expect(findings.allSatisfy { $0.severity == .warning })
    }

    @Test("A gate has to be told what the client typed")
    func gateWithoutTarget() throws {
        let dump = try Self.dump().replacing("    fastcgi_param REQUEST_URI     $request_uri;\n", with: "")
        #expect(try Self.findings(dump).map(\.rule) == ["missing-parameter"])
    }

    @Test(
        "lighttpd: a policy beside a proxy, and nothing that asks",
        arguments: [
            (
                #"setenv.add-environment = ( "POSTERN_VIEW" => "gate", "POSTERN_PERMISSION" => "IsAuthenticated" )"#,
                true
            ),
            (#"setenv.add-environment = ( "POSTERN_PERMISSION" => "IsAuthenticated" )"#, true),
            (#"setenv.add-environment = ( "OTHER" => "x" )"#, false),
        ]
    )
    func lighttpd(setting: String, isFound: Bool) throws {
        let proxy = #"proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => 9000 ) ) )"#
        let dump = """
            config {
                $HTTP["url"] =^ "/app/" {
                    # block 1
                    \(setting)
                    \(proxy)
                }
            }
            """
        let findings = LighttpdLint(
            try LighttpdConfiguration(dump: dump),
            policyError: { _ in nil },
            socketMode: { _ in nil }
        )
        .findings()
        #expect(findings.map(\.rule) == (isFound ? ["policy-without-guard"] : []))
    }

    @Test("Where nothing is Postern's, nothing is found")
    func elsewhere() throws {
        let text =
            "# configuration file /a:\nhttp { server { listen 80; location / { proxy_pass http://x; return 200; } } }\n"
        #expect(try Self.findings(text).isEmpty)
    }
}
