import FastCGI
import Glibc
import Synchronization

/// A server on a Unix socket in a folder of its own, stopped when the test lets go of it.
final class RunningServer {
    let path: String
    let server: Server
    private let folder: String
    private let hasEnded: Ended

    private final class Ended: Sendable {
        let flag = Atomic<Bool>(false)
    }

    init(_ options: ServerOptions = .quick(), handler: @escaping Handler = RunningServer.echo) throws {
        folder = try TemporaryFolder.make()
        path = folder + "/socket"
        server = try Server(
            listeners: [try Listener.bind(to: .unix(path: path))],
            options: options,
            handler: handler
        )
        hasEnded = Ended()
        Background.start { [server, hasEnded] in
            server.run()
            hasEnded.flag.store(true, ordering: .releasing)
        }
    }

    deinit {
        server.stop()
        wait(10) { hasEnded.flag.load(ordering: .acquiring) }
        TemporaryFolder.remove(folder)
    }

    /// How many descriptors of this process are connections that the server has accepted on its socket.
    var acceptedConnections: Int {
        (3..<4096).count { (descriptor: Int32) in
            var address = sockaddr_un()
            var length = socklen_t(MemoryLayout<sockaddr_un>.size)
            let isSocket = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            }
            var isListening: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size)
            guard isSocket == 0, isListening == 0, Int32(address.sun_family) == AF_UNIX else { return false }
            return withUnsafeBytes(of: &address.sun_path) { $0.starts(with: path.utf8) }
        }
    }

    var isRunning: Bool { !hasEnded.flag.load(ordering: .acquiring) }

    func client(patience: Int = 20) throws -> Client { try Client(path, patience: patience) }

    /// Answers with the parameters, a line each.
    static let echo: Handler = { request in
        var lines = ""
        for position in 0..<request.parameters.count {
            let (name, value) = request.parameters[position]
            lines += "\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))\n"
        }
        return Response(status: 200, fields: [("Content-Type", "text/plain")], body: Array(lines.utf8))
    }
}

extension ServerOptions {
    static func quick(
        workers: Int = 8,
        pollers: Int = 2,
        receiveTimeout: Duration = .seconds(5),
        gracePeriod: Duration = .seconds(5)
    ) -> ServerOptions {
        var options = ServerOptions()
        options.workers = workers
        options.pollers = pollers
        options.receiveTimeout = receiveTimeout
        options.bodyTimeout = receiveTimeout
        options.gracePeriod = gracePeriod
        return options
    }
}

/// Threads for tests: blocking ones, which have no place in Swift's own pool.
enum Background {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    static func start(_ run: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            },
            Unmanaged.passRetained(Body(run)).toOpaque()
        )
        pthread_detach(thread)
    }
}

enum TemporaryFolder {
    struct Failed: Error {}

    static func make() throws -> String {
        var template = Array("/tmp/fastcgi-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failed() }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func remove(_ folder: String) {
        for name in ["socket", "file", "link", "target"] { unlink(folder + "/" + name) }
        rmdir(folder)
    }
}

/// Waits until the condition holds, for `seconds` at most.
@discardableResult
func wait(_ seconds: Int = 10, until condition: () -> Bool) -> Bool {
    for _ in 0..<seconds * 200 {
        if condition() { return true }
        usleep(5000)
    }
    return condition()
}
