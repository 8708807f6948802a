import FastCGI
import Glibc
import Synchronization
import Testing

@Suite("A server answers requests")
struct ServerTests {
    @Test("the parameters of a request arrive in order, without libfcgi's own")
    func parameters() throws {
        let server = try RunningServer()
        let answer = try server.client().ask(
            Wire.request([("REQUEST_METHOD", "GET"), ("A", "1"), ("A", "2"), ("FCGI_ROLE", "FILTER"), ("EMPTY", "")])
        )
        #expect(answer.status == 200)
        #expect(answer.body == "REQUEST_METHOD=GET\nA=1\nA=2\nFCGI_ROLE=FILTER\nEMPTY=\n")
    }

    @Test("a kept connection answers one request after the other")
    func kept() throws {
        let server = try RunningServer()
        let client = try server.client()
        for number in 1...100 {
            let answer = try client.ask(Wire.request([("N", String(number))], id: UInt16(number)))
            #expect(answer.body == "N=\(number)\n")
            #expect(answer.id == UInt16(number))
        }
    }

    @Test("requests that are sent at once are answered in order")
    func pipelined() throws {
        let server = try RunningServer()
        let client = try server.client()
        client.send((1...50).flatMap { Wire.request([("N", String($0))]) })
        for number in 1...50 { #expect(try client.answer().body == "N=\(number)\n") }
    }

    @Test("a connection that is not to be kept is closed after the answer")
    func notKept() throws {
        let server = try RunningServer()
        let client = try server.client()
        #expect(try client.ask(Wire.request(keep: false)).status == 200)
        #expect(client.isClosedWithoutAnswer())
    }

    @Test("an authorizer is answered without waiting for a body, sent or not", arguments: [true, false])
    func authorizer(sendsEmptyBody: Bool) throws {
        let server = try RunningServer { request in
            Response(status: request.role == .authorizer ? 200 : 500, fields: [], body: [])
        }
        let client = try server.client()
        #expect(
            try client.ask(sendsEmptyBody ? Wire.request(role: 2, keep: false) : Wire.head(role: 2, keep: false)).status
                == 200
        )
        #expect(client.isClosedWithoutAnswer())
    }

    @Test("a request that comes byte by byte is answered")
    func dribbled() throws {
        let server = try RunningServer()
        let client = try server.client()
        let value = String(repeating: "x", count: 1500)
        for byte in Wire.request([("LONG", value)]) { #expect(client.send([byte])) }
        #expect(try client.answer().body == "LONG=\(value)\n")
    }

    @Test("parameters may be spread over records in any way", arguments: [1, 2, 7, 100])
    func spread(size: Int) throws {
        let server = try RunningServer()
        let pairs = Wire.pair("NAME", "value") + Wire.pair("LONG", String(repeating: "y", count: 300))
        let records = stride(from: 0, to: pairs.count, by: size).flatMap { start in
            Wire.record(4, Array(pairs[start..<min(start + size, pairs.count)]), padding: start % 8)
        }
        let answer = try server.client().ask(Wire.begin() + records + Wire.record(4, padding: 3) + Wire.body([]))
        #expect(answer.body == "NAME=value\nLONG=\(String(repeating: "y", count: 300))\n")
    }

    @Test("a large answer arrives whole")
    func largeAnswer() throws {
        let server = try RunningServer { _ in
            Response(status: 200, fields: [], body: [UInt8](repeating: UInt8(ascii: "z"), count: 300_000))
        }
        let client = try server.client()
        for _ in 0..<3 { #expect(try client.ask(Wire.request()).body.utf8.count == 300_000) }
    }

    @Test("heads of every length around libfcgi's buffer leave nothing behind")
    func bufferBoundary() throws {
        let server = try RunningServer()
        let client = try server.client()
        for length in 8100...8250 {
            let value = String(repeating: "v", count: length)
            #expect(try client.ask(Wire.request([("V", value)])).body == "V=\(value)\n")
        }
    }

    @Test("ten thousand mixed requests on one connection see nothing of each other (FC10)")
    func mixed() throws {
        let server = try RunningServer { request in
            let method =
                request.parameters.value(of: "REQUEST_METHOD").map { String(decoding: $0, as: UTF8.self) } ?? "-"
            let user =
                request.parameters.value(of: "HTTP_AUTHORIZATION").map { String(decoding: $0, as: UTF8.self) } ?? "-"
            let read = request.parameters.value(of: "READ") != nil
            let body = read ? (try? request.body(limit: 100_000)).map { String($0.count) } ?? "!" : "?"
            return Response(
                status: 200,
                fields: [],
                body: Array("\(request.parameters.count) \(method) \(user) \(body)".utf8)
            )
        }
        let client = try server.client()
        var mismatches = 0
        for number in 0..<10_000 {
            let length = number % 3 == 0 ? number % 5000 : 0
            var parameters = [("REQUEST_METHOD", length > 0 ? "POST" : "GET"), ("CONTENT_LENGTH", String(length))]
            if number % 2 == 0 { parameters.append(("HTTP_AUTHORIZATION", "user\(number)")) }
            if number % 4 != 1 { parameters.append(("READ", "")) }
            let answer = try client.ask(
                Wire.request(parameters, id: UInt16(number % 60_000 + 1), body: [UInt8](repeating: 1, count: length))
            )
            let expected =
                "\(parameters.count) \(length > 0 ? "POST" : "GET") \(number % 2 == 0 ? "user\(number)" : "-") "
                + (number % 4 != 1 ? String(length) : "?")
            if answer.body != expected { mismatches += 1 }
        }
        #expect(mismatches == 0)
    }

    @Test("twelve hundred kept connections share two workers")
    func manyConnections() throws {
        let server = try RunningServer(.quick(workers: 2))
        let clients = try (0..<1200).map { _ in try server.client() }
        for round in 0..<3 {
            for client in clients { client.send(Wire.request([("R", String(round))])) }
            for client in clients { #expect(try client.answer().body == "R=\(round)\n") }
        }
    }

    @Test("two servers share one listening socket")
    func sharedListener() throws {
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        let listener = try Listener.bind(to: .unix(path: folder + "/socket"))
        let servers = try (1...2).map { number in
            try Server(listeners: [listener], options: .quick(workers: 2)) { _ in
                usleep(2000)
                return Response(status: 200, fields: [], body: Array(String(number).utf8))
            }
        }
        let running = Atomic<Int>(servers.count)
        try withExtendedLifetime(running) {
            for server in servers { Background.start { server.run() } }
            // Which of the two takes a connection is the system's choice: ask until both have.
            var answered: Set<String> = []
            for _ in 0..<100 where answered.count < 2 {
                let clients = try (0..<30).map { _ in try Client(folder + "/socket") }
                for client in clients { client.send(Wire.request()) }
                for client in clients { answered.insert(try client.answer().body) }
            }
            #expect(answered == ["1", "2"])
        }
        for server in servers { server.stop() }
    }
}
