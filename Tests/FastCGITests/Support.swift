import FastCGI
import Glibc
import Synchronization
import Testing

/// A server on a Unix socket in a folder of its own, that ends with the test.
final class TestServer {
    let path: String
    let server: Server
    private let folder: String
    private let ended = Mutex(false)

    init(_ change: (inout ServerOptions) -> Void = { _ in }, handler: @escaping Handler) throws {
        folder = try temporaryFolder()
        path = folder + "/socket"
        var options = ServerOptions()
        options.workers = 8
        change(&options)
        server = try Server(listeners: [try Listener.bind(to: .unix(path: path))], options: options, handler: handler)
        start { [server] in server.run() }
    }

    deinit {
        server.stop()
        unlink(path)
        rmdir(folder)
    }
}

func temporaryFolder() throws -> String {
    var template = Array("/tmp/fastcgi-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    return String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Runs a body on a thread of its own, since it blocks.
func start(_ body: @escaping @Sendable () -> Void) {
    final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    var thread = pthread_t()
    pthread_create(
        &thread,
        nil,
        { context in
            guard let context else { return nil }
            Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            return nil
        },
        Unmanaged.passRetained(Body(body)).toOpaque()
    )
    pthread_detach(thread)
}

/// Looks again and again until the condition holds; false when it does not within 20 seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock().now + .seconds(20)
    while !condition() {
        guard ContinuousClock().now < deadline else { return false }
        usleep(2000)
    }
    return true
}

struct ConnectError: Error {}

/// A web server's end of a connection.
final class Client {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw ConnectError() }
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The body of the next answer; nil when the peer closes before its end.
    func receive() -> String? {
        var output: [UInt8] = []
        while let header = read(8) {
            let length = Int(header[4]) << 8 | Int(header[5])
            guard let content = read(length + Int(header[6])) else { return nil }
            if header[1] == 6 { output += content.prefix(length) }
            if header[1] == 3 {
                let text = String(decoding: output, as: UTF8.self)
                guard let end = text.utf8.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
                return String(text.utf8[end.upperBound...]) ?? ""
            }
        }
        return nil
    }

    /// Whether the peer closes; waits for it for as long as for an answer.
    func isClosed() -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, 0)
        return count == 0 || count < 0 && errno == ECONNRESET
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let result = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress.map { $0 + filled }, count - filled, 0)
            }
            guard result > 0 else { return nil }
            filled += result
        }
        return bytes
    }
}

/// Records, as a web server writes them.
enum Records {
    static func record(_ type: UInt8, _ content: [UInt8] = [], id: UInt16 = 1, padding: Int = 0) -> [UInt8] {
        [
            1, type, UInt8(id >> 8), UInt8(id & 0xFF), UInt8(content.count >> 8), UInt8(content.count & 0xFF),
            UInt8(padding), 0,
        ]
            + content + [UInt8](repeating: 0, count: padding)
    }

    static func begin(role: UInt8 = 1, keep: Bool = true) -> [UInt8] {
        record(1, [0, role, keep ? 1 : 0, 0, 0, 0, 0, 0])
    }

    static func pairs(_ parameters: [(String, String)]) -> [UInt8] {
        parameters.flatMap { length($0.utf8.count) + length($1.utf8.count) + Array($0.utf8) + Array($1.utf8) }
    }

    /// A request up to its body.
    static func head(_ parameters: [(String, String)], role: UInt8 = 1, keep: Bool = true) -> [UInt8] {
        begin(role: role, keep: keep) + record(4, pairs(parameters)) + record(4)
    }

    static func request(_ parameters: [(String, String)], body: [UInt8] = [], keep: Bool = true) -> [UInt8] {
        var bytes = head(parameters, keep: keep)
        var rest = body[...]
        while !rest.isEmpty {
            bytes += record(5, Array(rest.prefix(60_000)))
            rest = rest.dropFirst(60_000)
        }
        return bytes + record(5)
    }

    private static func length(_ count: Int) -> [UInt8] {
        count < 128
            ? [UInt8(count)]
            : [0x80 | UInt8(count >> 24), UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
    }
}

/// Answers with the value of `SAY`.
func echo(_ request: Request) -> Response {
    answer(String(decoding: request.parameters.value(of: "SAY") ?? [], as: UTF8.self))
}

func answer(_ text: String, status: Int = 200) -> Response {
    Response(status: status, fields: [("Content-Type", "text/plain")], body: Array(text.utf8))
}
