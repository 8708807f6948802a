import Foundation

/// An answer as it came.
struct HTTPAnswer {
    let status: Int
    /// In order, names as they were sent.
    let fields: [(name: String, value: String)]
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func field(_ name: String) -> String? { values(name).first }

    func values(_ name: String) -> [String] { fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value) }
}

/// HTTP/1.1 by hand, so that any bytes can be sent.
enum HTTP {
    static func request(
        _ method: String,
        _ path: String,
        _ fields: [(String, String)] = [],
        body: [UInt8] = []
    ) -> [UInt8] {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += fields.map { "\($0): \($1)" }
        // lighttpd insists on a length where a body would make sense.
        if !body.isEmpty || ["POST", "PUT", "PATCH"].contains(method) { lines.append("Content-Length: \(body.count)") }
        return latin1(lines.joined(separator: "\r\n") + "\r\n\r\n") + body
    }

    /// Sends bytes on a new connection and reads until the server closes it.
    /// - Parameter host: The last byte of the client's address, 127.0.0.x.
    static func exchange(_ port: UInt16, _ request: [UInt8], fromHost host: UInt8 = 1) throws -> HTTPAnswer {
        let connection = try Connection(port: port, fromHost: host)
        try connection.send(request)
        return try parse(connection.receiveAll())
    }

    static func parse(_ bytes: [UInt8]) throws -> HTTPAnswer {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw HarnessError("no answer: \(String(decoding: bytes.prefix(200), as: UTF8.self))")
        }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = head.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw HarnessError("no status line: \(head.first ?? "")")
        }
        let fields = head.dropFirst().map { line -> (name: String, value: String) in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (
                String(parts.first ?? ""),
                (parts.count > 1 ? String(parts[1]) : "").trimmingCharacters(in: .whitespaces)
            )
        }
        return HTTPAnswer(status: status, fields: Array(fields), body: Array(bytes[end.upperBound...]))
    }

    static func latin1(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// A connection on which half a request can be sent.
    final class Connection {
        private let descriptor: Int32

        init(port: UInt16, fromHost host: UInt8 = 1) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            if host != 1 {
                var own = HTTP.loopback(port: 0)
                own.sin_addr.s_addr = (0x7F00_0000 | UInt32(host)).bigEndian
                let length = socklen_t(MemoryLayout<sockaddr_in>.size)
                let isBound = withUnsafePointer(to: &own) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) == 0 }
                }
                guard isBound else { throw HarnessError("bind: \(errno)") }
            }
            var address = HTTP.loopback(port: port)
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result == 0 else { throw HarnessError("connect: \(errno)") }
            var timeout = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }

        deinit { close(descriptor) }

        func send(_ bytes: [UInt8]) throws {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                // A server may have answered and closed before it read everything.
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }

        /// How long to wait for more of an answer that nobody has to close the connection after.
        func setPatience(milliseconds: Int) {
            var timeout = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }

        /// What comes up to and with a text, or up to the end.
        func receive(until text: String) -> String {
            var bytes: [UInt8] = []
            var byte: UInt8 = 0
            while !bytes.ends(with: Array(text.utf8)), recv(descriptor, &byte, 1, 0) == 1 { bytes.append(byte) }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// One answer of a connection that stays open, whose body has a length or comes in chunks.
        func receiveAnswer() throws -> HTTPAnswer {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { throw HarnessError("half an answer") }
                bytes += buffer[..<count]
                guard let answer = try? HTTP.parse(bytes) else { continue }
                if let length = answer.field("Content-Length").flatMap({ Int($0) }) {
                    if answer.body.count >= length { return answer }
                } else if answer.body.ends(with: Array("0\r\n\r\n".utf8)) {
                    return answer
                }
            }
        }

        /// Lets the peer send no more than this without being read.
        func setReceiveBuffer(bytes: Int32) {
            var size = bytes
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }

        func receiveAll() -> [UInt8] {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { return bytes }
                bytes += buffer[..<count]
            }
        }
    }
}

extension [UInt8] {
    fileprivate func ends(with other: [UInt8]) -> Bool { suffix(other.count) == other[...] }
}
