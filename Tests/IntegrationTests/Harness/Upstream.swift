import Foundation
import Synchronization

/// An application behind the gate: takes HTTP/1.1 by hand, so that nothing is made tidy, and remembers what reached it.
///
/// `/…/stream` answers in chunks, `/…/large` with a megabyte; a WebSocket is opened, and what comes over it goes back.
final class Upstream: Sendable {
    let port: UInt16
    private let listener: Int32
    private let seen = Mutex<[Request]>([])

    struct Request {
        let method: String
        let target: String
        let fields: [(name: String, value: String)]
        let bodyLength: Int

        func values(_ name: String) -> [String] {
            fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        }
    }

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = HTTP.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && getsockname(listener, address, &length) == 0
            }
        }
        guard isBound, listen(listener, 128) == 0 else { throw HarnessError("the upstream cannot listen") }
        port = UInt16(bigEndian: address.sin_port)
        self.listener = listener
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                guard let self else {
                    close(connection)
                    return
                }
                Thread.detachNewThread { self.serve(connection) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// All requests that have reached it until now.
    var requests: [Request] { seen.withLock { $0 } }

    /// Those whose target holds a text.
    func requests(with marker: String) -> [Request] { requests.filter { $0.target.contains(marker) } }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var bytes: [UInt8] = []
        while let end = read(connection, &bytes) {
            let head = String(decoding: bytes[..<end], as: UTF8.self).components(separatedBy: "\r\n")
            bytes.removeFirst(end + 4)
            let words = head[0].components(separatedBy: " ")
            let fields = head.dropFirst().map { line -> (name: String, value: String) in
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                return (String(parts[0]), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
            }
            func value(_ name: String) -> String? { fields.first { $0.name.lowercased() == name }?.value }
            let length = value("content-length").flatMap { Int($0) } ?? 0
            while bytes.count < length {
                guard receive(connection, &bytes) else { return }
            }
            bytes.removeFirst(length)
            let target = words.count > 1 ? words[1] : ""
            let request = Request(method: words[0], target: target, fields: Array(fields), bodyLength: length)
            seen.withLock { $0.append(request) }
            if value("upgrade")?.lowercased() == "websocket" { return echo(connection, bytes) }
            send(connection, answer(request))
            if value("connection")?.lowercased() == "close" { return }
        }
    }

    private func answer(_ request: Request) -> String {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        if request.target.hasSuffix("/stream") {
            return head + "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
        }
        let body = request.target.hasSuffix("/large") ? String(repeating: "x", count: 1 << 20) : "reached"
        return head + "Content-Length: \(body.utf8.count)\r\n\r\n" + (request.method == "HEAD" ? "" : body)
    }

    private func echo(_ connection: Int32, _ first: [UInt8]) {
        send(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        var bytes = first
        repeat {
            send(connection, String(decoding: bytes, as: UTF8.self))
            bytes = []
        } while receive(connection, &bytes)
    }

    /// Reads until a header is whole, and says where it ends.
    private func read(_ connection: Int32, _ bytes: inout [UInt8]) -> Int? {
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) { return end.lowerBound }
            guard receive(connection, &bytes) else { return nil }
        }
    }

    private func receive(_ connection: Int32, _ bytes: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(connection, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        bytes += buffer[..<count]
        return true
    }

    private func send(_ connection: Int32, _ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
