import FastCGI
import Glibc
import Synchronization
import Testing

/// Bytes that a web server never sends, among them those that end a process that hands them to libfcgi.
@Suite("Peers that are no web server")
struct HostilePeerTests {
    private static let killers: [(name: String, bytes: [UInt8])] = [
        (
            "a length that overflows (CVE-2025-23016)",
            Records.begin() + Records.record(4, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] + Array("AAAA".utf8))
        ),
        (
            "a length of which Debian's fix knows nothing",
            Records.begin() + [1, 4, 0, 1, 0, 5, 0, 0, 0xFF, 0xFF, 0xFF, 0xFE, 0x01]
        ),
        (
            "GET_VALUES that asks one value four times, then a record",
            Records.record(9, (0..<4).flatMap { _ in [15, 0] + Array("FCGI_MPXS_CONNS".utf8) }, id: 0) + Records.begin()
        ),
        ("a length of 1 GiB", Records.begin() + Records.record(4, [0xBF, 0xFF, 0xFF, 0xFF, 0x00])),
        ("STDIN where parameters are due", Records.begin() + Records.record(5)),
        (
            "ABORT among the parameters",
            Records.begin() + Records.record(4, Records.pairs([("SAY", "x")])) + Records.record(2)
        ),
        ("a second BEGIN", Records.begin() + Records.begin() + Records.record(4) + Records.record(5)),
        ("no BEGIN", Records.record(4) + Records.record(5)),
        ("an unknown role", Records.begin(role: 9)),
        ("the role of a filter", Records.begin(role: 3)),
        ("version 2", [2] + Records.begin().dropFirst()),
        ("an unknown type", Records.begin() + Records.record(42, [1, 2, 3])),
        ("another id", Records.begin() + Records.record(4, [], id: 2)),
        ("id 0", Records.record(1, [0, 1, 1, 0, 0, 0, 0, 0], id: 0)),
        (
            "parameters cut off by their end",
            Records.begin() + Records.record(4, [3, 9] + Array("SAY".utf8)) + Records.record(4) + Records.record(5)
        ),
        ("a NUL in a value", Records.request([("SAY", "x\0y")])),
        (
            "more than 64 KiB of parameters",
            Records.begin() + Records.record(4, Records.pairs([("A", String(repeating: "x", count: 60_000))]))
                + Records.record(4, Records.pairs([("B", String(repeating: "x", count: 60_000))]))
        ),
        ("HTTP", Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)),
    ]

    @Test("The connection is closed, no handler runs, and others are answered", arguments: killers.indices)
    func killer(index: Int) throws {
        let (name, bytes) = Self.killers[index]
        let calls = Mutex(0)
        let server = try TestServer { request in
            calls.withLock { $0 += 1 }
            return echo(request)
        }
        let other = try Client(server.path)
        let hostile = try Client(server.path)
        hostile.send(bytes)
        #expect(hostile.isClosed(), "\(name)")
        other.send(Records.request([("SAY", "still here")]))
        #expect(other.receive() == "still here", "\(name)")
        #expect(calls.withLock { $0 } == 1, "\(name)")
    }

    @Test("The same bytes one at a time do no harm either", arguments: killers.indices)
    func dribbled(index: Int) throws {
        let server = try TestServer(handler: echo)
        let hostile = try Client(server.path)
        for byte in Self.killers[index].bytes.prefix(300) { hostile.send([byte]) }
        let other = try Client(server.path)
        other.send(Records.request([("SAY", "still here")]))
        #expect(other.receive() == "still here")
    }

    @Test("Records in a body are its content, read or unread, and never a request", arguments: [true, false])
    func forged(isRead: Bool) throws {
        let seen = Mutex<[String]>([])
        let server = try TestServer { request in
            let body = isRead ? (try? request.body(limit: 1 << 20)) ?? [] : []
            let text = String(decoding: request.parameters.value(of: "SAY") ?? [], as: UTF8.self)
            seen.withLock { $0.append(text) }
            return answer("\(text) \(body.count)")
        }
        let forged = Records.request([("SAY", "forged"), ("POSTERN_PERMISSION", "AllowAny")])
        let poison = Records.record(9, (0..<4).flatMap { _ in [15, 0] + Array("FCGI_MPXS_CONNS".utf8) }, id: 0)
        for filler in [0, 7, 8192 - 60, 8192, 20_000] {
            let body = [UInt8](repeating: 0x20, count: filler) + poison + forged + forged
            let client = try Client(server.path)
            client.send(Records.request([("SAY", "real"), ("CONTENT_LENGTH", "\(body.count)")], body: body))
            #expect(client.receive() == "real \(isRead ? body.count : 0)")
            client.send(Records.request([("SAY", "next")]))
            #expect(client.receive() == "next 0")
        }
        #expect(seen.withLock { Set($0) } == ["real", "next"])
    }

    @Test("A management record in the middle of a body ends the connection, not the process")
    func managementInBody() throws {
        let server = try TestServer { request in
            (try? request.body(limit: 1000)) == nil ? answer("interrupted", status: 400) : answer("whole")
        }
        let client = try Client(server.path)
        let poison = Records.record(9, (0..<4).flatMap { _ in [15, 0] + Array("FCGI_MPXS_CONNS".utf8) }, id: 0)
        client.send(Records.head([("CONTENT_LENGTH", "10")]) + Records.record(5, Array("abc".utf8)) + poison)
        #expect(client.receive() == "interrupted")
        #expect(client.isClosed())
    }

    @Test("Half a request holds no worker and is closed in time, while others are answered")
    func halfOpen() throws {
        let server = try TestServer(
            {
                $0.workers = 2
                $0.pollers = 1
                $0.receiveTimeout = .milliseconds(300)
            },
            handler: echo
        )
        let halves: [[UInt8]] = [
            [1], Records.begin(), Records.begin() + Records.record(4, [3]),
            Array(Records.request([("SAY", "x")]).dropLast()),
        ]
        let hanging = try (0..<64).map { number in
            let client = try Client(server.path)
            client.send(halves[number % halves.count])
            return client
        }
        let other = try Client(server.path)
        for _ in 0..<50 {
            other.send(Records.request([("SAY", "prompt")]))
            #expect(other.receive() == "prompt")
        }
        for client in hanging { #expect(client.isClosed()) }
        other.send(Records.request([("SAY", "kept")]))
        #expect(other.receive() == "kept")
    }

    @Test("A user who is not allowed gets no answer")
    func peer() throws {
        let server = try TestServer({ $0.allowedUsers = [geteuid() &+ 1] }, handler: echo)
        let client = try Client(server.path)
        client.send(Records.request([("SAY", "x")]))
        #expect(client.isClosed())
        let open = try TestServer({ $0.allowedUsers = [geteuid()] }, handler: echo)
        let allowed = try Client(open.path)
        allowed.send(Records.request([("SAY", "x")]))
        #expect(allowed.receive() == "x")
    }
}
