import Foundation
import Testing

/// The gate in front of an upstream that remembers what reached it.
@Suite("The gate", .serialized)
struct GateTests {
    private static let site = Result {
        let site = try Site(
            users: false,
            guarded: [
                ("/app/", [("POSTERN_PERMISSION", "IsAuthenticated")]),
                ("/app/admin/", [("POSTERN_PERMISSION", "IsAdminUser")]),
                ("/open/", [("POSTERN_PERMISSION", "AllowAny")]),
                ("/write/", [("POSTERN_PERMISSION", "IsAuthenticatedOrReadOnly")]),
                ("/cors/", [("POSTERN_PERMISSION", "IsAuthenticated"), ("POSTERN_PREFLIGHT", "allow")]),
                ("/limited/", [("POSTERN_PERMISSION", "IsAuthenticated")]),
                ("/every-challenge/", [("POSTERN_PERMISSION", "IsAuthenticated"), ("POSTERN_UNAUTHENTICATED", "401")]),
                ("/throttled/", [("POSTERN_PERMISSION", "AllowAny"), ("POSTERN_THROTTLE", "scope:t=2/hour")]),
                ("/get-only/", [("POSTERN_PERMISSION", "AllowAny"), ("POSTERN_METHODS", "GET")]),
                ("/cached/", [("POSTERN_PERMISSION", "IsAuthenticated"), ("POSTERN_CACHE", "1s")]),
                ("/mistake/", [("POSTERN_PERMISSION", "IsAuthentcated")]),
            ]
        )
        try site.addUser("ann")
        try site.addUser("stella", ["--staff"])
        for group in ["ops", "dev team"] { try site.postern(["group", "set", group]).expectSuccess() }
        try site.postern(["user", "grant", "stella", "--group", "ops", "--group", "dev team"]).expectSuccess()
        return site
    }

    private let site: Site
    private let upstream: Upstream
    private let ports: [(name: String, port: UInt16)]

    init() throws {
        site = try Self.site.get()
        upstream = try #require(site.upstream)
        ports = [("nginx", site.nginxPort), ("lighttpd", site.lighttpdPort)]
    }

    private func send(
        _ port: UInt16,
        _ method: String,
        _ path: String,
        _ fields: [(String, String)] = [],
        as name: String? = nil,
        body: [UInt8] = []
    ) throws -> HTTPAnswer {
        let credential = name.flatMap { site.tokens[$0] }.map { [("Authorization", "Token " + $0)] } ?? []
        return try HTTP.exchange(port, HTTP.request(method, path, credential + fields, body: body))
    }

    private func marker() -> String { "m\(UInt32.random(in: .min ... .max))" }

    @Test("Nobody is answered 401, the wrong one 403, and neither reaches the upstream; the right one does")
    func decisions() throws {
        for (name, port) in ports {
            let marker = marker()
            let nobody = try send(port, "GET", "/app/" + marker)
            #expect(nobody.status == 401, "\(name)")
            #expect(nobody.field("WWW-Authenticate") == "Token", "\(name)")
            #expect(nobody.field("Content-Type") == "application/json")
            #expect(nobody.text == #"{"detail":"Authentication credentials were not provided."}"#)
            let ann = try send(port, "GET", "/app/admin/" + marker, as: "ann")
            #expect(ann.status == 403)
            #expect(ann.text == #"{"detail":"You do not have permission to perform this action."}"#)
            let bad = try send(port, "GET", "/app/" + marker, [("Authorization", "Bearer x.y.z")])
            #expect(bad.status == 401)
            #expect(bad.text.contains("token_not_valid"))
            #expect(upstream.requests(with: marker).isEmpty)
            #expect(try send(port, "GET", "/app/" + marker, as: "ann").text == "reached")
            #expect(try send(port, "GET", "/app/admin/" + marker, as: "stella").text == "reached")
            #expect(upstream.requests(with: marker).map(\.target) == ["/app/" + marker, "/app/admin/" + marker])
        }
    }

    @Test("nginx tells the upstream who it is, whatever the client says")
    func identity() throws {
        let marker = marker()
        let forged = [
            "X-Postern-User", "x-postern-user-id", "X-POSTERN-GROUPS", "X-Postern-Scopes", "X-Postern-Scheme",
            "X-Postern-Identity", "X_Postern_User", "X-Postern_User", "X-Postern-User", "X-Original-URL",
            "X-Rewrite-URL",
        ].map { ($0, "root") }
        _ = try send(site.nginxPort, "GET", "/app/" + marker, forged, as: "stella")
        _ = try send(site.nginxPort, "GET", "/open/" + marker, forged)
        let requests = upstream.requests(with: marker)
        try #require(requests.count == 2)
        #expect(requests[0].values("X-Postern-User") == ["stella"])
        #expect(requests[0].values("X-Postern-User-Id") == ["2"])
        #expect(requests[0].values("X-Postern-Groups") == ["dev%20team,ops"])
        #expect(requests[0].values("X-Postern-Scheme") == ["Token"])
        for request in requests { #expect(!request.fields.contains { $0.value == "root" }) }
        #expect(!requests[1].fields.contains { $0.name.lowercased().hasPrefix("x-postern") })
    }

    @Test("lighttpd tells it in Forwarded, and nothing that the client says")
    func forwarded() throws {
        let marker = marker()
        let forged = [
            ("X-Postern-User", "root"), ("x-postern-user-id", "root"), ("X-Postern-Groups", "root"),
            ("Forwarded", "remote_user=root"), ("X-Postern-Identity", "root"), ("X-Original-URL", "root"),
            ("X-Rewrite-URL", "root"),
        ]
        _ = try send(site.lighttpdPort, "GET", "/app/" + marker, forged, as: "stella")
        _ = try send(site.lighttpdPort, "GET", "/open/" + marker, forged)
        let requests = upstream.requests(with: marker)
        try #require(requests.count == 2)
        #expect(requests[0].values("Forwarded").joined().contains("stella"))
        for request in requests { #expect(!request.fields.contains { $0.value.contains("root") }) }
    }

    @Test("Unsafe methods are judged as what they are, also those that nobody knows")
    func methods() throws {
        for (_, port) in ports {
            let marker = marker()
            for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
                #expect(try send(port, method, "/write/" + marker).status == 401, "\(method)")
                let override = [
                    ("X-HTTP-Method-Override", "GET"), ("X-Forwarded-Method", "GET"), ("X-Original-Method", "GET"),
                ]
                #expect(try send(port, method, "/write/" + marker, override).status == 401, "\(method)")
            }
            #expect(upstream.requests(with: marker).isEmpty)
            for method in ["GET", "HEAD", "OPTIONS"] {
                #expect(try send(port, method, "/write/" + marker).status == 200, "\(method)")
            }
            for method in ["POST", "PROPFIND"] {
                #expect(try send(port, method, "/write/" + marker, as: "ann").status == 200, "\(method)")
            }
            #expect(upstream.requests(with: marker).map(\.method) == ["GET", "HEAD", "OPTIONS", "POST", "PROPFIND"])
        }
    }

    @Test("Too much is 429 with Retry-After, a method that is not taken 405 with Allow")
    func otherStatuses() throws {
        for (_, port) in ports {
            let answers = try (0..<3).map { _ in try send(port, "GET", "/throttled/x") }
            let last = try #require(answers.last)
            #expect(last.status == 429)
            #expect(last.field("Retry-After").flatMap(Int.init) ?? 0 > 3000)
            #expect(last.field("Content-Type") == "application/json")
            #expect(last.text.hasPrefix(#"{"detail":"Request was throttled. Expected available in "#))
            let method = try send(port, "DELETE", "/get-only/x")
            #expect(method.status == 405)
            #expect(method.text == #"{"detail":"Method \"DELETE\" not allowed."}"#)
            #expect(method.field("Allow") == "GET, HEAD, OPTIONS")
            let mistake = try send(port, "GET", "/mistake/x", as: "stella")
            #expect(mistake.status == 500)
            #expect(mistake.text == #"{"detail":"The server is not configured to answer this request."}"#)
        }
        #expect(upstream.requests(with: "/mistake/").isEmpty)
    }

    @Test("A true CORS preflight goes on without a credential, where that is said; a false one does not")
    func preflight() throws {
        let origin = ("Origin", "https://elsewhere.example")
        let asks = ("Access-Control-Request-Method", "PUT")
        for (_, port) in ports {
            let marker = marker()
            #expect(try send(port, "OPTIONS", "/app/" + marker, [origin, asks]).status == 401)
            #expect(try send(port, "OPTIONS", "/cors/" + marker, [origin]).status == 401)
            #expect(try send(port, "OPTIONS", "/cors/" + marker, [asks]).status == 401)
            #expect(try send(port, "GET", "/cors/" + marker, [origin, asks]).status == 401)
            #expect(try send(port, "OPTIONS", "/cors/" + marker, [origin, asks], body: [1, 2]).status == 401)
            #expect(try send(port, "OPTIONS", "/cors/" + marker, [origin, asks, ("Cookie", "a=b")]).status == 401)
            #expect(upstream.requests(with: marker).isEmpty)
            #expect(try send(port, "OPTIONS", "/cors/" + marker, [origin, asks]).status == 200)
            let request = try #require(upstream.requests(with: marker).first)
            #expect(!request.fields.contains { $0.name.lowercased().hasPrefix("x-postern") })
        }
    }

    @Test("Large bodies reach the upstream and not postern; without a credential they reach nobody")
    func largeBodies() throws {
        let body = [UInt8](repeating: 0x61, count: 5 << 20)
        for (_, port) in ports {
            let marker = marker()
            #expect(try send(port, "POST", "/app/" + marker, as: "ann", body: body).status == 200)
            #expect(upstream.requests(with: marker).map(\.bodyLength) == [body.count])
            let refused = marker + "x"
            #expect((try? send(port, "POST", "/app/" + refused, body: body))?.status ?? 401 == 401)
            #expect(upstream.requests(with: refused).isEmpty)
        }
    }

    @Test("Streams and large answers arrive whole")
    func streams() throws {
        for (_, port) in ports {
            #expect(try send(port, "GET", "/app/large", as: "ann").body.count == 1 << 20)
            let stream = try send(port, "GET", "/app/stream", as: "ann").text
            #expect(stream.contains("first"))
            #expect(stream.contains("second"))
        }
    }

    @Test("A WebSocket is opened with a credential, and not without")
    func webSocket() throws {
        let handshake = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        func request(_ more: [(String, String)]) -> [UInt8] {
            var lines = ["GET /app/socket HTTP/1.1", "Host: localhost"]
            lines += (handshake + more).map { "\($0.0): \($0.1)" }
            return HTTP.latin1(lines.joined(separator: "\r\n") + "\r\n\r\n")
        }
        for (name, port) in ports {
            let refused = try HTTP.Connection(port: port)
            try refused.send(request([]))
            #expect(refused.receive(until: "\r\n").hasPrefix("HTTP/1.1 401"), "\(name)")
            let opened = try HTTP.Connection(port: port)
            try opened.send(request([("Authorization", "Token " + (site.tokens["ann"] ?? ""))]))
            #expect(opened.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101"), "\(name)")
            try opened.send(Array("ping over it".utf8))
            #expect(opened.receive(until: "over it").hasSuffix("ping over it"), "\(name)")
        }
    }

    @Test("A token that is good for one path and one method is good for no other spelling of another")
    func limitedToken() throws {
        let token = try site.token(["ann", "--method", "GET", "--path", "/limited/a/"])
        for (name, port) in ports {
            func status(_ method: String, _ path: String) throws -> Int {
                try HTTP.exchange(port, HTTP.request(method, path, [("Authorization", "Token " + token)])).status
            }
            #expect(try status("GET", "/limited/a/x") == 200)
            #expect(try status("GET", "/limited/b/../a/x") == 400)
            #expect(try status("POST", "/limited/a/x") == 403)
            let marker = marker()
            for path in [
                "/limited/b/", "/limited/a/../b/", "/limited/a/%2e%2e/b/", "/limited/a%2f..%2fb/",
                "//limited//a/..//b/",
                "/limited/a/..;/b/", "/limited/a/%252e%252e/b/", #"/limited/a/..\b/"#, "/limited/A/", "/limited/a",
                "/limited/b/?/limited/a/", "/limited/b/#/limited/a/", "/limited/b/%3f/limited/a/", "/app/",
            ] {
                let answer = try status("GET", path + marker)
                #expect([400, 403, 404].contains(answer), "\(name) \(path): \(answer)")
            }
            #expect(upstream.requests(with: marker).isEmpty, "\(upstream.requests(with: marker).map(\.target))")
        }
    }

    @Test("Where nginx may go by a yes for a second it does, for that client and that request, and no longer")
    func caching() throws {
        let port = site.nginxPort
        let token = try site.token(["ann"])
        let other = try site.token(["stella"])
        func status(_ token: String?, _ method: String = "GET") throws -> Int {
            let fields = token.map { [("Authorization", "Token " + $0)] } ?? []
            return try HTTP.exchange(port, HTTP.request(method, "/cached/x", fields)).status
        }
        #expect(try status(token) == 200)
        #expect(try status(nil) == 401)
        #expect(try status("wrong") == 401)
        #expect(try status(other) == 200)
        #expect(upstream.requests(with: "/cached/").map { $0.values("X-Postern-User") } == [["ann"], ["stella"]])
        let rows = try JSONSerialization.jsonObject(
            with: Data(try site.postern(["token", "list", "ann", "--json"]).output.utf8)
        )
        let ids = try #require(rows as? [[String: Any]]).compactMap { $0["id"] as? Int }
        try site.postern(["token", "revoke", String(try #require(ids.max()))]).expectSuccess()
        #expect(try status(token, "DELETE") == 401)
        try eventually("it is refused") { try status(token) == 401 }
        #expect(try status(token) == 401)
        #expect(!((try? FileManager.default.contentsOfDirectory(atPath: site.folder + "/cache")) ?? []).isEmpty)
    }

    @Test("nginx's memory of a yes tells requests apart however their fields are cut")
    func cacheKeys() throws {
        func count() -> Int {
            let files = FileManager.default.enumerator(atPath: site.folder + "/cache")
            return files?.compactMap { $0 as? String }.filter { $0.split(separator: "/").last?.count == 32 }.count ?? 0
        }
        let before = count()
        let path = "/cached/" + marker()
        // Fields that stand beside each other in the key.
        for separator in ["|", " ", ",", "%0a", ";"] {
            for (origin, referer) in [("a\(separator)b", "c"), ("a", "b\(separator)c")] {
                let fields = [("Origin", origin), ("Referer", referer)]
                #expect(try send(site.nginxPort, "GET", path, fields, as: "ann").status == 200)
            }
        }
        #expect(count() == before + 10)
    }

    @Test("What nginx remembers of a request that asks for another method answers none that asks for two")
    func cachedOverride() throws {
        let path = "/cached/" + marker()
        let override = ("X-HTTP-Method-Override", "GET")
        for _ in 0..<2 { #expect(try send(site.nginxPort, "GET", path, [override], as: "ann").status == 200) }
        let more = [override, ("X-HTTP-Method-Override", "DELETE")]
        #expect(try send(site.nginxPort, "GET", path, more, as: "ann").status == 400)
    }

    @Test("A path that the upstream may read otherwise is refused by every web server, and reaches nobody")
    func paths() throws {
        for (name, port) in ports {
            for path in [
                "/open/..%2fapp/admin/", "/open/../app/", "/open//", "/open/%2e%2e/", "/open/a;b/", "/open/%5c",
            ] {
                let marker = marker()
                let answer = try send(port, "GET", path + marker, as: "ann")
                // Where the path leads out of what is guarded, nobody asked.
                #expect([400, 403, 404].contains(answer.status), "\(name) \(path)")
                #expect(upstream.requests(with: marker).isEmpty, "\(name) \(path)")
            }
            let marker = marker()
            #expect(try send(port, "GET", "/open/a%20b/\u{E9}/%25/" + marker).status == 200, "\(name)")
        }
    }

    @Test("Where a location wants every challenge, the client gets every challenge")
    func challenges() throws {
        for (_, port) in ports {
            let answer = try send(port, "GET", "/every-challenge/x")
            let challenge = answer.values("WWW-Authenticate").joined(separator: ", ")
            #expect(answer.status == 401)
            #expect(challenge == #"Token, Bearer realm="api", Session, Basic realm="api""#)
        }
    }

    @Test("When Postern cannot be asked nobody gets in, and the client is told to come back")
    func unavailable() throws {
        let site = try Site(users: false, guarded: [("/app/", [("POSTERN_PERMISSION", "AllowAny")])])
        #expect(try HTTP.exchange(site.nginxPort, HTTP.request("GET", "/app/x")).status == 200)
        for server in site.servers { server.end() }
        let answer = try HTTP.exchange(site.nginxPort, HTTP.request("GET", "/app/x"))
        #expect(answer.status == 503)
        #expect(answer.field("Retry-After") == "1")
        #expect(answer.text == #"{"detail":"Service temporarily unavailable, try again later."}"#)
        #expect(try HTTP.exchange(site.lighttpdPort, HTTP.request("GET", "/app/x")).status == 503)
        #expect(site.upstream?.requests.count == 1)
    }

    @Test("nginx does not start where the gate was forgotten")
    func forgottenGate() throws {
        var text = try String(contentsOfFile: site.folder + "/example.conf", encoding: .utf8)
        text = text.replacingOccurrences(of: "include postern-gate.conf;", with: "")
        let path = site.folder + "/forgotten.conf"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let checked = try Child.run("/usr/sbin/nginx", ["-t", "-p", site.folder, "-c", path, "-e", "x.log"])
        #expect(checked.code != 0, "\(checked.error)")
        #expect(checked.error.contains("unknown \"postern_gate\" variable"), "\(checked.error)")
    }

    @Test("No request fails at the web server for what postern says of it")
    func noServerErrors() throws {
        for (_, port) in ports {
            for fields in [
                [("Accept", "image/png")], [("Accept", "text/html")], [("Cookie", "sessionid=x; csrftoken=y")],
                [("Authorization", "")], [("Authorization", "Basic !!!")], [("Origin", "null")],
                [("Authorization", "Token \u{E9}")],
                [("Authorization", "Basic " + String(repeating: "A", count: 6000))],
            ] {
                let answer = try send(port, "POST", "/app/x?format=xml", fields)
                #expect([400, 401, 403].contains(answer.status), "\(fields): \(answer.status)")
            }
        }
    }
}
