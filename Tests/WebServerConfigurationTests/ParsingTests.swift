import TestSupport
import Testing

@testable import WebServerConfiguration

@Suite("Reading what nginx -T prints", .randomized)
struct ParsingTests {
    private func http(_ text: String) throws -> NginxConfiguration {
        try NginxConfiguration(dump: "# configuration file /etc/nginx/nginx.conf:\nhttp {\n\(text)\n}\n")
    }

    private func server(_ text: String) throws -> ServerBlock {
        try #require(try http("server {\n\(text)\n}").servers.first)
    }

    @Test("Words, quotes, escapes, comments, variables in braces")
    func words() throws {
        let server = try server(
            #"""
            # a comment; with { signs }
            set $a "two words; {x}"; set $b 'it\'s'; set $c a\;b; set $d ${host}x; set $e "\\d\n";
            location ~ "^/a{2}$" { return 200 "x"; }
            """#
        )
        #expect(
            server.level.own("set").map(\.arguments) == [
                ["$a", "two words; {x}"], ["$b", "it's"], ["$c", #"a\;b"#], ["$d", "${host}x"], ["$e", "\\d\n"],
            ]
        )
        #expect(server.locations.map(\.text) == ["^/a{2}$"])
    }

    @Test("Includes by pattern, relative to the first file, each as often as it is named")
    func includes() throws {
        let dump = """
            nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
            nginx: configuration file /etc/nginx/nginx.conf test is successful
            # configuration file /etc/nginx/nginx.conf:
            http { include sites/*; }
            # configuration file /etc/nginx/sites/b:
            server { server_name b; include snippet.conf; }
            # configuration file /etc/nginx/sites/c:
            server { server_name c; location / { include /etc/nginx/snippet.conf; } }

            # configuration file /etc/nginx/snippet.conf:
            set $x 1;
            """
        let configuration = try NginxConfiguration(dump: dump)
        #expect(configuration.servers.map(\.names) == [["b"], ["c"]])
        #expect(configuration.servers[0].level.own("set").first?.place == "/etc/nginx/snippet.conf:1")
        #expect(configuration.servers[1].locations.first?.variables == ["x": "1"])
    }

    @Test(
        "What is no configuration is refused with its place",
        arguments: [
            ("http {", 2), ("http { server { }", 2), ("}", 1), ("http { a b }", 1), ("http {\n a \"b;\n}", 4),
            ("http {\n;\n}", 2),
            (String(repeating: "a{", count: 60), 1),
        ]
    )
    func errors(text: String, line: Int) throws {
        let error = #expect(throws: ConfigurationError.self) {
            try NginxConfiguration(dump: "# configuration file /a:\n" + text + "\n")
        }
        #expect(error?.file == "/a", "\(error?.description ?? "")")
        #expect(error?.line == line, "\(error?.description ?? "")")
    }

    @Test("No text ends the reader")
    func fuzz() {
        var generator = seeded
        let pieces = [
            "http", "server", "location", "{", "}", ";", "\"", "'", "\\", "$", "${", "#", "\n", " ", "~", "/",
            "include", "*", "map", "\r\n", "é",
        ]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...30, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }
            guard
                let configuration = try? NginxConfiguration(
                    dump: text.joined(separator: Bool.random(using: &generator) ? " " : "")
                )
            else { continue }
            for server in configuration.servers { _ = server.location(for: "/a") }
        }
    }

    @Test("A directive holds for the blocks within, until one has any of the same name")
    func inheritance() throws {
        let server = try server(
            """
            proxy_set_header A 1;
            location /a { proxy_set_header B 2; proxy_set_header C 3; location /a/b { } }
            location /c { set $x 1; location /c/d { } }
            """
        )
        let names = { (location: Location) in location.effective("proxy_set_header").map(\.value) }
        #expect(names(server.locations[0]) == ["B", "C"])
        #expect(names(server.locations[0].locations[0]) == ["B", "C"])
        #expect(names(server.locations[1]) == ["A"])
        #expect(names(server.locations[1].locations[0]) == ["A"])
        #expect(server.locations[1].locations[0].variables.isEmpty)
    }

    @Test("The server of a port and a name")
    func servers() throws {
        let configuration = try http(
            """
            server { listen 80; server_name a.example; }
            server { listen 127.0.0.1:8080 default_server; listen [::]:8080; server_name *.example; }
            server { listen 8080; server_name b.example www.*; }
            server { listen 8080; server_name ~^c\\d+$; }
            server { listen unix:/run/x; server_name d; }
            server { server_name e; }
            """
        )
        func first(_ port: Int, _ name: String) -> String? { configuration.server(port: port, name: name)?.names.first }
        #expect(first(80, "a.example") == "a.example")
        #expect(first(80, "x") == "a.example")
        #expect(first(80, "e") == "e")
        #expect(first(8080, "B.example") == "b.example" || first(8080, "B.example") == "*.example")
        #expect(first(8080, "www.x") == "b.example")
        #expect(first(8080, "c12") == "~^c\\d+$")
        #expect(first(8080, "zz") == "*.example")
        #expect(first(81, "a.example") == nil)
    }

    @Test("Constants are maps of nothing")
    func constants() throws {
        let configuration = try http(
            #"map "" $a { default "x"; } map $host $b { default y; } map "" $c { default ""; }"#
        )
        #expect(configuration.constants == ["a": "x", "c": ""])
    }

    @Test("Variables are put into texts")
    func variables() {
        let value = { (name: String) in ["a": "1", "b_c": "2", "1": "x"][name] }
        #expect(Variables.expand("$a-${b_c}d$1$$z.$", value) == "1-2dx$.$")
        #expect(Variables.names(in: "$a${b}$http_x-y") == ["a", "b", "http_x"])
    }
}
