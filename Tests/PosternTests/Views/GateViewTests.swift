import FastCGI
import Foundation
import Logging
import Testing

@testable import Postern

@Suite("What the gate says to web servers")
struct GateViewTests {
    private let site: InProcessSite
    private let token: [String: String]

    init() throws {
        site = try InProcessSite()
        token = ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: try site.user("ann")).1.text)]
    }

    private func ask(
        _ location: [String: String] = [:],
        view: String = "gate",
        method: String = "GET",
        headers: [String: String] = [:],
        role: Role = .responder
    ) -> InProcessSite.Answer {
        site.ask(view, location, method: method, headers: headers, more: [("DOCUMENT_URI", "/x")], role: role)
    }

    @Test("nginx: 204 and who it is; 401 and 403 with the body in a field; everything else is a 403 that says what")
    func authRequest() throws {
        let yes = ask(headers: token)
        #expect(yes.status == 204)
        #expect(yes.body.isEmpty)
        #expect(yes.values("X-Postern-User") == ["ann"])
        #expect(yes.values("X-Postern-User-Id") == ["1"])
        #expect(yes.values("X-Postern-Scheme") == ["Token"])
        #expect(yes.values("X-Postern-Groups").isEmpty)
        #expect(yes.values("Cache-Control") == ["no-store"])
        let nobody = ask()
        #expect(nobody.status == 401)
        #expect(nobody.values("WWW-Authenticate") == ["Token"])
        #expect(nobody.body.isEmpty)
        #expect(nobody.values("X-Postern-Body") == [#"{"detail":"Authentication credentials were not provided."}"#])
        #expect(nobody.values("X-Postern-Status") == ["401"])
        #expect(ask(["PERMISSION": "IsAdminUser"], headers: token).status == 403)
        for (location, status) in [
            (["PERMISSION": ""], "500"), (["PERMISSION": "AllowAll"], "500"), (["METHODS": "POST"], "405"),
            (["THROTTLE": "user=0/min"], "429"), (["NONSENSE": "x"], "500"),
        ] {
            let answer = ask(location, headers: token)
            #expect(answer.status == 403, "\(location)")
            #expect(answer.values("X-Postern-Status") == [status], "\(location)")
            #expect(answer.values("X-Postern-Body").count == 1)
            #expect(answer.values("X-Postern-User").isEmpty)
        }
    }

    @Test("Others get statuses and bodies as they are")
    func plain() {
        let get = ["REQUEST_METHOD": "GET"]
        #expect(ask(get, view: "forward-auth", headers: token).status == 204)
        // Caddy asks with GET whatever the client does.
        #expect(ask(view: "forward-auth", headers: token).status == 500)
        let readOnly = ["PERMISSION": "ReadOnly"]
        #expect(ask(readOnly.merging(get) { $1 }, view: "forward-auth", headers: token).status == 204)
        #expect(
            ask(readOnly.merging(["REQUEST_METHOD": "PUT"]) { $1 }, view: "forward-auth", headers: token).status == 403
        )
        let nobody = ask(view: "forward-auth")
        #expect(nobody.status == 401)
        #expect(nobody.body == #"{"detail":"Authentication credentials were not provided."}"#)
        #expect(ask(["THROTTLE": "user=0/min"], view: "forward-auth", headers: token).status == 429)
    }

    @Test("An authorizer says 200 with variables, also who it is not")
    func authorizer() {
        let yes = ask(headers: token, role: .authorizer)
        #expect(yes.status == 200)
        #expect(yes.values("Variable-REMOTE_USER") == ["ann"])
        #expect(yes.values("Variable-AUTH_TYPE") == ["Token"])
        #expect(yes.values("Variable-REMOTE_GROUPS") == [""])
        #expect(yes.fields.allSatisfy { $0.name.hasPrefix("Variable-") })
        let anybody = ask(["PERMISSION": "AllowAny"], role: .authorizer)
        #expect(anybody.status == 200)
        #expect(anybody.values("Variable-REMOTE_USER") == [""])
        let nobody = ask(role: .authorizer)
        #expect(nobody.status == 401)
        #expect(nobody.body == #"{"detail":"Authentication credentials were not provided."}"#)
        #expect(ask(["THROTTLE": "user=0/min"], headers: token, role: .authorizer).status == 429)
    }

    @Test("No name ends a field, or a list in one; a list that is too long is cut between names")
    func names() throws {
        var groups = ["a b", "b;c", "\"q\"", "é", "100%"]
        groups += (0..<300).map { "z\($0)" + String(repeating: "x", count: 20) }
        let user = try site.accounts.addUser(try Username("o'né \"x\";,%".utf8), password: nil).0
        for group in groups { try site.store.setGroup(try GroupName(group.utf8), permissions: []) }
        try site.store.grant(user.id, addingGroups: groups.map { try GroupName($0.utf8) })
        let token = try site.accounts.issueToken(for: user, limits: try TokenLimits(scopes: ["a,b", "c;d"])).1.text
        let answer = ask(headers: ["AUTHORIZATION": "Token " + token])
        #expect(answer.values("X-Postern-User") == ["o'n%C3%A9%20%22x%22%3B%2C%25"])
        #expect(answer.values("X-Postern-Scopes") == ["a%2Cb c%3Bd"])
        let list = try #require(answer.values("X-Postern-Groups").first)
        #expect(list.hasPrefix("%22q%22,100%25,a%20b,b%3Bc,z0"))
        #expect(list.utf8.count <= 3072)
        #expect(list.split(separator: ",").last?.hasSuffix(String(repeating: "x", count: 20)) == true)
    }

    @Test("A body beyond ASCII is the same JSON in ASCII")
    func ascii() {
        let headers = ["COOKIE": "sessionid=" + SessionKey.random().text, "ORIGIN": "https://\u{1F600}é"]
        let answer = ask(method: "POST", headers: headers)
        for value in answer.values("X-Postern-Body") { #expect(value.utf8.allSatisfy { $0 < 0x7F }) }
    }

    @Test("What the client accepts is the upstream's affair")
    func negotiation() {
        #expect(ask(headers: token.merging(["ACCEPT": "image/png"]) { $1 }).status == 204)
    }

    @Test("The signed identity verifies by the public keys, for its audience, for a minute, and opens nothing here")
    func signedIdentity() throws {
        let location = ["IDENTITY_AUDIENCE": "https://app.example"]
        #expect(ask(location, headers: token).values("X-Postern-Status") == ["500"])
        try site.store.generateKey(.edDSA)
        let text = try #require(ask(location, headers: token).values("X-Postern-Identity").first)
        let signature = try #require(JSONWebSignature(compact: Array(text.utf8)[...]))
        let keys = JSONWriter.bytes(of: try site.store.keyRing().publicSet)
        let published = try JSONWebKeySet(parsing: keys)
        #expect(signature.signer(among: published) != nil)
        let claims = try #require(JSONObject(signature.payload))
        #expect(claims.string("aud") == "https://app.example" && claims.string("username") == "ann")
        #expect(claims.string("sub") == "1")
        #expect(claims.string("token_type") == "identity")
        guard case .integer(let issued)? = claims["iat"], case .integer(let expires)? = claims["exp"] else {
            Issue.record("no times")
            return
        }
        #expect(expires - issued == 60)
        for location in [[:], ["JWT_AUDIENCE": "https://app.example"]] {
            let answer = ask(location, headers: ["AUTHORIZATION": "Bearer " + text])
            #expect(answer.status == 401)
        }
        #expect(ask(location.merging(["PERMISSION": "AllowAny"]) { $1 }).values("X-Postern-Identity").isEmpty)
    }

    @Test("nginx may go by a yes for as long as the location says, and by nothing else")
    func caching() {
        #expect(ask(["CACHE": "5s"], headers: token).values("X-Accel-Expires") == ["5"])
        #expect(ask(["CACHE": "5s"], method: "POST", headers: token).values("X-Accel-Expires").isEmpty)
        #expect(ask(["CACHE": "5s"]).values("X-Accel-Expires").isEmpty)
        // It would tell who guesses that a password is right, past all counters.
        let basic = ["AUTHORIZATION": "Basic " + Base64.encode(Array("ann:\(InProcessSite.password)".utf8))]
        let answer = ask(["CACHE": "5s"], headers: basic)
        #expect(!answer.values("X-Postern-User").isEmpty)
        #expect(answer.values("X-Accel-Expires").isEmpty)
        #expect(answer.values("Cache-Control") == ["no-store"])
        #expect(ask(headers: token).values("X-Accel-Expires").isEmpty)
        #expect(ask(["CACHE": "2m"], headers: token).values("X-Postern-Status") == ["500"])
        #expect(ask(["CACHE": "5s", "THROTTLE": "user=9/min"], headers: token).values("X-Postern-Status") == ["500"])
    }

    @Test("A session's unsafe requests go by where they come from, and a WebSocket is one of them")
    func sessions() throws {
        let login = site.ask("session.login", headers: ["HOST": "h"], body: InProcessSite.login("ann"))
        let key = try #require(login.cookies["sessionid"])
        func ask(_ method: String, _ headers: [String: String], _ location: [String: String] = [:]) -> Int {
            self.ask(
                location,
                method: method,
                headers: headers.merging(["COOKIE": "sessionid=" + key, "HOST": "h"]) { $1 }
            ).status
        }
        #expect(ask("GET", [:]) == 204)
        #expect(ask("POST", ["ORIGIN": "http://h"]) == 204)
        #expect(ask("POST", ["SEC_FETCH_SITE": "same-origin"]) == 204)
        #expect(ask("POST", ["ORIGIN": "http://app"], ["TRUSTED_ORIGINS": "http://app"]) == 204)
        for headers in [
            [:], ["ORIGIN": "http://evil"], ["ORIGIN": "null"], ["SEC_FETCH_SITE": "same-site"],
            ["SEC_FETCH_SITE": "none"], ["SEC_FETCH_SITE": "cross-site"],
        ] {
            #expect(ask("POST", headers) == 403, "\(headers)")
        }
        #expect(ask("GET", ["UPGRADE": "websocket", "ORIGIN": "http://evil"]) == 403)
        #expect(ask("GET", ["UPGRADE": "websocket", "ORIGIN": "http://h"]) == 204)
        #expect(ask("POST", ["ORIGIN": "http://h"], ["CSRF": "token"]) == 403)
    }

    private func askFor(_ target: String, _ location: [String: String] = [:], _ view: String = "gate")
        -> InProcessSite.Answer
    {
        let more = [("REQUEST_URI", target), ("DOCUMENT_URI", "/x")]
        let location = location.merging(view == "gate" ? [:] : ["REQUEST_METHOD": "GET"]) { $1 }
        return site.ask(view, location, method: "GET", headers: token, more: more)
    }

    @Test("A path that can be read in two ways is refused, whoever asks, unless the location takes it")
    func paths() {
        for target in ["/owner/root/..%2fann/x", "/adm/../open/x", "/app/secret/..%2fa/x", "//x", "/x;y", "/%00"] {
            let refused = askFor(target)
            #expect(refused.status == 403, "\(target)")
            #expect(refused.values("X-Postern-Status") == ["400"], "\(target)")
            #expect(refused.values("X-Postern-Body") == [#"{"detail":"The path can be read in more than one way."}"#])
            #expect(askFor(target, [:], "forward-auth").status == 400)
            #expect(askFor(target, ["PATH": "raw"]).status == 204)
            #expect(askFor(target, ["PATH": "plain"]).status == 403)
            // Views of ours act on what was judged.
            #expect(askFor(target, [:], "whoami").status == 200)
        }
        #expect(askFor("/x?y=../%2f").status == 204)
        #expect(askFor("").values("X-Postern-Status") == ["500"])
        #expect(askFor("", ["PATH": "raw"]).status == 204)
        #expect(askFor("/x", ["PATH": "any"]).values("X-Postern-Status") == ["500"])
    }

    @Test("A request that asks for another method has to be allowed by both")
    func methods() throws {
        func status(
            _ permission: String,
            _ method: String,
            _ field: String,
            _ other: String,
            _ more: [String: String] = [:]
        )
            -> String
        {
            let headers = token.merging([field: other]) { $1 }
            let answer = ask(["PERMISSION": permission].merging(more) { $1 }, method: method, headers: headers)
            return answer.values("X-Postern-Status").first ?? String(answer.status)
        }
        for field in ["X_HTTP_METHOD_OVERRIDE", "X_HTTP_METHOD", "X_METHOD_OVERRIDE"] {
            #expect(status("ReadOnly", "GET", field, "DELETE") == "403")
            #expect(status("ReadOnly", "GET", field, "delete") == "403")
            #expect(status("ReadOnly", "GET", field, "HEAD") == "204")
            #expect(status("ReadOnly", "GET", field, "GET") == "204")
            #expect(status("ReadOnly", "POST", field, "GET") == "403")
            #expect(status("IsAuthenticated", "POST", field, "PATCH") == "204")
            #expect(status("IsAuthenticated", "GET", field, "PATCH", ["METHODS": "GET"]) == "405")
            #expect(status("IsAuthenticated", "PATCH", field, "GET", ["METHODS": "GET"]) == "405")
            #expect(status("IsAuthenticated", "GET", field, "a b") == "400")
        }
        let two = token.merging(["X_HTTP_METHOD": "PUT", "X_HTTP_METHOD_OVERRIDE": "DELETE"]) { $1 }
        #expect(ask(headers: two).values("X-Postern-Status") == ["400"])
        // A session is protected against forgery by the unsafe one of both.
        let session = site.ask("session.login", body: InProcessSite.login("ann")).values("Set-Cookie").map {
            String($0.prefix { $0 != ";" })
        }.joined(separator: "; ")
        let forged = ["COOKIE": session, "SEC_FETCH_SITE": "cross-site", "X_HTTP_METHOD_OVERRIDE": "POST"]
        #expect(ask(method: "GET", headers: ["COOKIE": session, "SEC_FETCH_SITE": "cross-site"]).status == 204)
        #expect(ask(method: "GET", headers: forged).values("X-Postern-Status") == ["403"])
        // No preflight.
        let preflight = ["ORIGIN": "https://a", "ACCESS_CONTROL_REQUEST_METHOD": "PUT"]
        #expect(ask(["PREFLIGHT": "allow"], method: "OPTIONS", headers: preflight).status == 204)
        let typed = preflight.merging(["CONTENT_TYPE": "application/json"]) { $1 }
        #expect(ask(["PREFLIGHT": "allow"], method: "OPTIONS", headers: typed).status == 401)
        let other = preflight.merging(["X_HTTP_METHOD": "DELETE"]) { $1 }
        #expect(ask(["PREFLIGHT": "allow"], method: "OPTIONS", headers: other).status == 401)
    }

    @Test(
        "A field that says where a request comes from, and comes twice, is refused",
        arguments: [
            "HTTP_HOST", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_SEC_FETCH_SITE", "HTTP_AUTHORIZATION", "REQUEST_URI",
        ]
    )
    func doubled(name: String) {
        for view in ["gate", "whoami"] {
            let more = [("REQUEST_URI", "/x"), (name, "a"), (name, "a")].suffix(name == "REQUEST_URI" ? 2 : 3)
            let answer = site.ask(view, ["PERMISSION": "AllowAny"], method: "GET", more: Array(more))
            #expect((answer.values("X-Postern-Status").first ?? String(answer.status)) == "400", "\(name) \(view)")
        }
    }

    /// What the gate says of an identity, and no client may say for it.
    private static let identityNames = ["User", "User-Id", "Groups", "Scopes", "Scheme", "Identity"].map {
        "X-Postern-" + $0
    }

    @Test("The files of all web servers take away the same names, with underscores as well")
    func clearedNames() throws {
        func file(_ path: String) throws -> String {
            try String(contentsOfFile: Repository.path + "/" + path, encoding: .utf8)
        }
        let (guarded, fastcgi) = (try file("nginx/postern-guard.conf"), try file("nginx/postern-identity-fastcgi.conf"))
        let (uwsgi, apache) = (try file("nginx/postern-identity-uwsgi.conf"), try file("apache/postern.conf"))
        let (lighttpd, caddy) = (try file("lighttpd/postern.conf"), try file("caddy/Caddyfile"))
        for prefix in ["X-Postern*", "X_Postern*"] { #expect(caddy.contains("request_header -\(prefix)\n")) }
        for name in Self.identityNames {
            #expect(guarded.contains("proxy_set_header \(name) "), "\(name)")
            let variable = "HTTP_" + name.uppercased().replacing("-", with: "_")
            #expect(
                fastcgi.contains("fastcgi_param \(variable) "),
                "\(name)"
            )
            #expect(
                uwsgi.contains("uwsgi_param \(variable) "),
                "\(name)"
            )
            #expect(caddy.contains(try Regex("copy_headers .*\\b\(name)\\b")), "\(name)")
            #expect(
                apache.contains("RequestHeader set \(name) "),
                "\(name)"
            )
            #expect(
                lighttpd.contains("\"\(name)\" => \"\""),
                "\(name)"
            )
            // nginx drops fields with underscores, unless it is told otherwise.
            let parts = name.split(separator: "-")
            for number in 1..<(1 << (parts.count - 1)) {
                let spelled = parts.enumerated().map { place, part in
                    place == 0 ? String(part) : (number >> (place - 1) & 1 == 0 ? "-" : "_") + part
                }.joined()
                #expect(lighttpd.contains("\"\(spelled)\" => \"\""), "\(spelled)")
                #expect(apache.contains("RequestHeader unset \(spelled)\n"), "\(spelled)")
            }
        }
        #expect(lighttpd.contains("\"Forwarded\" => \"\""))
    }

    @Test("Who it is fits into the head that web servers take, however many groups and scopes there are")
    func size() throws {
        let user = try site.accounts.addUser(
            try Username(String(repeating: "\u{4E2D}", count: 150).utf8),
            password: nil
        ).0
        let groups = (0..<100).map { "group \($0) \(String(repeating: "é", count: 40))" }
        for group in groups { try site.store.setGroup(try GroupName(group.utf8), permissions: []) }
        try site.store.grant(user.id, addingGroups: groups.map { try GroupName($0.utf8) })
        let scopes = (0..<50).map { "scope-\($0)-" + String(repeating: "x", count: 40) }
        let secret = try site.accounts.issueToken(for: user, limits: try TokenLimits(scopes: scopes)).1
        try site.store.generateKey(.edDSA)
        for location in [[:], ["IDENTITY_AUDIENCE": "https://app"]] {
            let answer = ask(location, headers: ["AUTHORIZATION": "Token " + secret.text])
            #expect(answer.status == 204)
            let size = answer.fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
            #expect(size < 8192, "\(size)")
            #expect(!answer.values("X-Postern-User").isEmpty, "\(size)")
            #expect(answer.values("X-Postern-Identity").count == location.count)
        }
    }
}
