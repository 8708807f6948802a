import CLinux
import Glibc

/// A web server's end of a connection, byte by byte.
final class Client {
    struct Closed: Error {}

    struct Answer: Equatable {
        let id: UInt16
        let output: String
        /// The status line's code.
        var status: Int? { Int(output.dropFirst("Status: ".count).prefix(3)) }
        /// What stands behind the first empty line.
        var body: String {
            let bytes = Array(output.utf8)
            let end = bytes.indices.first { bytes[$0...].starts(with: [13, 10, 13, 10]) }
            return end.map { String(decoding: bytes[($0 + 4)...], as: UTF8.self) } ?? ""
        }
    }

    let descriptor: Int32

    /// Every receive and send fails after `patience` seconds, so that no test waits for ever.
    init(_ path: String, patience: Int = 20) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Closed() }
    }

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Closed() }
    }

    deinit { close(descriptor) }

    /// false: the other end takes nothing more.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    func shutWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next answer, up to its END_REQUEST record.
    func answer() throws -> Answer {
        var output: [UInt8] = []
        while true {
            let header = try receive(8)
            let content = try receive(Int(header[4]) << 8 | Int(header[5]))
            _ = try receive(Int(header[6]))
            if header[1] == 6 { output += content }
            if header[1] == 3 {
                return Answer(
                    id: UInt16(header[2]) << 8 | UInt16(header[3]),
                    output: String(decoding: output, as: UTF8.self)
                )
            }
        }
    }

    /// Whether something has come.
    var hasAnswer: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    func ask(_ request: [UInt8]) throws -> Answer {
        guard send(request) else { throw Closed() }
        return try answer()
    }

    /// Whether the other end closes before it says anything, within the patience.
    func isClosedWithoutAnswer() -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, 0)
        return count == 0 || (count < 0 && errno == ECONNRESET)
    }

    private func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var received = 0
        while received < count {
            let result = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress.map { $0 + received }, count - received, 0)
            }
            guard result > 0 else { throw Closed() }
            received += result
        }
        return bytes
    }
}
