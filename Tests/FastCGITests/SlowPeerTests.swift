import CLinux
import Glibc
import Synchronization
import Testing

@testable import FastCGI

@Suite("Peers that are slow hold up nobody")
struct SlowPeerTests {
    /// More than a socket holds.
    private static let long = 600_000

    /// A long answer for who asks for it.
    private static let handler: Handler = { request in
        let count = request.parameters.value(of: "LONG") == nil ? 2 : long
        return Response(status: 200, fields: [], body: [UInt8](repeating: UInt8(ascii: "z"), count: count))
    }

    /// Patient, for a machine that is busy.
    private static func options(workers: Int) -> ServerOptions {
        var options = ServerOptions.quick(workers: workers, pollers: 1, receiveTimeout: .seconds(60))
        options.sendTimeout = .seconds(300)
        return options
    }

    private static func expectWhole(_ client: Client) throws {
        let answer = try client.answer()
        #expect(answer.status == 200)
        #expect(answer.body.utf8.count == long)
    }

    @Test("many that do not read their long answers, and get them when they do")
    func readers() throws {
        let server = try RunningServer(Self.options(workers: 2), handler: Self.handler)
        let slow = try (0..<20).map { _ in try server.client() }
        // Another request is on its way behind, which is answered afterwards.
        for client in slow { client.send(Wire.request([("LONG", "")]) + Wire.request(id: 2)) }
        let other = try server.client()
        for _ in 0..<200 { #expect(try other.ask(Wire.request()).body == "zz") }
        for client in slow {
            try Self.expectWhole(client)
            #expect(try client.answer().id == 2)
            #expect(try client.ask(Wire.request()).body == "zz")
        }
    }

    @Test("likewise with a body, and where a thread that may wait has answered", arguments: [true, false])
    func readersOfPostponed(keep: Bool) throws {
        let server = try RunningServer(Self.options(workers: 1)) { request in
            if request.parameters.value(of: "LONG") != nil, !request.mayWait(), request.postpone(Turn()) {
                return .postponed
            }
            return Self.handler(request)
        }
        let slow = try (0..<20).map { _ in try server.client() }
        for client in slow { client.send(Wire.post([1, 2, 3], keep: keep, more: [("LONG", "")])) }
        let other = try server.client()
        for _ in 0..<200 { #expect(try other.ask(Wire.request()).body == "zz") }
        for client in slow {
            try Self.expectWhole(client)
            if keep {
                #expect(try client.ask(Wire.request()).body == "zz")
            } else {
                #expect(client.isClosedWithoutAnswer())
            }
        }
    }

    @Test("who never reads is closed in time")
    func neverReads() throws {
        var options = ServerOptions.quick(workers: 1, pollers: 1)
        options.sendTimeout = .milliseconds(300)
        let server = try RunningServer(options, handler: Self.handler)
        let slow = try server.client()
        slow.send(Wire.request([("LONG", "")]))
        #expect(wait { server.acceptedConnections == 1 })
        #expect(wait { server.acceptedConnections == 0 })
        #expect(throws: Client.Closed.self) { try slow.answer() }
    }

    @Test("what all of them keep is bounded: some are given up, and others are answered")
    func budget() throws {
        var options = Self.options(workers: 1)
        options.bufferLimit = 4 * Self.long
        let server = try RunningServer(options, handler: Self.handler)
        let slow = try (0..<12).map { _ in try server.client() }
        for client in slow { client.send(Wire.request([("LONG", "")])) }
        let other = try server.client()
        for _ in 0..<100 { #expect(try other.ask(Wire.request()).body == "zz") }
        // They are closed until there is room again, one by one.
        #expect(wait { server.acceptedConnections <= 1 + 2 })
        let reader = try server.client()
        reader.send(Wire.request([("LONG", "")]))
        try Self.expectWhole(reader)
    }

    @Test("who keeps most is given up, not who waited longest")
    func greatest() throws {
        var options = Self.options(workers: 1)
        options.bufferLimit = 4 * Self.long
        let server = try RunningServer(options) { request in
            let count = request.parameters.value(of: "LONG") == nil ? Self.long : 5 * Self.long / 2
            return Response(status: 200, fields: [], body: [UInt8](repeating: UInt8(ascii: "z"), count: count))
        }
        let first = try server.client()
        first.send(Wire.request())
        #expect(wait { first.hasAnswer })
        let greatest = try server.client()
        greatest.send(Wire.request([("LONG", "")]))
        #expect(wait { greatest.hasAnswer })
        #expect(wait { server.acceptedConnections == 1 })
        try Self.expectWhole(first)
        let isWhole = (try? greatest.answer()) != nil
        #expect(!isWhole)
    }

    @Test("what a connection keeps is counted: an answer, what came behind it, and a head whose body has no room")
    func counted() throws {
        let budget = BufferBudget(limit: 1000)
        let loop = try #require(EventLoop(.quick(), budget))
        func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
        let connection = Connection(-1, loop)
        // An answer of a thread that may wait, and one of the loop.
        connection.setRestOfLent(bytes(300))
        #expect(!connection.isIdle)
        #expect(connection.setOutput(bytes(500), sent: 0, closesAfterwards: false))
        #expect(budget.hasRoom(200))
        #expect(!budget.hasRoom(201))
        #expect(connection.setRest(bytes(400)))
        #expect(budget.hasRoom(100))
        #expect(!budget.hasRoom(101))
        #expect(!Connection(-1, loop).setPending(bytes(101)))
        // What came behind is all that is left of it, and no place to stop at.
        connection.finish()
        #expect(budget.hasRoom(1000))
        #expect(!connection.isIdle)
        #expect(connection.takeUpRest())
        #expect(budget.hasRoom(600))
        #expect(!budget.hasRoom(601))
        connection.finish()
        #expect(budget.hasRoom(1000))
        #expect(connection.isIdle)

        let head = RecordScanner.Head(id: 1, role: .responder, keepsConnection: true, length: 0, body: .follows)
        func incoming(_ headCount: Int, _ bodyCount: Int) -> Connection.IncomingRequest {
            var body = IncomingBody(id: 1, limit: 1000, drainLimit: 0)
            let record = Wire.record(5, id: 1, bytes(bodyCount))
            #expect(record.withUnsafeBytes { body.take($0) } == record.count)
            return Connection.IncomingRequest(head: head, bytes: bytes(headCount), body: body)
        }
        #expect(connection.setIncoming(incoming(300, 800)))
        #expect(budget.hasRoom(700))
        #expect(!budget.hasRoom(701))
        #expect(throws: BodyError.noRoom) { _ = try connection.incoming?.body.received.bytes(announced: nil) }
        let other = Connection(-1, loop)
        #expect(!other.setIncoming(incoming(800, 10)))
        other.finish()
        connection.finish()
        #expect(budget.hasRoom(1000))
    }

    @Test("a request with a body is answered where there is no descriptor left for libfcgi's memory")
    func noDescriptor() async {
        await #expect(processExitsWith: .success) {
            let budget = BufferBudget(limit: 1 << 20)
            guard let loop = EventLoop(ServerOptions(), budget) else { exit(2) }
            var ends: [Int32] = [0, 0]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { exit(3) }
            let begin: [UInt8] = [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
            let parameters: [UInt8] = [1, 4, 0, 1, 0, 19, 0, 0, 14, 3] + Array("REQUEST_METHODPUT".utf8)
            let bytes = begin + parameters + [1, 4, 0, 1, 0, 0, 0, 0] + [1, 5, 0, 1, 0, 1, 0, 0, 0x78]
            var read = Parameters()
            let scanned = bytes.withUnsafeBytes { RecordScanner.scan($0, into: &read) }
            guard case .head(let head) = scanned, head.body == .follows else { exit(4) }
            var limit = rlimit(rlim_cur: 0, rlim_max: 0)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let response = Response(status: 200, fields: [], body: Array("answered".utf8))
            let outcome = bytes[..<head.length].withUnsafeBytes {
                AnswerWriter().send(response, head, $0, to: Connection(ends[0], loop), closesAfterwards: false)
            }
            guard case .all = outcome else { exit(5) }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(ends[1], &buffer, buffer.count, 0)
            guard count > 0, String(decoding: buffer[..<count], as: UTF8.self).contains("answered") else { exit(6) }
        }
    }

    @Test("bodies for which there is no room are refused, and the connection goes on")
    func noRoomForBodies() throws {
        var options = Self.options(workers: 1)
        options.bufferLimit = 300_000
        let server = try RunningServer(options) { request in
            do throws(BodyError) {
                let count = try request.body(limit: 1 << 20).count
                return Response(status: 200, fields: [], body: Array("\(count)".utf8))
            } catch {
                return Response(status: error == .noRoom ? 503 : 400, fields: [], body: [])
            }
        }
        let content = [UInt8](repeating: 1, count: 200_000)
        let (first, second) = (try server.client(), try server.client())
        let request = Wire.post(content)
        for client in [first, second] { client.send(Array(request.dropLast(10))) }
        let other = try server.client()
        #expect(try other.ask(Wire.request()).status == 200)
        for client in [first, second] { client.send(Array(request.suffix(10))) }
        #expect(try [first, second].compactMap { try $0.answer().status }.sorted() == [200, 503])
        for client in [first, second] { #expect(try client.ask(request).body == "200000") }
    }
}

@Suite("Requests that are put off")
struct RequestQueueTests {
    /// Puts off what has a key, and waits until it is let go.
    private final class Work: Sendable {
        let isOpen = Atomic(false)
        let running = Atomic(0)
        let order = Mutex<[String]>([])

        func handler(_ line: Turn.Line) -> Handler {
            { request in
                guard let key = request.parameters.value(of: "KEY") else {
                    return Response(status: 200, fields: [], body: [])
                }
                if request.hasWaitedTooLong { return Response(status: 503, fields: [], body: []) }
                let name = String(decoding: key, as: UTF8.self)
                if !request.mayWait(in: line) {
                    let isPutOff = request.postpone(Turn(line, key: UInt64(name.prefix(1)) ?? 0))
                    return isPutOff ? .postponed : Response(status: 429, fields: [], body: [])
                }
                self.running.add(1, ordering: .relaxed)
                self.order.withLock { $0.append(name) }
                wait(20) { self.isOpen.load(ordering: .acquiring) }
                return Response(status: 200, fields: [], body: [])
            }
        }

        func open() { isOpen.store(true, ordering: .releasing) }
    }

    private static func options(_ change: (inout ServerOptions) -> Void = { _ in }) -> ServerOptions {
        var options = ServerOptions.quick(workers: 1, pollers: 1)
        options.scarceWorkers = 1
        change(&options)
        return options
    }

    @Test("wait without a thread, and keys take turns")
    func turns() throws {
        let work = Work()
        let server = try RunningServer(Self.options { $0.queueTimeout = .seconds(60) }, handler: work.handler(.scarce))
        var clients: [Client] = []
        func send(_ name: String) throws {
            clients.append(try server.client())
            clients.last?.send(Wire.request([("KEY", name)]))
            // Each has its place before the next one comes.
            #expect(try server.client().ask(Wire.request()).status == 200)
        }
        try send("1a")
        #expect(wait { work.running.load(ordering: .relaxed) == 1 })
        for name in ["1b", "1c", "1d", "2a", "2b", "3a"] { try send(name) }
        work.open()
        for client in clients { #expect(try client.answer().status == 200) }
        #expect(work.order.withLock { $0 } == ["1a", "1b", "2a", "3a", "1c", "2b", "1d"])
    }

    @Test("are bounded in all and by key, and each is refused when it has waited too long")
    func bounds() throws {
        let work = Work()
        let server = try RunningServer(
            Self.options {
                $0.maximumWaiting = 6
                $0.maximumScarcePerKey = 4
                $0.queueTimeout = .milliseconds(500)
            },
            handler: work.handler(.scarce)
        )
        let first = try server.client()
        first.send(Wire.request([("KEY", "1")]))
        #expect(wait { work.running.load(ordering: .relaxed) == 1 })
        let waiting = try ["1", "1", "1", "1", "1", "2", "2", "2"].map { key in
            let client = try server.client()
            client.send(Wire.request([("KEY", key)]))
            return client
        }
        let statuses = try waiting.map { try $0.answer().status }
        // The fifth of one key; the last of the other, for whom the fourth had to give its place up, is the seventh.
        #expect(statuses.count { $0 == 429 } == 1)
        #expect(statuses.count { $0 == 503 } == 7)
        work.open()
        #expect(try first.answer().status == 200)
    }

    @Test("a newcomer takes the place of the last one of whoever has the most, who is refused")
    func newcomer() throws {
        let work = Work()
        let server = try RunningServer(
            Self.options {
                $0.maximumWaiting = 4
                $0.queueTimeout = .seconds(60)
            },
            handler: work.handler(.scarce)
        )
        func send(_ name: String) throws -> Client {
            let client = try server.client()
            client.send(Wire.request([("KEY", name)]))
            #expect(try server.client().ask(Wire.request()).status == 200)
            return client
        }
        let first = try send("1a")
        #expect(wait { work.running.load(ordering: .relaxed) == 1 })
        let crowd = try ["1b", "1c", "1d", "1e"].map(send)
        #expect(try send("1f").answer().status == 429)
        let newcomers = try ["2a", "3a"].map(send)
        for client in crowd.suffix(2) { #expect(try client.answer().status == 503) }
        // Two of the first and one each of the others: nobody has more than one more.
        #expect(try send("2b").answer().status == 429)
        work.open()
        for client in [first] + crowd.prefix(2) + newcomers { #expect(try client.answer().status == 200) }
        #expect(work.order.withLock { $0 } == ["1a", "1b", "2a", "3a", "1c"])
    }

    @Test("one line does not wait for the other")
    func lines() throws {
        let (scarce, ordinary) = (Work(), Work())
        let (first, second) = (scarce.handler(.scarce), ordinary.handler(.ordinary))
        let server = try RunningServer(Self.options()) { request in
            request.parameters.value(of: "SCARCE") != nil ? first(request) : second(request)
        }
        let client = try server.client()
        client.send(Wire.request([("KEY", "1"), ("SCARCE", "")]))
        #expect(wait { scarce.running.load(ordering: .relaxed) == 1 })
        ordinary.open()
        #expect(try server.client().ask(Wire.request([("KEY", "1")])).status == 200)
        scarce.open()
        #expect(try client.answer().status == 200)
    }

    @Test("nothing is done for a client that has gone meanwhile")
    func gone() throws {
        let work = Work()
        let server = try RunningServer(Self.options(), handler: work.handler(.ordinary))
        let first = try server.client()
        first.send(Wire.request([("KEY", "1")]))
        #expect(wait { work.running.load(ordering: .relaxed) == 1 })
        var left: [Client] = try (0..<10).map { _ in try server.client() }
        for client in left { client.send(Wire.request([("KEY", "2")])) }
        #expect(try server.client().ask(Wire.request()).status == 200)
        #expect(wait { server.acceptedConnections == 11 })
        left = []
        work.open()
        #expect(try first.answer().status == 200)
        #expect(wait { server.acceptedConnections == 1 })
        #expect(work.order.withLock { $0 } == ["1"])
    }

    @Test("may be put off again, with a delay, and know what they kept")
    func again() throws {
        let server = try RunningServer(Self.options()) { request in
            let count = request.kept as? Int ?? 0
            guard count < 5 else { return Response(status: 200, fields: [], body: Array("\(count)".utf8)) }
            request.kept = count + 1
            return request.postpone(Turn(.ordinary, delay: .milliseconds(1)))
                ? .postponed : Response(status: 503, fields: [], body: [])
        }
        let client = try server.client()
        for _ in 0..<3 { #expect(try client.ask(Wire.post([1])).body == "5") }
    }

    @Test("a thread that must not wait is noticed when it does")
    func noticed() throws {
        let server = try RunningServer(Self.options()) { request in
            if request.parameters.value(of: "KEY") != nil, !request.mayWait(), request.postpone(Turn()) {
                return .postponed
            }
            linux_note_wait()
            return Response(status: 200, fields: [], body: [])
        }
        #expect(try server.client().ask(Wire.request([("KEY", "1")])).status == 200)
        #expect(server.server.waitsOnLoops == 0)
        #expect(try server.client().ask(Wire.request()).status == 200)
        #expect(server.server.waitsOnLoops == 1)
    }
}
