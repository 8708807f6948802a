import Glibc
import Synchronization
import Testing

@testable import FastCGI

@Suite("Handlers that wait, and the end of a server")
struct WaitingAndStoppingTests {
    /// A handler that waits for a sign when asked to.
    private final class Gate: Sendable {
        let isOpen = Atomic<Bool>(false)
        let waiting = Atomic<Int>(0)

        func handler(saysSo: Bool = true) -> Handler {
            { request in
                if request.parameters.value(of: "WAIT") != nil {
                    if saysSo, !request.mayWait(), request.postpone(Turn()) { return .postponed }
                    self.waiting.add(1, ordering: .releasing)
                    wait(20) { self.isOpen.load(ordering: .acquiring) }
                }
                return Response(status: 200, fields: [], body: [])
            }
        }

        func open() { isOpen.store(true, ordering: .releasing) }
        func waitFor(_ count: Int) -> Bool { wait(20) { waiting.load(ordering: .acquiring) == count } }
    }

    @Test("more waiting handlers than pollers hold up nobody")
    func waiting() throws {
        let gate = Gate()
        let server = try RunningServer(.quick(workers: 8, pollers: 2), handler: gate.handler())
        let waiting = try (0..<7).map { _ in try server.client() }
        for client in waiting { client.send(Wire.request([("WAIT", "")])) }
        #expect(gate.waitFor(7))
        let other = try server.client()
        for _ in 0..<200 { #expect(try other.ask(Wire.request()).status == 200) }
        gate.open()
        for client in waiting { #expect(try client.answer().status == 200) }
        for client in waiting { #expect(try client.ask(Wire.request()).status == 200) }
    }

    @Test("a body that is waited for holds up nobody")
    func waitingForBody() throws {
        let server = try RunningServer(.quick(workers: 8, pollers: 2)) { request in
            Response(status: (try? request.body(limit: 100)) == nil ? 400 : 200, fields: [], body: [])
        }
        let slow = try (0..<7).map { _ in try server.client() }
        for client in slow { client.send(Wire.head([("CONTENT_LENGTH", "2")]) + Wire.body([1])) }
        let other = try server.client()
        for _ in 0..<200 { #expect(try other.ask(Wire.request()).status == 200) }
        for client in slow { client.send(Wire.body([1]) + Wire.body([])) }
        for client in slow { #expect(try client.answer().status == 200) }
    }

    @Test("a handler that waits without a word holds up the connections of its loop, and no others")
    func waitingWithoutAWord() throws {
        let gate = Gate()
        let server = try RunningServer(.quick(workers: 8, pollers: 2), handler: gate.handler(saysSo: false))
        let waiting = try server.client()
        waiting.send(Wire.request([("WAIT", "")]))
        #expect(gate.waitFor(1))
        let others = try (0..<9).map { _ in try server.client() }
        for client in others { client.send(Wire.request()) }
        // Each loop has as many connections as the other.
        #expect(wait { others.count { $0.hasAnswer } == 5 })
        gate.open()
        for client in [waiting] + others { #expect(try client.answer().status == 200) }
    }

    @Test("what comes behind a request that waits is answered after it, and half of one is waited for in time")
    func behindAWaitingRequest() throws {
        let gate = Gate()
        let server = try RunningServer(.quick(receiveTimeout: .seconds(1)), handler: gate.handler())
        let (whole, half) = (try server.client(), try server.client())
        for client in [whole, half] { client.send(Wire.request([("WAIT", "")])) }
        #expect(gate.waitFor(2))
        whole.send(Wire.request(id: 2) + Wire.request(id: 3))
        half.send(Array(Wire.request().dropLast(10)))
        gate.open()
        #expect(try (0..<3).map { _ in try whole.answer().id } == [1, 2, 3])
        #expect(try half.answer().status == 200)
        #expect(half.isClosedWithoutAnswer())
        #expect(try whole.ask(Wire.request()).status == 200)
    }

    @Test("a request that a handler keeps does not become another")
    func keptRequest() throws {
        final class Kept: @unchecked Sendable { var requests: [Request] = [] }
        let kept = Kept()
        let server = try RunningServer(.quick(workers: 1, pollers: 1)) { request in
            kept.requests.append(request)
            return Response(status: 200, fields: [], body: [])
        }
        let client = try server.client()
        for _ in 0..<3 { #expect(try client.ask(Wire.request()).status == 200) }
        #expect(Set(kept.requests.map { ObjectIdentifier($0) }).count == 3)
    }

    @Test("stopping answers what runs and what has arrived, closes the rest, and refuses whoever comes")
    func stop() throws {
        let gate = Gate()
        let server = try RunningServer(.quick(workers: 4), handler: gate.handler())
        let idle = try server.client()
        #expect(try idle.ask(Wire.request()).status == 200)
        let running = try server.client()
        running.send(Wire.request([("WAIT", "")]))
        #expect(gate.waitFor(1))
        let begun = try server.client()
        begun.send(Array(Wire.request().dropLast(20)))

        server.server.stop()
        #expect(idle.isClosedWithoutAnswer())
        #expect(wait { (try? server.client()) == nil })
        #expect(access(server.path, F_OK) != 0)
        #expect(server.isRunning)
        begun.send(Array(Wire.request().suffix(20)))
        #expect(try begun.answer().status == 200)
        gate.open()
        #expect(try running.answer().status == 200)
        #expect(running.isClosedWithoutAnswer())
        #expect(wait { !server.isRunning })
    }

    @Test("what came behind a request that waits is answered, too, when the server stops meanwhile")
    func stopBehindAWaitingRequest() throws {
        let gate = Gate()
        let server = try RunningServer(
            .quick(workers: 8, pollers: 2, gracePeriod: .seconds(20)),
            handler: gate.handler()
        )
        let idle = try server.client()
        #expect(try idle.ask(Wire.request()).status == 200)
        let clients = try (0..<100).map { _ in try server.client() }
        for client in clients {
            client.send(Wire.request([("WAIT", "")]) + Wire.request(id: 2) + Wire.request(id: 3))
        }
        #expect(wait { gate.waiting.load(ordering: .acquiring) == 8 && server.server.waitingCount == 92 })
        server.server.stop()
        #expect(idle.isClosedWithoutAnswer())
        gate.open()
        for client in clients { #expect(try (0..<3).map { _ in try client.answer().id } == [1, 2, 3]) }
        #expect(wait { !server.isRunning })
    }

    @Test("a stopped server hands over the connections that stay, and another answers what comes on them")
    func handingOver() throws {
        let kept = Mutex<[Int32]>([])
        var options = ServerOptions.quick()
        options.handOver = { connection in kept.withLock { $0.append(dup(connection)) } }
        let gate = Gate()
        let server = try RunningServer(options, handler: gate.handler())
        let (idle, fresh, running, begun) =
            (try server.client(), try server.client(), try server.client(), try server.client())
        #expect(try idle.ask(Wire.request()).status == 200)
        running.send(Wire.request([("WAIT", "")]))
        #expect(gate.waitFor(1))
        begun.send(Array(Wire.request().dropLast(20)))
        var gone: Client? = try server.client()
        #expect(try gone?.ask(Wire.request()).status == 200)
        gone = nil
        #expect(wait { server.acceptedConnections == 4 })

        server.server.stop()
        #expect(wait { kept.withLock { $0.count == 2 } })
        fresh.send(Wire.request())
        begun.send(Array(Wire.request().suffix(20)))
        gate.open()
        #expect(try begun.answer().status == 200)
        #expect(try running.answer().status == 200)
        #expect(wait { !server.isRunning })

        let next = try RunningServer { _ in Response(status: 204, fields: [], body: []) }
        for connection in kept.withLock({ $0 }) { next.server.adopt(connection) }
        #expect(try fresh.answer().status == 204)
        for client in [idle, fresh, running, begun] { #expect(try client.ask(Wire.request()).status == 204) }
    }

    @Test("who has connected but was not accepted yet is answered")
    func backlog() throws {
        let gate = Gate()
        let server = try RunningServer(.quick(workers: 1, pollers: 1), handler: gate.handler(saysSo: false))
        let running = try server.client()
        running.send(Wire.request([("WAIT", "")]))
        #expect(gate.waitFor(1))
        let waiting = try (0..<20).map { _ in try server.client() }
        for client in waiting { client.send(Wire.request()) }
        server.server.stop()
        gate.open()
        for client in [running] + waiting { #expect(try client.answer().status == 200) }
        #expect(wait { !server.isRunning })
    }

    @Test("who was accepted just before a stop and has not sent a request yet is waited for, a second at most")
    func firstRequest() throws {
        let server = try RunningServer(.quick()) { _ in Response(status: 200, fields: [], body: []) }
        let (sends, looks) = (try server.client(), try server.client())
        #expect(wait { server.acceptedConnections == 2 })
        server.server.stop()
        #expect(wait { (try? server.client()) == nil })
        #expect(try sends.ask(Wire.request()).status == 200)
        #expect(sends.isClosedWithoutAnswer())
        #expect(looks.isClosedWithoutAnswer())
        #expect(wait { !server.isRunning })
    }

    @Test("servers that share a socket stop one after the other, and nobody who connects meanwhile is lost")
    func stoppingUnderLoad() throws {
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        let own = try Listener.bind(to: .unix(path: folder + "/socket"))
        let shared = Listener(dup(own.descriptor))
        func start() throws -> Server {
            let server = try Server(listeners: [shared], options: .quick()) { _ in
                Response(status: 200, fields: [], body: [])
            }
            Background.start { server.run() }
            return server
        }
        let tally = Mutex((answered: 0, lost: 0, clients: 4, isOver: false))
        try withExtendedLifetime(tally) {
            var server = try start()
            for _ in 0..<4 {
                Background.start {
                    while !tally.withLock({ $0.isOver }) {
                        let status = try? Client(folder + "/socket").ask(Wire.request()).status
                        tally.withLock { if status == 200 { $0.answered += 1 } else { $0.lost += 1 } }
                    }
                    tally.withLock { $0.clients -= 1 }
                }
            }
            for _ in 0..<50 {
                let next = try start()
                let before = tally.withLock { $0.answered }
                #expect(wait { tally.withLock { $0.answered > before + 20 } })
                server.stop()
                server = next
            }
            tally.withLock { $0.isOver = true }
            #expect(wait { tally.withLock { $0.clients == 0 } })
            server.stop()
            #expect(tally.withLock { $0.lost } == 0)
        }
    }

    @Test("a handler that does not end is not waited for longer than the grace period")
    func grace() throws {
        let gate = Gate()
        let server = try RunningServer(.quick(gracePeriod: .milliseconds(200)), handler: gate.handler())
        let running = try server.client()
        running.send(Wire.request([("WAIT", "")]))
        #expect(gate.waitFor(1))
        server.server.stop()
        #expect(wait { !server.isRunning })
        gate.open()
    }

    @Test("a server that was stopped before it ran returns at once")
    func stoppedBefore() throws {
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        let server = try Server(listeners: [Listener.bind(to: .unix(path: folder + "/socket"))]) { _ in
            Response(status: 200, fields: [], body: [])
        }
        server.stop()
        server.stop()
        server.run()
        #expect(access(folder + "/socket", F_OK) != 0)
    }
}
