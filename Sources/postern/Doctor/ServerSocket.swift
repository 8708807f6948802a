import CLinux
import FastCGI
import Glibc

/// A connection to a running server, from the web server's side (FastCGI 1.0).
struct ServerSocket: ~Copyable {
    private let descriptor: Int32

    /// Seconds, for an answer.
    private static let patience = 5

    /// - Returns: nil when nobody can be reached there, with the reason in errno.
    init?(_ address: ListenAddress) {
        let connected: Int32? =
            switch address {
            case .unix(let path): Self.connect(path)
            case .tcp(let host, let port): Self.connect(host, port)
            }
        guard let connected else { return nil }
        descriptor = connected
        var timeout = timeval(tv_sec: Self.patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    deinit { close(descriptor) }

    /// The process that began to listen; with systemd's sockets that is systemd.
    var listeningProcess: pid_t? {
        var (pid, user, group) = (pid_t(0), uid_t(0), gid_t(0))
        return linux_peer_credentials(descriptor, &pid, &user, &group) == 0 && pid > 0 ? pid : nil
    }

    /// Asks the view `health`, as from this machine.
    /// - Parameter live: Whether to ask only that the process answers.
    /// - Returns: The answer with its header fields; nil when none comes in time.
    func health(live: Bool = false) -> String? {
        let parameters = [
            ("POSTERN_VIEW", "health"), ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/health/"),
            ("DOCUMENT_URI", "/health/"), ("QUERY_STRING", live ? "live" : ""), ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("REMOTE_ADDR", "127.0.0.1"), ("HTTP_HOST", "localhost"),
        ]
        let pairs = parameters.flatMap { name, value in
            [UInt8(name.utf8.count), UInt8(value.utf8.count)] + Array(name.utf8) + Array(value.utf8)
        }
        // FCGI_BEGIN_REQUEST for a responder, FCGI_PARAMS and their end, FCGI_STDIN's end.
        let bytes = record(1, [0, 1, 0, 0, 0, 0, 0, 0]) + record(4, pairs) + record(4, []) + record(5, [])
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return nil }
        let answer = output(in: receive())
        return answer.isEmpty ? nil : String(decoding: answer, as: UTF8.self)
    }

    private func record(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
        [1, type, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0] + content
    }

    /// Until the peer closes, which it does after one answer.
    private func receive() -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 65536 {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// What the records of FCGI_STDOUT hold.
    private func output(in bytes: [UInt8]) -> [UInt8] {
        var (output, position) = ([UInt8](), 0)
        while position + 8 <= bytes.count {
            let end = position + 8 + Int(bytes[position + 4]) << 8 + Int(bytes[position + 5])
            guard end <= bytes.count else { break }
            if bytes[position + 1] == 6 { output += bytes[position + 8..<end] }
            position = end + Int(bytes[position + 6])
        }
        return output
    }

    private static func connect(_ path: String) -> Int32? {
        guard let address = UnixAddress(path) else {
            errno = ENAMETOOLONG
            return nil
        }
        return address.withSocketAddress { connect(AF_UNIX, $0, $1) }
    }

    private static func connect(_ host: String, _ port: UInt16) -> Int32? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let found else {
            errno = EINVAL
            return nil
        }
        defer { freeaddrinfo(found) }
        return connect(found.pointee.ai_family, found.pointee.ai_addr, found.pointee.ai_addrlen)
    }

    private static func connect(_ family: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32? {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard Glibc.connect(descriptor, address, length) == 0 else {
            let number = errno
            close(descriptor)
            errno = number
            return nil
        }
        return descriptor
    }
}
