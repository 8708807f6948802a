import Foundation
import Testing

/// The shipped configurations for Caddy and Apache, with the real ones.
@Suite("Caddy and Apache", .serialized)
struct OtherServerTests {
    /// A store with ann, postern on a socket and on a port, an upstream, and one of the two web servers.
    private final class Front {
        let folder: String
        let upstream: Upstream
        let port: UInt16
        let token: String
        private var children: [Child] = []

        init(_ start: (_ folder: String, _ port: UInt16, _ upstream: UInt16, _ postern: UInt16) throws -> Child) throws
        {
            folder = try Site.temporaryFolder()
            upstream = try Upstream()
            port = try freePort()
            let tcp = try freePort()
            let environment = ["POSTERN_STORE": folder + "/store"]
            try Child.run(Site.binary, ["store", "init", folder + "/store"]).expectSuccess()
            let added = try Child.run(
                Site.binary,
                ["user", "add", "ann", "--with-token"],
                input: Site.password + "\n",
                environment: environment
            )
            token = added.output.trimmingCharacters(in: .newlines)
            for address in [folder + "/postern.sock", "127.0.0.1:\(tcp)"] {
                let arguments = ["serve", "--listen", address]
                children.append(
                    try Child(Site.binary, arguments, environment: environment, log: folder + "/postern.log")
                )
            }
            let socket = folder + "/postern.sock"
            try eventually("postern listens") {
                FastCGIClient.canConnect(socket) && (try? HTTP.Connection(port: tcp)) != nil
            }
            // Apache's workers are another user.
            chmod(folder, 0o711)
            chmod(socket, 0o666)
            children.append(try start(folder, port, upstream.port, tcp))
            try eventually("the web server answers") { (try? self.send("GET", "/whoami/"))?.status == 200 }
        }

        deinit {
            for child in children.reversed() { child.end() }
            try? FileManager.default.removeItem(atPath: folder)
        }

        func send(
            _ method: String,
            _ path: String,
            _ fields: [(String, String)] = [],
            withToken: Bool = false,
            body: String = ""
        ) throws
            -> HTTPAnswer
        {
            let credential = withToken ? [("Authorization", "Token " + token)] : []
            return try HTTP.exchange(port, HTTP.request(method, path, credential + fields, body: Array(body.utf8)))
        }
    }

    private static func configuration(_ name: String, _ folder: String, _ replacements: [String: String]) throws
        -> String
    {
        var text = try String(contentsOfFile: Site.sources + "/" + name, encoding: .utf8)
        for (old, new) in replacements { text = text.replacingOccurrences(of: old, with: new) }
        return text
    }

    private static func caddy(_ folder: String, _ port: UInt16, _ upstream: UInt16, _ postern: UInt16) throws -> Child {
        let text = try configuration(
            "caddy/Caddyfile",
            folder,
            [
                "/run/postern/": folder + "/", "http://:8080": "http://:\(port)",
                "127.0.0.1:9000": "127.0.0.1:\(upstream)",
            ]
        )
        try text.write(toFile: folder + "/Caddyfile", atomically: true, encoding: .utf8)
        return try Child(
            "/usr/bin/caddy",
            ["run", "--config", folder + "/Caddyfile"],
            environment: ["XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder, "HOME": folder],
            log: folder + "/caddy.log"
        )
    }

    private static func apache(_ folder: String, _ port: UInt16, _ upstream: UInt16, _ postern: UInt16) throws -> Child
    {
        let modules = [
            "mpm_event", "authn_core", "authz_core", "authz_user", "authnz_fcgi", "proxy", "proxy_fcgi", "proxy_http",
            "setenvif", "headers", "buffer", "reqtimeout",
        ]
        var text = modules.map { "LoadModule \($0)_module /usr/lib/apache2/modules/mod_\($0).so\n" }.joined()
        text += "ServerRoot \(folder)\nPidFile \(folder)/apache.pid\nServerName localhost\nListen 127.0.0.1:\(port)\n"
        text += "ErrorLog \(folder)/apache-error.log\nDefaultRuntimeDir \(folder)\n"
        if geteuid() == 0 { text += "User nobody\nGroup nogroup\n" }
        text += try configuration(
            "apache/postern.conf",
            folder,
            [
                "/run/postern/": folder + "/", "127.0.0.1:9000": "127.0.0.1:\(upstream)",
                "127.0.0.1:9001": "127.0.0.1:\(postern)",
            ]
        )
        try text.write(toFile: folder + "/apache.conf", atomically: true, encoding: .utf8)
        return try Child(
            "/usr/sbin/apache2",
            ["-D", "FOREGROUND", "-f", folder + "/apache.conf"],
            log: folder + "/apache.log"
        )
    }

    @Test("The gate lets in whom it should, and tells the upstream who that is", arguments: ["caddy", "apache"])
    func gate(server: String) throws {
        let front = try Front(server == "caddy" ? Self.caddy : Self.apache)
        let upstream = front.upstream
        let aliases = server == "caddy" ? ["X_Postern_User", "X-Postern_User", "X_Postern-User"] : []
        let forged =
            [
                "X-Postern-User", "X-Postern-User-Id", "X-Postern-Groups", "X-Postern-Scopes", "X-Postern-Identity",
            ].map { ($0, "root") } + aliases.map { ($0, "root") }
        for method in ["POST", "PUT", "DELETE", "PROPFIND"] {
            let more = [
                ("X-Forwarded-Method", "GET"), ("X-HTTP-Method-Override", "GET"), ("POSTERN_REQUEST_METHOD", "GET"),
                ("Postern-Request-Method", "GET"),
            ]
            let answer = try front.send(method, "/application/x", forged + more, body: "abc")
            #expect(answer.status == 401, "\(method)")
            #expect(answer.field("WWW-Authenticate") == "Token", "\(method)")
            #expect(answer.text == #"{"detail":"Authentication credentials were not provided."}"#)
        }
        #expect(try front.send("POST", "/application/x", [("Authorization", "Token bad")]).status == 401)
        #expect(upstream.requests.isEmpty)
        #expect(try front.send("GET", "/application/nobody", forged).status == 200)
        #expect(try front.send("POST", "/application/ann?a=b", forged, withToken: true, body: "abc").status == 200)
        let requests = upstream.requests
        try #require(requests.count == 2)
        for request in requests { #expect(!request.fields.contains { $0.value.contains("root") }) }
        #expect(requests[0].values("X-Postern-User").allSatisfy { $0.isEmpty })
        #expect(requests[1].values("X-Postern-User") == ["ann"])
        #expect(requests[1].values("X-Postern-User-Id") == ["1"])
        #expect(requests[1].method == "POST")
        #expect(requests[1].target == "/application/ann?a=b")
        #expect(requests[1].bodyLength == 3)
    }

    @Test(
        "A client takes nothing away from what the upstream is told, and names no other path or method to it",
        arguments: ["caddy", "apache"]
    )
    func hopByHop(server: String) throws {
        let front = try Front(server == "caddy" ? Self.caddy : Self.apache)
        let taken = [
            "X-Postern-User", "x-postern-user, X-POSTERN-USER-ID, X-Postern-Scheme", "close, X-Postern-User",
            "X-Postern-User\r\nConnection: X-Postern-User-Id",
        ]
        for connection in taken {
            let fields = [("Connection", connection), ("X-Original-URL", "/adm"), ("X-Rewrite-URL", "/adm")]
            #expect(try front.send("GET", "/application/ann", fields, withToken: true).status == 200)
            let request = try #require(front.upstream.requests.last)
            #expect(request.values("X-Postern-User") == ["ann"], "\(connection)")
            #expect(request.values("X-Postern-User-Id") == ["1"], "\(connection)")
            #expect(request.values("X-Postern-Scheme") == ["Token"], "\(connection)")
            #expect(!request.fields.contains { $0.value == "/adm" })
        }
        for name in ["X_HTTP_METHOD_OVERRIDE", "X-HTTP_Method-Override", "X_HTTP_Method", "X-Method_Override"] {
            let count = front.upstream.requests.count
            let status = try front.send("GET", "/application/nobody", [(name, "DELETE")]).status
            guard status == 200 else {
                #expect(status == 401, "\(name)")
                continue
            }
            try #require(front.upstream.requests.count == count + 1)
            #expect(!front.upstream.requests[count].fields.contains { $0.value == "DELETE" }, "\(name)")
        }
    }

    @Test("Postern's own endpoints answer", arguments: ["caddy", "apache"])
    func endpoints(server: String) throws {
        let front = try Front(server == "caddy" ? Self.caddy : Self.apache)
        let whoami = try front.send("GET", "/whoami/", withToken: true)
        #expect(whoami.status == 200)
        #expect(whoami.text.contains(#""username":"ann""#))
        let login = #"{"username":"ann","password":"\#(Site.password)"}"#
        let answer = try front.send("POST", "/api-token-auth/", [("Content-Type", "application/json")], body: login)
        #expect(answer.status == 200)
        #expect(answer.text.contains(#"{"token":"pst_"#))
        #expect(try front.send("GET", "/api-token-auth/").status == 405)
    }

    /// In postern's place: says which requests reached it, in their order, by a word of their query, and hangs up.
    private final class SilentResponder: Sendable {
        private let listener: Int32

        init(_ path: String) throws {
            listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let length = socklen_t(MemoryLayout<sockaddr_un>.size)
            let isBound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, length) == 0 }
            }
            guard isBound, listen(listener, 128) == 0 else { throw HarnessError("cannot listen at \(path)") }
            chmod(path, 0o666)
        }

        deinit { close(listener) }

        /// Waits for the next one.
        func next(of words: [String]) -> String? {
            let connection = accept(listener, nil, nil)
            defer { close(connection) }
            var (text, buffer) = ("", [UInt8](repeating: 0, count: 65536))
            while true {
                let count = recv(connection, &buffer, buffer.count, 0)
                guard count > 0 else { return nil }
                text += String(decoding: buffer[..<count], as: UTF8.self)
                if let word = words.first(where: { text.contains($0) }) { return word }
            }
        }
    }

    @Test(
        "A body that comes slowly reaches postern when all of it has come",
        arguments: ["caddy", "apache"],
        ["Content-Length: 20", "Transfer-Encoding: chunked"]
    )
    func slowBody(server: String, length: String) throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        chmod(folder, 0o711)
        let responder = try SilentResponder(folder + "/postern.sock")
        let port = try freePort()
        let child = try (server == "caddy" ? Self.caddy : Self.apache)(folder, port, 9, 9)
        defer { child.end() }
        try eventually("the web server listens") { (try? HTTP.Connection(port: port)) != nil }
        let isChunked = length.hasPrefix("T")
        let (half, rest) =
            isChunked ? ("a\r\n0123456789\r\n", "a\r\n0123456789\r\n0\r\n\r\n") : ("0123456789", "0123456789")
        func head(_ word: String) -> String {
            "POST /api-token-auth/?\(word) HTTP/1.1\r\nHost: localhost\r\n\(length)\r\n\r\n"
        }
        // Handed on as it comes, one of these would be there first.
        let slow = try (0..<16).map { _ in
            let connection = try HTTP.Connection(port: port)
            try connection.send(HTTP.latin1(head("slow") + half))
            return connection
        }
        let quick = try HTTP.Connection(port: port)
        try quick.send(HTTP.latin1(head("quick") + half + rest))
        #expect(responder.next(of: ["slow", "quick"]) == "quick")
        for connection in slow {
            try connection.send(HTTP.latin1(rest))
            #expect(responder.next(of: ["slow", "quick"]) == "slow")
        }
    }

    @Test("A body of more than 64 KiB is refused by the web server", arguments: ["caddy", "apache"])
    func largeBody(server: String) throws {
        let front = try Front(server == "caddy" ? Self.caddy : Self.apache)
        let login = #"{"username":"ann","password":"\#(Site.password)""#
        for (size, status) in [(16_000, 200), (70_000, 413)] {
            let body = login + String(repeating: " ", count: size - login.utf8.count - 1) + "}"
            let answer = try front.send("POST", "/api-token-auth/", [("Content-Type", "application/json")], body: body)
            #expect(answer.status == status, "\(size): \(answer.status)")
        }
        #expect(
            try front.send("POST", "/application/ann", withToken: true, body: String(repeating: "x", count: 70_000))
                .status == 200
        )
    }
}
