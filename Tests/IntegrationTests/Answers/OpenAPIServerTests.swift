import Foundation
import Testing

/// Whether the OpenAPI document is true of a server behind nginx: schemathesis makes requests of it, at the bounds of the
/// schemas, at random, and in sequences in which one answer leads to the next request.
@Suite("The server does what its OpenAPI document says")
struct OpenAPIServerTests {
    /// All that schemathesis checks, but for `positive_data_acceptance`: a schema cannot say which names are taken, which
    /// groups there are, which passwords are too common and which are right, so much that it allows is refused with 400.
    private static let arguments = [
        "--checks", "all", "--exclude-checks", "positive_data_acceptance", "--max-examples", "5", "--seed", "1",
        "--request-timeout", "30", "--continue-on-failure", "--no-color", "--workers", "1", "--warnings", "off",
    ]

    @Test("behind nginx")
    func schemathesis() throws {
        let python = try PythonEnvironment.python.get()
        let site = try Site()
        try site.addUser("root", ["--superuser", "--staff"])
        try site.addUser("spare")
        for number in 1...5 { try site.postern(["user", "add", "user\(number)", "--no-password"]).expectSuccess() }
        try site.postern(["group", "set", "ops", "--permission", "shop.sell"]).expectSuccess()
        let token = try #require(site.tokens["root"])
        let url = "http://127.0.0.1:\(site.nginxPort)"
        let result = try Child.run(
            // It leaves files where it runs.
            "/usr/bin/env",
            ["-C", site.folder, python, "-m", "schemathesis.cli", "run", url + "/openapi.json"] + Self.arguments,
            environment: [
                "POSTERN_SITE": url, "POSTERN_TOKEN": token, "POSTERN_TOKEN_ID": try Self.tokenID(of: "root", site),
                "POSTERN_KEPT": try ["root", "spare"].map { try Self.id(of: $0, site) }.joined(separator: " "),
                "SCHEMATHESIS_HOOKS": "openapi", "PYTHONPATH": Site.sources + "/Tests/IntegrationTests/Serving/Peer",
                "PYTHONDONTWRITEBYTECODE": "1",
            ]
        )
        #expect(result.code == 0, "\(result.output.suffix(8000))\(result.error.suffix(2000))")
        #expect(result.output.contains("Tested: "), "\(result.output.suffix(2000))")
        #expect(!site.log.contains("answered 500"))
    }

    private static func id(of name: String, _ site: Site) throws -> String {
        let shown = try site.postern(["user", "show", name, "--json"]).output
        return String(try #require(shown.firstMatch(of: /"id":(\d+)/)).1)
    }

    private static func tokenID(of name: String, _ site: Site) throws -> String {
        let listed = try site.postern(["token", "list", name, "--json"]).output
        return String(try #require(listed.firstMatch(of: /"id":(\d+)/)).1)
    }

    @Test("A user is made, changed and deleted through nginx and lighttpd, each on the same paths")
    func paths() throws {
        let site = try Site()
        try site.addUser("root", ["--superuser", "--staff"])
        let token = try #require(site.tokens["root"])
        for port in [site.nginxPort, site.lighttpdPort] {
            func ask(_ method: String, _ path: String, _ body: String = "") throws -> HTTPAnswer {
                var fields = [("Authorization", "Token " + token)]
                if !body.isEmpty { fields.append(("Content-Type", "application/json")) }
                return try HTTP.exchange(port, HTTP.request(method, path, fields, body: Array(body.utf8)))
            }
            let made = try ask("POST", "/api/users/", #"{"username":"bob"}"#)
            #expect(made.status == 201, "\(made.text)")
            let id = try #require(made.text.firstMatch(of: /"id":(\d+)/)).1
            let page = try ask("GET", "/api/users/?search=BO&page_size=1")
            #expect(page.status == 200)
            #expect(page.text.contains(#""count":1"#))
            #expect(page.text.contains(#""username":"bob""#))
            let next = try ask("GET", "/api/users/?page_size=2").text
            #expect(next.contains(#""next":"http://localhost/api/users/?page=2&page_size=2""#), "\(next)")
            #expect(try ask("PATCH", "/api/users/\(id)/", #"{"is_staff":true}"#).text.contains(#""is_staff":true"#))
            let password = #"{"password":"another horse battery staple"}"#
            #expect(try ask("POST", "/api/users/\(id)/set-password/", password).status == 200)
            #expect(try ask("POST", "/api/users/\(id)/set-password/x", password).status != 200)
            #expect(try ask("POST", "/api/users/\(id)/revoke-all/").status == 204)
            #expect(try ask("POST", "/api/groups/", #"{"name":"déjà vu"}"#).status == 201)
            #expect(try ask("GET", "/api/groups/d%C3%A9j%C3%A0%20vu/").text == #"{"name":"déjà vu","permissions":[]}"#)
            #expect(try ask("DELETE", "/api/groups/d%C3%A9j%C3%A0%20vu/").status == 204)
            #expect(try ask("DELETE", "/api/users/\(id)/").status == 204)
            #expect(try ask("GET", "/api/users/\(id)/").status == 404)
            let document = try HTTP.exchange(port, HTTP.request("GET", "/openapi.json"))
            #expect(document.status == 200)
            #expect(document.text.hasPrefix(#"{"openapi":"3.1.0""#))
        }
    }
}
