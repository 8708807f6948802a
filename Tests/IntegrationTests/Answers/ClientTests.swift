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
            let script = Site.sources + "/Tests/IntegrationTests/Serving/Peer/clients.py"
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
        let script = Site.sources + "/Tests/IntegrationTests/Serving/Peer/interop.py"
        let url = "http://127.0.0.1:\(site.nginxPort)"
        let result = try Child.run(python, [script, url, site.store, Site.binary, String(id)])
        #expect(result.code == 0, "\(result.output.suffix(2000))\(result.error.suffix(2000))")
    }

    @Test("JSON Web Tokens in cookies go through both web servers, with the token against forged requests")
    func cookies() throws {
        func location(_ path: String, _ view: String, _ more: [(String, String)] = []) -> Site.Location {
            (path, [("POSTERN_VIEW", view), ("POSTERN_JWT_COOKIE", "access")] + more)
        }
        let site = try Site(more: [
            location("/cookie/obtain/", "jwt.obtain"), location("/cookie/refresh/", "jwt.refresh"),
            location("/cookie/blacklist/", "jwt.blacklist"),
            location("/cookie/notes/", "message", [("POSTERN_MESSAGE", "x"), ("POSTERN_METHODS", "GET POST")]),
        ])
        for port in [site.nginxPort, site.lighttpdPort] {
            var jar: [String: String] = [:]
            func ask(_ method: String, _ path: String, _ body: String = "", csrf: Bool = true) throws -> HTTPAnswer {
                var fields = [("Cookie", jar.map { "\($0)=\($1)" }.joined(separator: "; "))]
                if csrf { fields.append(("X-CSRFToken", jar["csrftoken"] ?? "")) }
                if !body.isEmpty { fields.append(("Content-Type", "application/json")) }
                let answer = try HTTP.exchange(
                    port,
                    HTTP.request(method, "/cookie/" + path, fields, body: Array(body.utf8))
                )
                for field in answer.values("Set-Cookie") {
                    let pair = field.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
                    jar[String(pair[0])] = String(pair[1])
                }
                return answer
            }
            let login = #"{"username":"ann","password":"\#(Site.password)"}"#
            let obtained = try ask("POST", "obtain/", login, csrf: false)
            #expect(obtained.status == 200, "\(obtained.status) \(obtained.text)")
            #expect(obtained.text == "{}", "\(obtained.status) \(obtained.text)")
            #expect(Set(jar.keys) == ["access", "access_refresh", "csrftoken"])
            #expect(try ask("GET", "notes/", csrf: false).status == 200)
            #expect(try ask("POST", "notes/", csrf: false).text == #"{"detail":"CSRF Failed: CSRF token missing."}"#)
            #expect(try ask("POST", "notes/").status == 200)
            let before = jar["access"]
            #expect(try ask("POST", "refresh/").status == 200)
            #expect(jar["access"] != before)
            #expect(try ask("POST", "notes/").status == 200)
            let cookies = jar
            #expect(try ask("POST", "blacklist/").status == 200)
            jar = cookies
            #expect(try ask("GET", "notes/").status == 401)
        }
    }
}
