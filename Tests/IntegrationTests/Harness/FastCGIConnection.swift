import Foundation

/// A connection that a web server keeps, for one request after the other.
final class FastCGIConnection {
    private let descriptor: Int32
    private var unread: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    init(_ path: String) throws {
        guard let descriptor = FastCGIClient.connect(path) else { throw HarnessError("cannot connect to \(path)") }
        self.descriptor = descriptor
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    struct Answer {
        let status: Int
        let head: Substring
        let body: Substring

        /// A member of an object, if it is a text or a number.
        func member(_ name: String) -> String? {
            let object = (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any]
            return object?[name].map { "\($0)" }
        }

        /// What a browser sends back.
        var cookies: [(name: String, value: String)] {
            head.matches(of: #/Set-Cookie: ([^=;]+)=([^;\r]*)/#).map { (String($0.1), String($0.2)) }
        }
    }

    /// - Parameters:
    ///   - more: Parameters beside those that every request has.
    ///   - json: The body.
    func ask(
        _ view: String,
        _ method: String = "GET",
        _ path: String = "/x/",
        json: String? = nil,
        _ more: [(String, String)] = []
    ) throws -> Answer {
        var parameters = [
            ("REQUEST_METHOD", method), ("REQUEST_URI", path), ("DOCUMENT_URI", path), ("QUERY_STRING", ""),
            ("SERVER_PROTOCOL", "HTTP/1.1"), ("REMOTE_ADDR", "127.0.0.1"), ("HTTP_HOST", "localhost"),
            ("POSTERN_VIEW", view),
        ]
        if let json { parameters += [("CONTENT_TYPE", "application/json"), ("CONTENT_LENGTH", "\(json.utf8.count)")] }
        var bytes = FastCGIClient.request(parameters + more, keep: true)
        if let json {
            // Before the record that ends the body.
            bytes.insert(contentsOf: FastCGIClient.record(5, Array(json.utf8)), at: bytes.count - 8)
        }
        try send(bytes)
        return try Self.answer(try receive())
    }

    /// A GET with parameters beside those that every request has.
    func ask(_ view: String, _ more: [(String, String)]) throws -> Answer {
        try ask(view, "GET", "/x/", json: nil, more)
    }

    private static func answer(_ output: [UInt8]) throws -> Answer {
        let text = String(decoding: output, as: UTF8.self)
        // CR LF is one character.
        guard let end = text.firstRange(of: "\r\n\r\n") else { throw HarnessError("no answer: \(text)") }
        let head = text[..<end.lowerBound]
        let status = head.firstMatch(of: #/Status: (\d+)/#).flatMap { Int($0.1) }
        return Answer(status: status ?? 200, head: head, body: text[end.upperBound...])
    }

    private func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw HarnessError("send: \(errno)") }
            sent += count
        }
    }

    /// What the responder prints, until its request ends.
    private func receive() throws -> [UInt8] {
        var output: [UInt8] = []
        while true {
            let head = try take(8)
            let content = try take(Int(head[4]) << 8 | Int(head[5]))
            _ = try take(Int(head[6]))
            if head[1] == 6 { output += content }
            if head[1] == 3 { return output }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while unread.count < count {
            let received = recv(descriptor, &buffer, buffer.count, 0)
            guard received > 0 else { throw HarnessError("the server has closed the connection: \(errno)") }
            unread += buffer[..<received]
        }
        defer { unread.removeFirst(count) }
        return Array(unread[..<count])
    }
}

/// What the system says of a process. proc(5).
struct ProcessFigures {
    let residentKiB: Int
    let threads: Int
    let descriptors: Int
    let mappings: Int
    /// Processor time in clock ticks of ten milliseconds.
    let ticks: Int

    init(_ pid: Int32) throws {
        func text(_ name: String) throws -> String {
            try String(contentsOfFile: "/proc/\(pid)/\(name)", encoding: .utf8)
        }
        let status = try text("status")
        func number(_ name: String) throws -> Int {
            guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name + ":") }),
                let number = line.split(whereSeparator: \.isWhitespace).compactMap({ Int($0) }).first
            else { throw HarnessError("no \(name) of process \(pid)") }
            return number
        }
        residentKiB = try number("VmRSS")
        threads = try number("Threads")
        descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
        mappings = try text("maps").split(separator: "\n").count
        let fields = try text("stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else {
            throw HarnessError("no times of process \(pid)")
        }
        ticks = user + system
    }
}
