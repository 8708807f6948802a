internal import Glibc

/// The STDIN records of a request, read from its connection without libfcgi: nothing that a client wrote
/// into a body is ever taken for a record. A worker has one, for one request after the other.
final class RequestBody: BodySource {
    private let place: WorkerPlace
    /// For a whole body.
    private let timeout: Duration
    private var descriptor: Int32 = -1
    private var id: UInt16 = 0
    /// What has come of it already, and perhaps of the next request, from `restStart` on.
    private var rest: [UInt8] = []
    private var restStart = 0
    /// Runs from the first time on that something is waited for.
    private var deadline: ContinuousClock.Instant?
    private var isBroken = false
    private(set) var isAtEnd = true

    init(_ place: WorkerPlace, timeout: Duration) {
        self.place = place
        self.timeout = timeout
    }

    /// - Parameter rest: What has come already of the body; nil: there is no body.
    func begin(_ descriptor: Int32, _ id: UInt16, _ rest: [UInt8]?) {
        self.descriptor = descriptor
        self.id = id
        self.rest = rest ?? []
        restStart = 0
        isAtEnd = rest == nil
        isBroken = false
        deadline = nil
    }

    /// What came behind the end of the body.
    func takeRest() -> [UInt8] {
        defer { rest = [] }
        return Array(rest[restStart...])
    }

    func willWait() { place.giveUp() }

    func readBody(limit: Int, announced: Int?) throws(BodyError) -> [UInt8] {
        var body: [UInt8] = []
        while !isAtEnd {
            guard let content = nextRecord() else { throw .interrupted }
            guard body.count + content.count <= limit else { throw .tooLarge(limit: limit) }
            body += content
        }
        guard announced == nil || announced == body.count else { throw .interrupted }
        return body
    }

    /// Reads and forgets the rest, so that the connection can be used again and the peer, which may answer
    /// nobody before it has sent everything, reads our answer.
    /// - Returns: Whether the end was reached within `limit` bytes.
    func drain(limit: Int) -> Bool {
        var total = 0
        while !isAtEnd {
            guard total <= limit, let content = nextRecord() else { return false }
            total += content.count
        }
        return true
    }

    /// nil when the peer went away, fell silent or sent something else.
    private func nextRecord() -> [UInt8]? {
        guard !isBroken, let header = receive(RecordHeader.length)?.withUnsafeBytes({ RecordHeader($0, at: 0) }),
            header.type == .stdin, header.id == id,
            let content = receive(header.contentLength + header.paddingLength)
        else {
            isBroken = true
            return nil
        }
        isAtEnd = header.contentLength == 0
        return Array(content.prefix(header.contentLength))
    }

    private func receive(_ count: Int) -> [UInt8]? {
        var bytes = Array(rest[restStart..<min(restStart + count, rest.count)])
        restStart += bytes.count
        var filled = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: count - filled))
        while filled < count {
            let result = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress.map { $0 + filled }, count - filled, Int32(MSG_DONTWAIT))
            }
            if result > 0 {
                filled += result
            } else if result == 0 {
                return nil
            } else if errno == EAGAIN {
                guard waitUntilReadable() else { return nil }
            } else if errno != EINTR {
                return nil
            }
        }
        return bytes
    }

    private func waitUntilReadable() -> Bool {
        place.giveUp()
        let now = ContinuousClock().now
        let deadline = self.deadline ?? now + timeout
        self.deadline = deadline
        let rest = now.duration(to: deadline) / .milliseconds(1)
        guard rest > 0 else { return false }
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let result = poll(&entry, 1, Int32(min(rest, 60_000)))
        return result > 0 || result < 0 && errno == EINTR
    }
}
