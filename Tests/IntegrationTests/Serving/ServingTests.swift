import Foundation
import Testing

@Suite("Ways to start and to end a server")
struct ServingTests {
    private func store() throws -> (folder: String, store: String) {
        let folder = try Site.temporaryFolder()
        try Child.run(Site.binary, ["store", "init", folder + "/store"]).expectSuccess()
        return (folder, folder + "/store")
    }

    private let question = [
        ("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "here"),
        ("POSTERN_PERMISSION", "AllowAny"),
    ]

    private func ask(_ path: String, role: UInt8 = 1) throws -> String {
        let client = try FastCGIClient(path)
        client.send(FastCGIClient.request(question, role: role))
        return client.receiveAnswer()
    }

    @Test(
        "spawn-fcgi's descriptor 0, and systemd's descriptors from 3 on",
        arguments: ["", "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; "]
    )
    func inherited(preparation: String) throws {
        let (folder, store) = try store()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = folder + "/start"
        try "\(preparation)exec '\(Site.binary)' serve --store '\(store)'\n".write(
            toFile: script,
            atomically: true,
            encoding: .utf8
        )
        let (socket, pidFile) = (folder + "/socket", folder + "/pid")
        // The server inherits the outputs, so they cannot be pipes whose end is waited for.
        #expect(
            try Child(
                "/usr/bin/spawn-fcgi",
                ["-s", socket, "-P", pidFile, "--", "/bin/sh", script],
                log: folder + "/log"
            ).wait()
                == 0
        )
        let server = OtherProcess(pid: try #require(Int32(try String(contentsOfFile: pidFile, encoding: .utf8))))
        defer { server.kill(SIGKILL) }
        #expect(try ask(socket).hasSuffix(#"{"message":"here"}"#))
        server.kill(SIGTERM)
        try eventually("it ends") { !server.isRunning }
    }

    @Test("A TCP address on loopback is listened to, another one only where that is asked for")
    func tcp() throws {
        let (folder, store) = try store()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let port = try freePort()
        let server = try Child(
            Site.binary,
            ["serve", "--store", store, "--listen", "127.0.0.1:\(port)"],
            log: folder + "/log"
        )
        try eventually("it listens") { (try? HTTP.Connection(port: port)) != nil }
        #expect(server.end() == 0)
        let refused = try Child.run(Site.binary, ["serve", "--store", store, "--listen", "0.0.0.0:\(port)"])
        #expect(refused.code == 64)
        #expect(refused.error.contains("--allow-remote"))
    }

    @Test("As a plain CGI program it answers one request")
    func cgi() throws {
        let (folder, store) = try store()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let environment = ["GATEWAY_INTERFACE": "CGI/1.1", "POSTERN_STORE": store].merging(question) { $1 }
        let answer = try Child.run(Site.binary, ["serve"], environment: environment)
        #expect(answer.code == 0)
        #expect(answer.output.hasPrefix("Status: 200 OK\r\n"))
        #expect(answer.output.hasSuffix(#"{"message":"here"}"#))
        let login = environment.merging(
            [
                "REQUEST_METHOD": "POST", "POSTERN_VIEW": "token.obtain", "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": "2", "REMOTE_ADDR": "127.0.0.1",
            ]
        ) { $1 }
        let posted = try Child.run(Site.binary, ["serve"], input: "{}", environment: login)
        #expect(
            posted.output.hasSuffix(#"{"username":["This field is required."],"password":["This field is required."]}"#)
        )
    }

    @Test("Without a socket it says what is missing")
    func noSocket() throws {
        let (folder, store) = try store()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let result = try Child.run(Site.binary, ["serve", "--store", store])
        #expect(result.code == 64)
        #expect(result.error.contains("--listen"))
    }

    @Test("A stale socket is replaced, a live one is not, and what is no socket stays as it is")
    func sockets() throws {
        let (folder, store) = try store()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let socket = folder + "/socket"
        let arguments = ["serve", "--store", store, "--listen", socket]
        let first = try Child(Site.binary, arguments, log: folder + "/log")
        try eventually("it listens") { FastCGIClient.canConnect(socket) }
        let second = try Child.run(Site.binary, arguments)
        #expect(second.code == 69)
        #expect(second.error.contains(socket))
        #expect(try ask(socket).hasSuffix(#"{"message":"here"}"#))
        first.end(with: SIGKILL)
        #expect(FileManager.default.fileExists(atPath: socket))
        let third = try Child(Site.binary, arguments, log: folder + "/log")
        try eventually("it listens") { FastCGIClient.canConnect(socket) }
        #expect(third.end() == 0)
        #expect(!FileManager.default.fileExists(atPath: socket))
        try "mine".write(toFile: socket, atomically: true, encoding: .utf8)
        #expect(try Child.run(Site.binary, arguments).code == 69)
        #expect(try String(contentsOfFile: socket, encoding: .utf8) == "mine")
    }

    @Test(
        "After SIGTERM, SIGINT or SIGUSR1 running requests are answered, and it exits 0",
        arguments: [SIGTERM, SIGINT, SIGUSR1]
    )
    func signals(signal: Int32) throws {
        let (folder, store) = try store()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Child.run(Site.binary, ["user", "add", "ann", "--store", store], input: Site.password + "\n")
            .expectSuccess()
        let socket = folder + "/socket"
        let server = try Child(Site.binary, ["serve", "--store", store, "--listen", socket], log: folder + "/log")
        try eventually("it listens") { FastCGIClient.canConnect(socket) }
        let body = Array("username=ann&password=\(Site.password.replacingOccurrences(of: " ", with: "+"))".utf8)
        let head = [
            ("REQUEST_METHOD", "POST"), ("POSTERN_VIEW", "token.obtain"),
            ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
            ("CONTENT_LENGTH", "\(body.count)"), ("REMOTE_ADDR", "127.0.0.1"),
        ]
        let clients = try (0..<8).map { _ in try FastCGIClient(socket) }
        // All but the end of the body is there: the requests run, and wait for it.
        let request = FastCGIClient.request(head).dropLast(8) + FastCGIClient.record(5, body)
        for client in clients { client.send(Array(request)) }
        try eventually("the requests have begun") { clients.allSatisfy { $0.unreadByPeer == 0 } }
        kill(server.pid, signal)
        for client in clients { client.send(FastCGIClient.record(5, [])) }
        for client in clients { #expect(client.receiveAnswer().contains(#"{"token":"pst_"#)) }
        #expect(server.wait() == 0)
    }

    @Test("As an authorizer, 200 lets in and 401 does not")
    func authorizer() throws {
        let site = try Site.shared.get()
        func ask(_ fields: [(String, String)]) throws -> String {
            let client = try FastCGIClient(site.socket)
            let guarded = [
                ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/x"), ("POSTERN_VIEW", "message"),
                ("POSTERN_MESSAGE", "in"), ("REMOTE_ADDR", "127.0.0.1"),
            ]
            client.send(FastCGIClient.request(guarded + fields, role: 2))
            return client.receiveAnswer()
        }
        #expect(try ask([]).hasPrefix("Status: 401 "))
        #expect(try ask([("HTTP_AUTHORIZATION", "Token " + (site.tokens["ann"] ?? ""))]).hasPrefix("Status: 200 "))
    }

    @Test("The bytes that kill libfcgi do not kill the server")
    func killers() throws {
        let site = try Site.shared.get()
        let server = try #require(site.servers.first)
        let begin = FastCGIClient.begin(keep: true)
        let names = (0..<4).flatMap { _ -> [UInt8] in [15, 0] + Array("FCGI_MPXS_CONNS".utf8) }
        let killers = [
            begin + [1, 4, 0, 1, 0, 5, 0, 0, 0xFF, 0xFF, 0xFF, 0xFE, 0x01],
            FastCGIClient.record(9, names, id: 0) + begin,
            begin + FastCGIClient.record(4, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x41]),
            begin + FastCGIClient.record(5, []),
        ]
        for bytes in killers {
            let client = try FastCGIClient(site.socket)
            client.send(bytes)
            #expect(client.receiveAll().isEmpty)
        }
        // The process that was there before still answers.
        #expect(server.isRunning)
        #expect(try site.get("/secure/", token: site.tokens["ann"]).status == 200)
    }
}
