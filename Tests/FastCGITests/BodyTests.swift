import FastCGI
import Glibc
import Synchronization
import Testing

@Suite("The body of a request")
struct BodyTests {
    private static let limit = 1000

    /// Answers 200 with the length of the body, 413, or 400.
    private static let reader: Handler = { request in
        do throws(BodyError) {
            let body = try request.body(limit: limit)
            return Response(
                status: 200,
                fields: [],
                body: Array("\(body.count) \(body.reduce(0) { $0 &+ Int($1) })".utf8)
            )
        } catch {
            return Response(status: error == .interrupted ? 400 : 413, fields: [], body: [])
        }
    }

    @Test("is read whole, with the head or after it", arguments: [0, 1, 999, 1000])
    func isRead(length: Int) throws {
        let server = try RunningServer(handler: Self.reader)
        let client = try server.client()
        let content = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        let expected = "\(length) \(content.reduce(0) { $0 + Int($1) })"
        for _ in 0..<3 { #expect(try client.ask(Wire.post(content)).body == expected) }
        let request = Wire.post(content)
        for split in [10, 60, request.count - 9, request.count - 8, request.count - 1] {
            client.send(Array(request[..<split]))
            usleep(2000)
            client.send(Array(request[split...]))
            #expect(try client.answer().body == expected)
        }
    }

    @Test("comes byte by byte, in odd records with padding")
    func dribbled() throws {
        let server = try RunningServer(handler: Self.reader)
        let client = try server.client()
        let records = (1...20).flatMap { Wire.record(5, [UInt8](repeating: 2, count: $0), padding: $0) }
        let head = Wire.head([("CONTENT_LENGTH", "210")])
        for byte in head + records + Wire.record(5, padding: 5) { client.send([byte]) }
        #expect(try client.answer().body == "210 420")
        #expect(try client.ask(Wire.request()).body == "0 0")
    }

    @Test("over the limit is 413, and the connection goes on", arguments: [1001, 70_000, 1_000_000])
    func tooLarge(length: Int) throws {
        let server = try RunningServer(handler: Self.reader)
        let client = try server.client()
        for declares in [true, false] {
            let content = [UInt8](repeating: 3, count: length)
            let answer = try client.ask(declares ? Wire.post(content) : Wire.request(body: content))
            #expect(answer.status == 413)
            #expect(try client.ask(Wire.request()).status == 200)
        }
    }

    @Test("over what is read and forgotten, the answer can still be read")
    func farTooLarge() throws {
        let server = try RunningServer(.quick(receiveTimeout: .seconds(2)), handler: Self.reader)
        let client = try server.client()
        client.send(Wire.head([("CONTENT_LENGTH", "99999999")]) + Wire.body([1]))
        #expect(try client.answer().status == 413)
    }

    @Test("of another length than declared is interrupted", arguments: ["9", "11", "x", "-1", "1e1", " 10"])
    func wrongLength(declared: String) throws {
        let server = try RunningServer(handler: Self.reader)
        let request = Wire.request([("CONTENT_LENGTH", declared)], body: Array("0123456789".utf8))
        #expect(try server.client().ask(request).status == 400)
        #expect(try server.client().ask(Wire.request()).status == 200)
    }

    @Test("that stops is interrupted in time, and its connection closed")
    func stalls() throws {
        let server = try RunningServer(.quick(workers: 2, receiveTimeout: .milliseconds(300)), handler: Self.reader)
        let client = try server.client()
        client.send(Wire.head([("CONTENT_LENGTH", "10")]) + Wire.body(Array("01234".utf8)))
        #expect(try client.answer().status == 400)
        #expect(client.isClosedWithoutAnswer())
    }

    @Test("may hold no record but its own", arguments: [UInt8(1), 2, 4, 9, 77])
    func foreignRecord(type: UInt8) throws {
        let server = try RunningServer(handler: Self.reader)
        let client = try server.client()
        client.send(
            Wire.head([("CONTENT_LENGTH", "4")]) + Wire.body([1, 2]) + Wire.record(type, [0, 1, 1, 0, 0, 0, 0, 0])
        )
        #expect((try? client.answer().status) != 200)
        #expect(client.isClosedWithoutAnswer())
        #expect(try server.client().ask(Wire.request()).status == 200)
    }

    /// A body that is itself a request which lets everybody in, over and over.
    private static func forged(_ length: Int) -> [UInt8] {
        let request = Wire.request([("REQUEST_METHOD", "GET"), ("POSTERN_PERMISSION", "AllowAny")])
        return Array((0...(length / request.count)).flatMap { _ in request }.prefix(length))
    }

    @Test(
        "FC8: that nobody read is never taken for a request",
        arguments: [
            1, 50, 999, 1000, 1001, 8100, 8191, 8192, 8193, 65_535, 65_536, 65_537, 400_000, 1_048_575, 1_048_577,
            3_000_000,
        ]
    )
    func forgedRequest(length: Int) throws {
        for reads in [false, true] {
            let forgeries = Counter()
            let requests = Counter()
            let server = try RunningServer(.quick(receiveTimeout: .seconds(2))) { request in
                requests.add()
                if request.parameters.value(of: "POSTERN_PERMISSION") != nil { forgeries.add() }
                return reads ? Self.reader(request) : Response(status: 401, fields: [], body: [])
            }
            let client = try server.client()
            let sender = Client.Sender(client, Wire.post(Self.forged(length)))
            let first = try client.answer()
            #expect(first.status == (reads ? (length <= Self.limit ? 200 : 413) : 401))
            sender.wait()
            // Kept or closed: another request is answered as itself or not at all.
            if client.send(Wire.request([("SECOND", "1")])), let second = try? client.answer() {
                #expect(second.status == (reads ? 200 : 401))
                #expect(requests.value == 2)
            } else {
                #expect(requests.value == 1)
                #expect(length > 1_000_000, "a body within the limit leaves the connection in use")
            }
            #expect(forgeries.value == 0)
        }
    }

    @Test("that nobody reads and that never ends holds no worker")
    func unread() throws {
        let server = try RunningServer(.quick(workers: 2, receiveTimeout: .seconds(1))) { _ in
            Response(status: 401, fields: [], body: [])
        }
        let stalled = try (0..<64).map { _ in try server.client() }
        for client in stalled { client.send(Wire.head([("CONTENT_LENGTH", "10")]) + Wire.body([1, 2])) }
        for client in stalled { #expect(try client.answer().status == 401) }
        #expect(try server.client().ask(Wire.request()).status == 401)
        for client in stalled { #expect(client.isClosedWithoutAnswer()) }
    }
}

final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .acquiring) }
    func add() { count.add(1, ordering: .releasing) }
}

extension Client {
    /// Sends on a thread of its own, as a web server does, which reads meanwhile.
    final class Sender: Sendable {
        private let isDone = Atomic<Bool>(false)

        init(_ client: Client, _ bytes: [UInt8]) {
            let descriptor = client.descriptor
            Background.start { [self] in
                var sent = 0
                while sent < bytes.count {
                    let count = bytes.withUnsafeBytes {
                        Glibc.send(
                            descriptor,
                            $0.baseAddress.map { $0 + sent },
                            bytes.count - sent,
                            Int32(MSG_NOSIGNAL)
                        )
                    }
                    guard count > 0 else { break }
                    sent += count
                }
                isDone.store(true, ordering: .releasing)
            }
        }

        func wait() { FastCGITests.wait { isDone.load(ordering: .acquiring) } }
    }
}
