import Dispatch
import FastCGI
import Glibc
import Synchronization
import Testing

@Suite("Answering a web server")
struct ServerTests {
    @Test("Requests on one connection each see their own parameters", .timeLimit(.minutes(2)))
    func manyOnOne() throws {
        let server = try TestServer { request in
            answer(
                (0..<request.parameters.count).map { String(decoding: request.parameters[$0].value, as: UTF8.self) }
                    .joined(separator: "|")
            )
        }
        let client = try Client(server.path)
        for number in 0..<10_000 {
            let parameters = (0...number % 5).map {
                ("NAME_\($0)", "\(number) " + String(repeating: "x", count: number % 300))
            }
            client.send(Records.request(parameters, body: number % 7 == 0 ? [1, 2, 3] : []))
            #expect(client.receive() == parameters.map(\.1).joined(separator: "|"))
        }
    }

    @Test("Parameters come in order, doubled ones too; the first of a name counts; = may stand in a value")
    func parameters() throws {
        let server = try TestServer { request in
            let all = (0..<request.parameters.count).map { position in
                let (name, value) = request.parameters[position]
                return String(decoding: name, as: UTF8.self) + ":" + String(decoding: value, as: UTF8.self)
            }
            return answer(
                all.joined(separator: " ") + " first="
                    + String(decoding: request.parameters.value(of: "A") ?? [], as: UTF8.self)
            )
        }
        let client = try Client(server.path)
        client.send(
            Records.request([
                ("A", "1"), ("B", "x=y"), ("A", "2"), ("", "nameless"), ("E", ""), ("FCGI_ROLE", "AUTHORIZER"),
            ])
        )
        #expect(client.receive() == "A:1 B:x=y A:2 E: FCGI_ROLE:AUTHORIZER first=1")
    }

    @Test("A request whose parameters take more than one read is whole", arguments: [8000, 8192, 8200, 30_000, 63_000])
    func large(length: Int) throws {
        let server = try TestServer(handler: echo)
        let client = try Client(server.path)
        let text = String(repeating: "y", count: length)
        for _ in 0..<3 {
            client.send(Records.request([("SAY", text)]))
            #expect(client.receive() == text)
        }
    }

    @Test("A request that comes byte by byte, with padding and in many records, is the same request")
    func dribbled() throws {
        let server = try TestServer { request in
            answer(
                String(decoding: (try? request.body(limit: 100)) ?? [], as: UTF8.self) + " "
                    + String(decoding: request.parameters.value(of: "SAY") ?? [], as: UTF8.self)
            )
        }
        let client = try Client(server.path)
        let pairs = Records.pairs([("SAY", "slow"), ("CONTENT_LENGTH", "4")])
        let bytes =
            Records.begin() + pairs.flatMap { Records.record(4, [$0], padding: 3) } + Records.record(4, padding: 5)
            + Array("body".utf8).flatMap { Records.record(5, [$0], padding: 2) } + Records.record(5)
        for byte in bytes { client.send([byte]) }
        #expect(client.receive() == "body slow")
        client.send(bytes)
        #expect(client.receive() == "body slow")
    }

    @Test("A body is read up to its limit, and beyond it the answer still arrives")
    func bodyLimit() throws {
        let server = try TestServer { request in
            do throws(BodyError) {
                return answer("\(try request.body(limit: 1000).count)")
            } catch {
                return answer("\(error)", status: 413)
            }
        }
        for count in [0, 999, 1000] {
            let client = try Client(server.path)
            client.send(Records.request([("CONTENT_LENGTH", "\(count)")], body: [UInt8](repeating: 0x61, count: count)))
            #expect(client.receive() == "\(count)")
        }
        for count in [1001, 300_000] {
            for announced in ["\(count)", ""] {
                let client = try Client(server.path)
                client.send(
                    Records.request([("CONTENT_LENGTH", announced)], body: [UInt8](repeating: 0x61, count: count))
                )
                #expect(client.receive() == "tooLarge(limit: 1000)")
                client.send(Records.request([("A", "B")]))
                #expect(client.receive() == "0")
            }
        }
        for announced in ["5", "-1", "1x", "99999999999999999999"] {
            let client = try Client(server.path)
            client.send(Records.request([("CONTENT_LENGTH", announced)], body: Array("four".utf8)))
            #expect(client.receive() == "interrupted")
        }
    }

    @Test("An authorizer's request has no body and is answered at once")
    func authorizer() throws {
        let server = try TestServer { answer("\($0.role)") }
        let client = try Client(server.path)
        client.send(Records.head([("REQUEST_METHOD", "GET")], role: 2) + Records.record(5))
        #expect(client.receive() == "authorizer")
        client.send(Records.head([("REQUEST_METHOD", "GET")], role: 2))
        #expect(client.receive() == "authorizer")
        #expect(client.isClosed())
    }

    @Test("A connection is kept where the web server asks for it, and closed where not")
    func keeping() throws {
        let server = try TestServer(handler: echo)
        let client = try Client(server.path)
        client.send(Records.request([("SAY", "a")], keep: false))
        #expect(client.receive() == "a")
        #expect(client.isClosed())
    }

    @Test("A peer that goes away in the middle harms nobody")
    func goneAway() throws {
        let server = try TestServer { request in
            _ = try? request.body(limit: 1 << 20)
            return answer(String(repeating: "z", count: 300_000))
        }
        let whole = Records.request([("CONTENT_LENGTH", "20000")], body: [UInt8](repeating: 0x61, count: 20_000))
        for length in stride(from: 1, through: whole.count, by: 997) {
            let client = try Client(server.path)
            client.send(Array(whole[..<length]))
        }
        let client = try Client(server.path)
        client.send(Records.request([("A", "B")]))
        #expect(client.receive()?.count == 300_000)
    }

    @Test("A thousand idle connections take no worker, and each is answered")
    func idle() throws {
        let server = try TestServer(
            {
                $0.workers = 2
                $0.pollers = 2
            },
            handler: echo
        )
        let clients = try (0..<1000).map { _ in try Client(server.path) }
        for round in 0..<2 {
            for (number, client) in clients.enumerated() where number % 3 == round {
                client.send(Records.request([("SAY", "\(number)")]))
                #expect(client.receive() == "\(number)")
            }
        }
    }

    @Test("Handlers that wait and say so leave the others their place")
    func waiting() throws {
        let gate = DispatchSemaphore(value: 0)
        let waiting = Atomic(0)
        let server = try TestServer({
            $0.workers = 8
            $0.pollers = 2
        }) { request in
            if request.parameters.value(of: "WAIT") != nil {
                request.willWait()
                request.willWait()
                waiting.add(1, ordering: .relaxed)
                gate.wait()
            }
            return echo(request)
        }
        let slow = try (0..<6).map { _ in try Client(server.path) }
        for client in slow { client.send(Records.request([("WAIT", "1"), ("SAY", "slow")])) }
        #expect(eventually { waiting.load(ordering: .relaxed) == 6 })
        let quick = try Client(server.path)
        for _ in 0..<100 {
            quick.send(Records.request([("SAY", "quick")]))
            #expect(quick.receive() == "quick")
        }
        for _ in slow { gate.signal() }
        for client in slow { #expect(client.receive() == "slow") }
        quick.send(Records.request([("SAY", "after")]))
        #expect(quick.receive() == "after")
    }

    @Test("stop() answers what runs and takes nothing new")
    func stopping() throws {
        let gate = DispatchSemaphore(value: 0)
        let running = Atomic(0)
        let folder = try temporaryFolder()
        let path = folder + "/socket"
        let ended = DispatchSemaphore(value: 0)
        let server = try Server(listeners: [try Listener.bind(to: .unix(path: path))]) { request in
            running.add(1, ordering: .relaxed)
            gate.wait()
            return echo(request)
        }
        start {
            server.run()
            ended.signal()
        }
        let client = try Client(path)
        client.send(Records.request([("SAY", "finished")]))
        #expect(eventually { running.load(ordering: .relaxed) == 1 })
        server.stop()
        server.stop()
        #expect(ended.wait(timeout: .now()) == .timedOut)
        gate.signal()
        #expect(client.receive() == "finished")
        #expect(ended.wait(timeout: .now() + .seconds(20)) == .success)
        #expect(client.isClosed())
        #expect(access(path, F_OK) != 0)
        #expect(throws: ConnectError.self) { try Client(path) }
        rmdir(folder)
    }

    @Test("Connections that come and go leave no descriptor behind")
    func descriptors() throws {
        let server = try TestServer(handler: echo)
        func count() -> Int {
            guard let folder = opendir("/proc/self/fd") else { return -1 }
            defer { closedir(folder) }
            var count = 0
            while readdir(folder) != nil { count += 1 }
            return count
        }
        func round(_ body: [UInt8]) throws {
            for keep in [true, false] {
                let client = try Client(server.path)
                client.send(Records.request([("SAY", "x")], body: body, keep: keep))
                #expect(client.receive() == "x")
            }
        }
        try round([])
        let before = count()
        for number in 0..<500 { try round(number % 2 == 0 ? [] : [1]) }
        // Other tests of this process open and close some of their own meanwhile.
        #expect(eventually { count() < before + 100 })
    }
}

@Suite("Sockets to listen on")
struct ListenerTests {
    @Test(
        "An address is a path or a numeric host and a port",
        arguments: [
            ("/run/postern.sock", ListenAddress.unix(path: "/run/postern.sock")), ("./x", .unix(path: "./x")),
            ("127.0.0.1:9000", .tcp(host: "127.0.0.1", port: 9000)), ("[::1]:9000", .tcp(host: "::1", port: 9000)),
        ]
    )
    func addresses(text: String, address: ListenAddress) {
        #expect(ListenAddress(text) == address)
    }

    @Test(
        "What is no address is none",
        arguments: ["", "x", "127.0.0.1", ":9000", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:x"]
    )
    func noAddress(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test(
        "A Unix socket lets its owner and group connect, whatever the umask; a stale one is replaced, a live one is not"
    )
    func unix() throws {
        let folder = try temporaryFolder()
        let path = folder + "/socket"
        var first: Listener? = try Listener.bind(to: .unix(path: path))
        var status = stat()
        #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o660)
        #expect(throws: ListenerError.inUse(path)) { try Listener.bind(to: .unix(path: path)) }
        withExtendedLifetime(first) {}
        first = nil
        #expect(access(path, F_OK) == 0)
        let second = try Listener.bind(to: .unix(path: path))
        withExtendedLifetime(second) {}
        unlink(path)
        #expect(creat(path, 0o600) >= 0)
        #expect(throws: ListenerError.notASocket(path)) { try Listener.bind(to: .unix(path: path)) }
        #expect(access(path, F_OK) == 0)
        unlink(path)
        symlink("/nowhere", path)
        #expect(throws: ListenerError.notASocket(path)) { try Listener.bind(to: .unix(path: path)) }
        unlink(path)
        let long = "/" + String(repeating: "x", count: 200)
        #expect(throws: ListenerError.pathTooLong(long)) { try Listener.bind(to: .unix(path: long)) }
        rmdir(folder)
    }

    @Test("An address that other machines reach is refused unless it is asked for")
    func remote() throws {
        #expect(throws: ListenerError.remote("0.0.0.0:1")) { try Listener.bind(to: .tcp(host: "0.0.0.0", port: 1)) }
        #expect(throws: ListenerError.notAnAddress("localhost:1")) {
            try Listener.bind(to: .tcp(host: "localhost", port: 1))
        }
    }
}

@Suite("Answers")
struct ResponseTests {
    @Test("A value cannot end its field, whatever is in it")
    func injection() {
        let response = Response(status: 200, fields: [("X-User", "a\r\nSet-Cookie: s=1\0é\u{7F}")], body: [])
        #expect(
            String(decoding: response.bytes, as: UTF8.self)
                == "Status: 200 OK\r\nX-User: a%0D%0ASet-Cookie: s=1%00%C3%A9%7F\r\n\r\n"
        )
    }
}
