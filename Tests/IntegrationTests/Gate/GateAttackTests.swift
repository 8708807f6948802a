import Foundation
import TestSupport
import Testing

/// What clients send to get past the gate, through real web servers, against an upstream that remembers what reached it.
/// Whatever the spelling: nothing may reach it that the canonical form of what it received does not allow.
@Suite("Attacks on the gate", .randomized, .serialized)
struct GateAttackTests {
    private static let site = Result {
        let site = try Site(
            users: false,
            guarded: [
                ("/app/", [("POSTERN_PERMISSION", "IsAuthenticated")]),
                ("/app/admin/", [("POSTERN_PERMISSION", "IsAdminUser")]),
                ("/open/", [("POSTERN_PERMISSION", "AllowAny")]),
                ("/write/", [("POSTERN_PERMISSION", "IsAuthenticatedOrReadOnly")]),
            ]
        )
        try site.addUser("ann")
        try site.addUser("stella", ["--staff"])
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

    /// The statuses of all answers on the connection.
    /// - Parameter isOpen: Whether the server may wait for more: what comes within half a second is all then.
    @discardableResult
    private func raw(_ port: UInt16, _ bytes: [UInt8], isOpen: Bool = false) throws -> [Int] {
        let connection = try HTTP.Connection(port: port)
        if isOpen { connection.setPatience(milliseconds: 500) }
        try connection.send(bytes)
        let text = String(decoding: connection.receiveAll(), as: UTF8.self)
        return text.components(separatedBy: "HTTP/1.").dropFirst().compactMap { Int($0.dropFirst(2).prefix(3)) }
    }

    @discardableResult
    private func send(
        _ port: UInt16,
        _ target: String,
        method: String = "GET",
        _ lines: [String] = [],
        as name: String? = nil
    ) throws -> [Int] {
        let credential = name.flatMap { site.tokens[$0] }.map { ["Authorization: Token " + $0] } ?? []
        let head = ["\(method) \(target) HTTP/1.1", "Host: localhost", "Connection: close"] + credential + lines
        return try raw(port, HTTP.latin1(head.joined(separator: "\r\n") + "\r\n\r\n"))
    }

    /// As a web server and most upstreams read it: decoded once, without dot segments and doubled slashes.
    private static func canonical(_ target: String) -> String {
        var path = target
        if !path.hasPrefix("/"), let scheme = path.range(of: "://") {
            let rest = path[scheme.upperBound...]
            path = rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
        }
        path = String(path.prefix { $0 != "?" && $0 != "#" })
        var bytes: [UInt8] = []
        var rest = Array(path.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count > 1,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        var segments: [Substring] = []
        let text = String(decoding: bytes, as: UTF8.self)
        for segment in text.split(separator: "/") {
            if segment == ".." { _ = segments.popLast() } else if segment != "." { segments.append(segment) }
        }
        return "/" + segments.joined(separator: "/")
    }

    /// Ways to write a path; M stands for a marker.
    private static let spellings: [String] = {
        var targets: [String] = []
        let forms = [
            "/app/admin/M", "//app/admin/M", "/app//admin/M", "/app/admin//M", "/./app/admin/M", "/app/./admin/M",
            "/app/../app/admin/M", "/open/../app/admin/M", "/open/..//app/admin/M", "/app/admin/../admin/M",
            "/open/%2e%2e/app/admin/M", "/open/%2E%2E/app/admin/M", "/open/.%2e/app/admin/M", "/open/%2e./app/admin/M",
            "/open/..%2fapp/admin/M", "/open%2f..%2fapp/admin/M", "/open/..%5capp/admin/M", #"/open/..\app/admin/M"#,
            "/open/..;/app/admin/M", "/open/;/../app/admin/M", "/open/..;a=b/app/admin/M", "/open/%2e%2e;/app/admin/M",
            "/open/%252e%252e/app/admin/M", "/open/%c0%ae%c0%ae/app/admin/M", "/open/%e0%80%ae/app/admin/M",
            "/app%2fadmin/M", "/app%2Fadmin%2FM", "/%61pp/admin/M", "/app/%61dmin/M", "/%61%70%70/%61%64%6d%69%6e/M",
            "/APP/admin/M", "/app/ADMIN/M", "/App/Admin/M", "/app/admin%00/M", "/app/admin/%00M", "/app/admin%20/M",
            "/app/admin./M", "/app/admin../M", "/app./admin/M", "/app/admin;/M", "/app/admin;x/M", "/app;/admin/M",
            "/app/admin%3b/M", "/app/admin%3f/M", "/app/admin%23/M", "/app/admin?M", "/app/admin#M", "/app/admin",
            "/app/admin%2f", "/app/admin/?M", "/app/admin/#M", "/app/x?/app/admin/M", "/open/x?/../app/admin/M",
            "/app/admin/%0d%0aX:M", "/app/admin/M%0d%0a%0d%0a", "/app/admin\t/M", "/app/admin/M HTTP/1.1\r\nX: y",
            "http://localhost/app/admin/M", "http://localhost//app/admin/M", "http://x@localhost/app/admin/M",
            "http://localhost/open/../app/admin/M", "HTTP://LOCALHOST/app/admin/M", "http:/app/admin/M",
            "//localhost/app/admin/M", "app/admin/M", "*", "", "/\u{E9}/../app/admin/M", "/app/admin/\u{FF}M",
            "/app/admin/" + String(repeating: "a/", count: 2000) + "M",
            "/" + String(repeating: "../", count: 50) + "app/admin/M",
            "/open/" + String(repeating: "x/../", count: 100) + "../app/admin/M", "/app/admin/%", "/app/admin/%zzM",
        ]
        for form in forms {
            targets.append(form)
            targets.append(form.replacingOccurrences(of: "/admin", with: ""))
            targets.append(form.replacingOccurrences(of: "app", with: "write"))
        }
        return targets
    }()

    @Test("Spellings of paths: without a credential nothing guarded is reached, with ann's nothing for staff")
    func paths() throws {
        for (name, port) in ports {
            for (number, spelling) in Self.spellings.enumerated() {
                for user in [nil, "ann"] {
                    let marker = "p\(name)\(number)\(user ?? "")z"
                    let target = spelling.replacingOccurrences(of: "M", with: marker)
                    let statuses = try send(port, target, method: user == nil ? "POST" : "GET", as: user)
                    #expect(
                        statuses.allSatisfy { $0 < 500 || $0 == 501 || $0 == 505 },
                        "\(name) \(target): \(statuses)"
                    )
                }
            }
        }
        // Whichever way the application reads what it got.
        let readings = upstream.requests.flatMap { request in
            [
                request.target, request.target.replacing(#/;[^\/]*/#, with: ""),
                request.target.replacing(#"\"#, with: "/"),
            ].map {
                (request, Self.canonical($0))
            } + [(request, Self.canonical(Self.canonical(request.target).replacing("\\", with: "/")))]
        }
        for (request, path) in readings {
            let isAnn = request.values("Authorization").first == "Token " + (site.tokens["ann"] ?? "")
            #expect(isAnn ? !path.hasPrefix("/app/admin/") : path.hasPrefix("/open"), "\(request.target) -> \(path)")
        }
        #expect(upstream.requests.count > 20)
    }

    @Test("Header fields name no other path, method, user, address or parameter")
    func headers() throws {
        let names = [
            "X-Original-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Rewrite-URL", "X-Forwarded-Path",
            "X-Postern-Path",
            "DOCUMENT-URI", "REQUEST-URI", "SCRIPT-NAME", "PATH-INFO", "X-Forwarded-Prefix", "X-Accel-Redirect",
            "X-Sendfile",
        ]
        let methods = [
            "X-HTTP-Method-Override", "X-Forwarded-Method", "X-Original-Method", "X-HTTP-Method", "REQUEST-METHOD",
        ]
        let parameters = [
            "POSTERN_PERMISSION: AllowAny", "POSTERN-PERMISSION: AllowAny", "HTTP_POSTERN_PERMISSION: AllowAny",
            "Postern-View: health", "HTTPS: on", "Remote-Addr: 127.0.0.1", "Remote-User: stella", "REMOTE_USER: stella",
            "X-Forwarded-User: stella", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1",
            "Forwarded: for=127.0.0.1",
            "Status: 200", "Proxy: http://x", "Auth-Type: Token", "X-Postern-Status: 204", "X-Postern-User: stella",
            "Content-Length: 0", "Expect: 100-continue", "Upgrade: h2c", "Connection: X-Postern-User",
            "Host: other", "Authorization :x", " Authorization: Token x", "Authorization\t: Token x",
        ]
        let lines = names.map { $0 + ": /open/" } + methods.map { $0 + ": GET" } + parameters
        for (name, port) in ports {
            for (number, line) in lines.enumerated() {
                let marker = "h\(name)\(number)z"
                for (method, path) in [("GET", "/app/"), ("POST", "/write/"), ("GET", "/app/admin/")] {
                    let user = path == "/app/admin/" ? "ann" : nil
                    let statuses = try send(port, path + marker, method: method, [line], as: user)
                    #expect(
                        statuses.allSatisfy { (400..<500).contains($0) || $0 == 100 },
                        "\(name) \(line): \(statuses)"
                    )
                }
                #expect(upstream.requests(with: marker).isEmpty, "\(name) \(line)")
            }
        }
    }

    @Test("Two credentials are never a mix of one's name and the other's rights")
    func twoCredentials() throws {
        let (ann, stella) = (site.tokens["ann"] ?? "", site.tokens["stella"] ?? "")
        for (name, port) in ports {
            for (number, lines) in [
                ["Authorization: Token \(ann)", "Authorization: Token \(stella)"],
                ["Authorization: Token \(ann), Token \(stella)"], ["Authorization: Token \(ann) \(stella)"],
                ["Authorization: Token \(ann)", "authorization: Basic eDp5"],
                ["Authorization: Token \(ann)", "Cookie: sessionid=\(stella)"],
                ["Authorization: Token \(ann)", "Proxy-Authorization: Token \(stella)"],
                ["Authorization: Token \(ann)\r\n Token \(stella)"],
            ].enumerated() {
                let marker = "t\(name)\(number)z"
                _ = try send(port, "/app/admin/" + marker, lines)
                #expect(upstream.requests(with: marker).isEmpty, "\(name) \(lines)")
                _ = try send(port, "/open/" + marker, lines)
                for request in upstream.requests(with: marker) {
                    #expect(["ann", nil].contains(request.values("X-Postern-User").first), "\(name) \(lines)")
                }
            }
        }
    }

    @Test("A request that hides in another one's body, or behind it, is judged by itself or never seen")
    func smuggling() throws {
        for (name, port) in ports {
            let marker = "s\(name)z"
            let hidden = "GET /app/\(marker) HTTP/1.1\r\nHost: localhost\r\n\r\n"
            let chunk = "\(String(hidden.utf8.count, radix: 16))\r\n\(hidden)\r\n0\r\n\r\n"
            let post = "POST /open/x HTTP/1.1\r\nHost: localhost\r\n"
            let token = "Authorization: Token \(site.tokens["ann"] ?? "")\r\n"
            for request in [
                post + "Content-Length: \(hidden.utf8.count)\r\n\r\n" + hidden,
                post + "Content-Length: 0\r\n\r\n" + hidden, post + "Content-Length: 3\r\n\r\nabc" + hidden,
                post + "Transfer-Encoding: chunked\r\n\r\n" + chunk,
                post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
                post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
                post + "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + hidden,
                post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
                post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
                post + "Content-Length: 4\r\nContent-Length: 0\r\n\r\n" + hidden,
                post + "Content-Length: +4\r\n\r\nabcd" + hidden, post + "Content-Length: 4, 4\r\n\r\nabcd" + hidden,
                post + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nabcde\r\n0\r\nX: y\r\n\r\n" + hidden,
                "GET /open/x HTTP/1.1\r\nHost: localhost\r\n\(token)\r\n" + hidden,
                "GET /app/x HTTP/1.1\r\nHost: localhost\r\n\(token)\r\n" + hidden,
                "GET /app/x HTTP/1.1\r\nHost: localhost\r\n\(token)Content-Length: \(hidden.utf8.count)\r\n\r\n"
                    + hidden,
                "GET /open/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + hidden,
                "GET /open/x\r\n" + hidden,
            ] {
                let statuses = try raw(port, Array(request.utf8), isOpen: true)
                #expect(statuses.allSatisfy { $0 < 500 || $0 == 501 || $0 == 505 }, "\(name) \(request): \(statuses)")
            }
            #expect(upstream.requests(with: marker).isEmpty)
        }
    }

    @Test("Bodies that hold FastCGI records change nothing of the next request")
    func records() throws {
        let record = FastCGIClient.request([
            ("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "gate"), ("POSTERN_PERMISSION", "AllowAny"),
        ])
        for (name, port) in ports {
            let marker = "r\(name)z"
            for _ in 0..<5 {
                for path in ["/app/", "/open/", "/api-token-auth/"] {
                    let head =
                        "POST \(path)\(path == "/open/" ? "" : marker) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    let body = (0..<200).flatMap { _ in record }
                    _ = try raw(port, Array((head + "Content-Length: \(body.count)\r\n\r\n").utf8) + body)
                }
                #expect(try send(port, "/app/" + marker) == [401])
            }
            #expect(upstream.requests(with: marker).isEmpty)
        }
    }

    @Test("Targets that make no sense get nobody in")
    func fuzzedTargets() throws {
        var generator = seeded
        let pieces = [
            "/", "..", ".", "%2e", "%2f", "%5c", "\\", ";", "app", "open", "admin", "write", "%00", "?", "#", "%", "//",
            "a", "%61",
            "@", ":", "http:", "&", "=", "~", "%c0%af", "%25", "\u{80}", "*",
        ]
        for (_, port) in ports {
            for _ in 0..<1500 {
                let target =
                    "/"
                    + (0..<Int.random(in: 1...9, using: &generator)).map { _ in
                        pieces.randomElement(using: &generator) ?? ""
                    }.joined()
                try send(port, target, method: "DELETE")
            }
        }
        for request in upstream.requests where request.method == "DELETE" {
            #expect(Self.canonical(request.target).hasPrefix("/open"), "\(request.target)")
        }
    }
}
