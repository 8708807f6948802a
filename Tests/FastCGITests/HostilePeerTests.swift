import FastCGI
import Glibc
import Testing

/// The rows of what is known to hurt libfcgi, as the very bytes on the socket.
@Suite("No bytes on the socket harm the process or others")
struct HostilePeerTests {
    struct Attack: CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
    }

    private static let method = Wire.pair("REQUEST_METHOD", "GET")
    private static let getValues = Wire.record(
        9,
        id: 0,
        (0..<4).flatMap { _ in Wire.pair("FCGI_MPXS_CONNS", "") }.prefix(64) + []
    )

    static let refused: [Attack] = [
        Attack(
            testDescription: "FC1: both lengths 0x7fffffff",
            bytes: Wire.begin() + Wire.parameters([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
                + Wire.parameters([])
        ),
        Attack(
            testDescription: "FC2: lengths 0x7ffffffe and 1",
            bytes: Wire.begin() + Wire.parameters([0xFF, 0xFF, 0xFF, 0xFE, 1]) + Wire.parameters([]) + Wire.body([])
        ),
        Attack(testDescription: "FC4: a value asked for four times", bytes: getValues + Wire.request()),
        Attack(
            testDescription: "FC4: the same among the parameters",
            bytes: Wire.begin() + getValues + Wire.parameters(method) + Wire.parameters([]) + Wire.body([])
        ),
        Attack(testDescription: "FC4: the same before the body", bytes: Wire.head() + getValues + Wire.body([])),
        Attack(
            testDescription: "FC5: STDIN where parameters are due",
            bytes: Wire.begin() + Wire.body([]) + Wire.body([])
        ),
        Attack(
            testDescription: "FC5: STDIN among the parameters",
            bytes: Wire.begin() + Wire.parameters(method) + Wire.body([]) + Wire.parameters([]) + Wire.body([])
        ),
        Attack(
            testDescription: "FC6: ABORT among the parameters",
            bytes: Wire.begin() + Wire.parameters(method) + Wire.record(2) + Wire.parameters([]) + Wire.body([])
        ),
        Attack(testDescription: "no parameters at all", bytes: Wire.begin() + Wire.parameters([]) + Wire.body([])),
        Attack(testDescription: "FC7: an unknown type", bytes: Wire.record(77, [1, 2, 3]) + Wire.request()),
        Attack(testDescription: "FC7: a foreign id", bytes: Wire.begin() + Wire.parameters(method, id: 2)),
        Attack(
            testDescription: "a second BEGIN",
            bytes: Wire.begin() + Wire.begin() + Wire.parameters(method) + Wire.parameters([]) + Wire.body([])
        ),
        Attack(
            testDescription: "a name that ends in a later pair",
            bytes: Wire.begin() + Wire.parameters([10, 0, 65]) + Wire.parameters([]) + Wire.body([])
        ),
        Attack(
            testDescription: "FC9: a zero byte in a value",
            bytes: Wire.begin() + Wire.parameters(Wire.pair("A", [65, 0, 66])) + Wire.parameters([]) + Wire.body([])
        ),
        Attack(testDescription: "FC13: a role that is unknown", bytes: Wire.request(role: 9)),
        Attack(testDescription: "FC13: the filter's role", bytes: Wire.request(role: 3)),
        Attack(testDescription: "FC13: version 2", bytes: Wire.record(1, [0, 1, 1, 0, 0, 0, 0, 0], version: 2)),
        Attack(testDescription: "request id 0", bytes: Wire.begin(id: 0) + Wire.parameters(method, id: 0)),
        Attack(testDescription: "a begin record that is too short", bytes: Wire.record(1, [0, 1, 1]) + Wire.request()),
        Attack(testDescription: "HTTP", bytes: Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)),
        Attack(
            testDescription: "parameters without end",
            bytes: Wire.begin()
                + (0..<40).flatMap { _ in Wire.parameters(Wire.pair("A", String(repeating: "b", count: 4000))) }
        ),
    ]

    @Test("the connection is closed, and others are answered", arguments: refused)
    func isRefused(_ attack: Attack) throws {
        let server = try RunningServer()
        let other = try server.client()
        #expect(try other.ask(Wire.request()).status == 200)
        let attacker = try server.client(patience: 2)
        attacker.send(attack.bytes)
        #expect(attacker.isClosedWithoutAnswer())
        #expect(try other.ask(Wire.request()).status == 200)
        #expect(try server.client().ask(Wire.request()).status == 200)
    }

    @Test("the same bytes one at a time end the same", arguments: refused)
    func isRefusedByteByByte(_ attack: Attack) throws {
        let server = try RunningServer()
        let attacker = try server.client(patience: 2)
        for byte in attack.bytes.prefix(600) { attacker.send([byte]) }
        attacker.send(Array(attack.bytes.dropFirst(600)))
        #expect(attacker.isClosedWithoutAnswer())
        #expect(try server.client().ask(Wire.request()).status == 200)
    }

    @Test("FC9: doubled names, a name with an equals sign, an empty name and a long value arrive as they are meant")
    func oddParameters() throws {
        let server = try RunningServer()
        let long = String(repeating: "w", count: 60_000)
        let pairs =
            Wire.pair("A", "1") + Wire.pair("A", "2") + Wire.pair("N=M", "3") + Wire.pair("", "4")
            + Wire.pair("L", long)
        let answer = try server.client().ask(
            Wire.begin() + Wire.parameters(pairs) + Wire.parameters([]) + Wire.body([])
        )
        #expect(answer.body == "A=1\nA=2\nN=M=3\nL=\(long)\n")
    }

    static let stalled: [Attack] = [
        Attack(testDescription: "one byte", bytes: [1]),
        Attack(testDescription: "half a header", bytes: [1, 1, 0, 1]),
        Attack(testDescription: "BEGIN, then silence", bytes: Wire.begin()),
        Attack(testDescription: "half the parameters", bytes: Wire.begin() + Wire.parameters(method).dropLast(3)),
        Attack(testDescription: "FC3: a length of 1 GiB", bytes: Wire.begin() + Wire.parameters([1, 0xC0, 0, 0, 0])),
    ]

    @Test("FC7: a hundred that stop half-way hold no worker and are closed in time", arguments: stalled)
    func stalls(_ attack: Attack) throws {
        let server = try RunningServer(.quick(workers: 2, receiveTimeout: .seconds(1)))
        let stalled = try (0..<100).map { _ in try server.client() }
        for client in stalled { client.send(attack.bytes) }
        let other = try server.client()
        for _ in 0..<50 { #expect(try other.ask(Wire.request()).status == 200) }
        for client in stalled { #expect(client.isClosedWithoutAnswer()) }
        #expect(try other.ask(Wire.request()).status == 200)
    }

    @Test("a peer that goes away half-way harms nobody", arguments: [1, 8, 20, 40, 60, 80])
    func goesAway(after count: Int) throws {
        let server = try RunningServer(.quick(workers: 2))
        let whole = Wire.post(Array("0123456789".utf8))
        for _ in 0..<50 { try server.client().send(Array(whole.prefix(count))) }
        #expect(try server.client().ask(Wire.request()).status == 200)
    }

    @Test("a peer that does not wait for the answer harms nobody")
    func doesNotWait() throws {
        let server = try RunningServer(.quick(workers: 2)) { _ in
            usleep(1000)
            return Response(status: 200, fields: [], body: [UInt8](repeating: 65, count: 100_000))
        }
        for _ in 0..<50 { try server.client().send(Wire.request()) }
        #expect(try server.client().ask(Wire.request()).status == 200)
    }

    @Test("a peer that has shut its side gets its answer and is then closed", arguments: [true, false])
    func halfClosed(keep: Bool) throws {
        let server = try RunningServer()
        for _ in 0..<20 {
            let client = try server.client(patience: 3)
            client.send(Wire.request(keep: keep))
            client.shutWriting()
            #expect(try client.answer().status == 200)
            #expect(client.isClosedWithoutAnswer())
        }
    }

    @Test("a peer that has sent a body and another request, and shut its side, gets both answers")
    func halfClosedBehindBody() throws {
        let server = try RunningServer()
        for second in [Wire.request([("N", "2")]), Wire.post([2], more: [("N", "2")])] {
            let client = try server.client(patience: 3)
            client.send(Wire.post([1, 2, 3], more: [("N", "1")]) + second)
            client.shutWriting()
            #expect(try client.answer().body.contains("N=1"))
            #expect(try client.answer().body.contains("N=2"))
            #expect(client.isClosedWithoutAnswer())
        }
    }
}
