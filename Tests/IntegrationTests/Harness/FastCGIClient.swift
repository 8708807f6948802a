import Foundation

/// A web server's side of FastCGI, by hand, so that any bytes can be sent to the socket.
final class FastCGIClient {
    private let descriptor: Int32

    init(_ path: String) throws {
        guard let descriptor = Self.connect(path) else { throw HarnessError("cannot connect to \(path)") }
        self.descriptor = descriptor
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    static func canConnect(_ path: String) -> Bool {
        guard let descriptor = connect(path) else { return false }
        close(descriptor)
        return true
    }

    func send(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Memory that is taken by what we sent and the peer has not read (unix(7), SIOCOUTQ).
    var unreadByPeer: Int32 {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 ? count : -1
    }

    /// Everything until the peer closes.
    func receiveAll() -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// The contents of the STDOUT records of an answer.
    func receiveAnswer() -> String {
        let bytes = receiveAll()
        var (output, position) = ([UInt8](), 0)
        while position + 8 <= bytes.count {
            let length = Int(bytes[position + 4]) << 8 | Int(bytes[position + 5])
            let end = min(position + 8 + length, bytes.count)
            if bytes[position + 1] == 6 { output += bytes[position + 8..<end] }
            position = end + Int(bytes[position + 6])
        }
        return String(decoding: output, as: UTF8.self)
    }

    static func record(_ type: UInt8, _ content: [UInt8], id: UInt16 = 1) -> [UInt8] {
        [1, type, UInt8(id >> 8), UInt8(id & 0xFF), UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0]
            + content
    }

    /// - Parameter role: 1 responder, 2 authorizer.
    static func begin(role: UInt8 = 1, keep: Bool = false) -> [UInt8] {
        record(1, [0, role, keep ? 1 : 0, 0, 0, 0, 0, 0])
    }

    static func request(_ parameters: [(String, String)], role: UInt8 = 1, keep: Bool = false) -> [UInt8] {
        let pairs = parameters.flatMap { name, value -> [UInt8] in
            [UInt8(name.utf8.count)] + length(value.utf8.count) + Array(name.utf8) + Array(value.utf8)
        }
        return begin(role: role, keep: keep) + record(4, pairs) + record(4, []) + record(5, [])
    }

    private static func length(_ count: Int) -> [UInt8] {
        count < 128
            ? [UInt8(count)]
            : [0x80 | UInt8(count >> 24), UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
    }

    static func connect(_ path: String) -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}
