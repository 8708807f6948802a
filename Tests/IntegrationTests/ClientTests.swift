import Foundation
import Testing

/// Programs that people have: what they make of Postern.
@Suite("Real clients and other implementations")
struct ClientTests {
    private static func site() throws -> Site {
        try Site(more: [
            (
                "/session/",
                [
                    ("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "Session"), ("POSTERN_AUTHENTICATION", "Session"),
                    ("POSTERN_METHODS", "GET POST"),
                ]
            )
        ])
    }

    @Test("requests, httpx, curl and Chromium log in, see who they are, and log out")
    func logins() throws {
        let python = try PythonEnvironment.python.get()
        let site = try Self.site()
        for port in [site.nginxPort, site.lighttpdPort] {
            let script = Site.sources + "/Tests/IntegrationTests/Peer/clients.py"
            // The browser talks to one web server; the form is the same behind the other.
            let clients = port == site.nginxPort ? [] : ["requests", "httpx", "curl"]
            let result = try Child.run(python, [script, "http://127.0.0.1:\(port)"] + clients)
            #expect(result.code == 0, "\(result.output.suffix(2000))\(result.error.suffix(2000))")
        }
    }

    @Test("PyJWT and joserfc take our tokens, and we take theirs, for every algorithm")
    func interoperation() throws {
        let python = try PythonEnvironment.python.get()
        let site = try Self.site()
        let id = try #require(try site.postern(["user", "show", "ann", "--json"]).output.firstMatch(of: /"id":(\d+)/)).1
        let script = Site.sources + "/Tests/IntegrationTests/Peer/interop.py"
        let url = "http://127.0.0.1:\(site.nginxPort)"
        let result = try Child.run(python, [script, url, site.store, Site.binary, String(id)])
        #expect(result.code == 0, "\(result.output.suffix(2000))\(result.error.suffix(2000))")
    }
}
