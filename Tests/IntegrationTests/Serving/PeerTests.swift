import Foundation
import Testing

/// Thousands of requests, in flows of several steps too, are put to a live Django project with Django REST
/// Framework, simplejwt and knox and to Postern behind nginx and lighttpd. See Peer/compare.py, which also holds the
/// differences on purpose.
@Suite("The same answers as Django REST Framework, simplejwt and knox")
struct PeerTests {
    private static let passwords = ["dora", "bob", "carl"]

    @Test("behind nginx and lighttpd")
    func compare() throws {
        let python = try PythonEnvironment.python.get()
        let site = try Site(more: Self.locations)
        for name in Self.passwords {
            try site.addUser(name)
        }
        let port = try freePort()
        let peerState = site.folder + "/peer.json"
        let peer = try Child(
            python,
            [Self.script("peer.py"), String(port), peerState],
            log: site.folder + "/peer.log"
        )
        defer { peer.end() }
        let ownState = site.folder + "/postern.json"
        try Self.state(of: site).write(to: URL(fileURLWithPath: ownState))
        try eventually("the peer answers") { FileManager.default.fileExists(atPath: peerState) }
        let result = try Child.run(
            python,
            [
                Self.script("compare.py"), "--peer", "http://127.0.0.1:\(port)", "--peer-state", peerState,
                "--postern", "http://127.0.0.1:\(site.nginxPort)", "--postern-state", ownState,
                "--also", "http://127.0.0.1:\(site.lighttpdPort)",
            ]
        )
        #expect(result.code == 0, "\(result.output.suffix(6000))\(result.error)")
        #expect(!site.log.contains("answered 500"))
    }

    private static func script(_ name: String) -> String {
        Site.sources + "/Tests/IntegrationTests/Serving/Peer/" + name
    }

    /// What compare.py has to know of a server to ask it.
    private static func state(of site: Site) throws -> Data {
        // Tokens that compare.py makes are those of a project that was left: its key is imported, and they name none.
        let secret = "django-insecure-$(\(UUID().uuidString))!"
        try site.postern(["key", "import"], input: secret).expectSuccess()
        let key = Data(secret.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
        let list = try site.postern(["user", "list", "--json"])
        try list.expectSuccess()
        let users = try #require(try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]])
        var state: [String: [String: Any]] = [:]
        for user in users {
            let name = try #require(user["username"] as? String)
            state[name] = ["id": try #require(user["id"]), "token": try #require(site.tokens[name])]
        }
        return try JSONSerialization.data(
            withJSONObject: ["users": state, "jwt_secret": key]
        )
    }

    /// The addresses of peer.py that Postern's own endpoints and the example have not, and all of them once more
    /// under /https/.
    private static var locations: [Site.Location] {
        func mixed(_ path: String, _ text: String, _ authentication: String, _ permission: String = "IsAuthenticated")
            -> Site.Location
        {
            (
                path,
                [
                    ("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", text), ("POSTERN_PERMISSION", permission),
                    ("POSTERN_AUTHENTICATION", authentication), ("POSTERN_METHODS", "GET POST PUT PATCH DELETE"),
                ]
            )
        }
        func saying(_ location: Site.Location, _ parameter: String, _ value: String) -> Site.Location {
            (location.path, location.parameters + [(parameter, value)])
        }
        let own: [Site.Location] = [
            mixed("/jwt/", "JWT", "JWT"), mixed("/jwt-public/", "JWT", "JWT", "AllowAny"),
            mixed("/session/", "Session", "Session"), mixed("/session-public/", "Open", "Session", "AllowAny"),
            mixed("/knox/", "Knox", "Knox"), mixed("/session-token/", "Both", "Session Token"),
            mixed("/token-session/", "Both", "Token Session"), mixed("/jwt-token/", "Both", "JWT Token"),
            mixed("/token-jwt/", "Both", "Token JWT"), mixed("/session-basic/", "Both", "Session Basic"),
            mixed("/all/", "All", "Token JWT Session Basic"),
            (
                "/limited-login/",
                [("POSTERN_VIEW", "token.login"), ("POSTERN_AUTHENTICATION", "Basic"), ("POSTERN_TOKEN_LIMIT", "2")]
            ),
            (
                "/endless-login/",
                [
                    ("POSTERN_VIEW", "token.login"), ("POSTERN_AUTHENTICATION", "Basic"),
                    ("POSTERN_TOKEN_LIFETIME", "never"),
                ]
            ),
            (
                "/session-token-auth/",
                [("POSTERN_VIEW", "token.obtain"), ("POSTERN_AUTHENTICATION", "Session Basic")]
            ),
            saying(mixed("/token-or-knox/", "Both", "Token Knox"), "POSTERN_TOKEN_KEYWORD", "Token Knox"),
            saying(mixed("/knox-or-token/", "Both", "Knox Token"), "POSTERN_TOKEN_KEYWORD", "Knox Token"),
            saying(mixed("/jwt-words/", "JWT", "JWT"), "POSTERN_JWT_KEYWORD", "JWT Bearer"),
            saying(mixed("/jwt-sub/", "JWT", "JWT"), "POSTERN_JWT_USER_ID_CLAIM", "sub"),
            saying(("/sub/api/token/", [("POSTERN_VIEW", "jwt.obtain")]), "POSTERN_JWT_USER_ID_CLAIM", "sub"),
            saying(("/sub/api/token/refresh/", [("POSTERN_VIEW", "jwt.refresh")]), "POSTERN_JWT_USER_ID_CLAIM", "sub"),
        ]
        let endpoints = [
            ("/api-token-auth/", "token.obtain"), ("/api/token/", "jwt.obtain"), ("/api/token/refresh/", "jwt.refresh"),
            ("/api/token/verify/", "jwt.verify"), ("/api/token/blacklist/", "jwt.blacklist"),
            ("/api/auth/login/", "token.login"), ("/api/auth/logout/", "token.logout"),
            ("/api/auth/logoutall/", "token.logoutall"), ("/api-auth/login/", "session.login"),
            ("/api-auth/logout/", "session.logout"),
        ]
        let encrypted =
            [
                ("/secure/", [("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "You are authenticated")]),
                mixed("/public/", "Public", "Token JWT Session Basic", "AllowAny"),
            ] + own + endpoints.map { ($0.0, [("POSTERN_VIEW", $0.1)]) }
        return own + encrypted.map { ("/https" + $0.path, $0.parameters + [("HTTPS", "on")]) }
    }
}
