internal import Glibc

/// The STDIN records of a request, read from its connection without libfcgi: nothing that a client wrote
/// into a body is ever taken for a record. A worker has one, for one request after the other.
final class RequestBody: BodySource {
    private let place: WorkerPlace
    /// For a whole body.
    private let timeout: Duration
    private var descriptor: Int32 = -1
    private var id: UInt16 = 0
    /// Runs from the first time on that something is waited for.
    private var deadline: ContinuousClock.Instant?
    private var isBroken = false
    private(set) var isAtEnd = true

    init(_ place: WorkerPlace, timeout: Duration) {
        self.place = place
        self.timeout = timeout
    }

    /// - Parameter isAtEnd: Whether there is no body.
    func begin(_ descriptor: Int32, id: UInt16, isAtEnd: Bool) {
        self.descriptor = descriptor
        self.id = id
        self.isAtEnd = isAtEnd
        isBroken = false
        deadline = nil
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
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
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
