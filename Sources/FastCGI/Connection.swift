internal import Glibc
internal import Synchronization

/// A connection from the web server.
///
/// Why this may be called `Sendable`: the thread of its loop has it, or else, while it is lent, the thread that answers
/// it. What goes from one to the other goes through the table's mutex.
final class Connection: @unchecked Sendable {
    let descriptor: Int32
    unowned let loop: EventLoop
    /// The part of a request that was taken from the connection before the rest had arrived.
    @exclusivity(unchecked) private(set) var pending: [UInt8] = []
    /// Whether nobody has looked at `pending`: it came with the end of the request before.
    @exclusivity(unchecked) private(set) var hasUnseen = false
    /// A request whose body is still coming.
    @exclusivity(unchecked) private(set) var incoming: IncomingRequest?
    @exclusivity(unchecked) private var output = PendingOutput()
    /// What came behind a request that is not answered whole yet. While the connection is lent, its entry in the queue
    /// counts it.
    @exclusivity(unchecked) private(set) var rest: [UInt8] = []
    /// Nanoseconds of the monotonic clock at which the peer is given up unless it goes on; 0: nothing is due.
    @exclusivity(unchecked) private var deadline: UInt64 = 0
    /// Bytes that it has of the server's budget.
    @exclusivity(unchecked) private(set) var reserved = 0
    /// Nanoseconds of the monotonic clock at which it came; 0: something has been sent on it since.
    @exclusivity(unchecked) private var unusedSince = MonotonicClock.now()
    /// Whether a thread answers it that is not its loop's. ``ConnectionTable`` guards it.
    fileprivate(set) var isLent = false

    /// An answer of which the peer has not read all.
    private struct PendingOutput {
        var bytes: [UInt8] = []
        var sent = 0
        var closesAfterwards = false
    }

    struct IncomingRequest {
        let head: RecordScanner.Head
        /// The records up to the body.
        let bytes: [UInt8]
        var body: IncomingBody
    }

    init(_ descriptor: Int32, _ loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    /// Something was sent on it.
    func use() { unusedSince = 0 }

    /// Whether its first request is on the way: who connects sends one at once, or is somebody who only looks.
    var isNew: Bool { unusedSince != 0 && MonotonicClock.now() < unusedSince + Self.firstRequestTime }

    /// Nanoseconds.
    private static let firstRequestTime: UInt64 = 1_000_000_000

    /// Whether nothing of a request has come, and nothing of an answer is left.
    var isIdle: Bool { deadline == 0 && rest.isEmpty }

    var isOverdue: Bool { deadline != 0 && MonotonicClock.now() > deadline }

    /// When the peer is given up.
    var due: UInt64 { deadline }

    private func begin(_ timeout: Duration) {
        if deadline == 0 { loop.unfinished.add(1, ordering: .relaxed) }
        deadline = MonotonicClock.now() &+ MonotonicClock.nanoseconds(timeout)
    }

    /// Nothing of a request or an answer is left, but for what ``rest`` has.
    func finish() {
        guard deadline != 0 else { return }
        deadline = 0
        loop.unfinished.subtract(1, ordering: .relaxed)
        pending = []
        hasUnseen = false
        incoming = nil
        output = PendingOutput()
        _ = loop.budget.change(from: reserved, to: 0)
        reserved = 0
    }

    private func reserve(_ count: Int) -> Bool {
        guard loop.budget.change(from: reserved, to: count) else { return false }
        reserved = count
        return true
    }

    // MARK: Requests that come in parts

    /// Keeps part of a head. Its time runs from the first part on.
    /// - Returns: false where there is no room for it.
    func setPending(_ bytes: [UInt8], isUnseen: Bool = false) -> Bool {
        if deadline == 0 { begin(loop.options.receiveTimeout) }
        pending = bytes
        hasUnseen = isUnseen
        return reserve(bytes.count)
    }

    /// Keeps what came behind a request that another thread is about to answer.
    func setRestOfLent(_ bytes: [UInt8]) { rest = bytes }

    /// Keeps what came behind a request whose answer waits for its peer.
    /// - Returns: false where there is no room for it.
    func setRest(_ bytes: [UInt8]) -> Bool {
        rest = bytes
        return reserve(output.bytes.count + bytes.count)
    }

    /// Makes what came behind the last request the beginning of the next one.
    /// - Returns: false where there is no room for it.
    func takeUpRest() -> Bool {
        guard !rest.isEmpty else { return true }
        defer { rest = [] }
        return setPending(rest, isUnseen: true)
    }

    /// Keeps a request whose body is still coming, in the place of what was pending. Without room for the body it is
    /// ``BodyError/noRoom``.
    /// - Returns: false where there is no room even for the head: the request has to be answered at once.
    func setIncoming(_ request: IncomingRequest) -> Bool {
        pending = []
        hasUnseen = false
        begin(loop.options.bodyTimeout)
        incoming = request
        return reserveIncoming()
    }

    /// The request whose body is whole, or will never be.
    func takeIncoming() -> IncomingRequest? {
        defer { finish() }
        return incoming
    }

    /// - Returns: How many bytes of `input` belonged to the body.
    func takeBody(_ input: UnsafeRawBufferPointer) -> Int {
        let count = incoming?.body.take(input) ?? 0
        // The head has its room already.
        _ = reserveIncoming()
        return count
    }

    private func reserveIncoming() -> Bool {
        guard let request = incoming, !reserve(request.bytes.count + request.body.bytes.count) else { return true }
        incoming?.body.giveUp(.noRoom)
        return reserve(request.bytes.count)
    }

    // MARK: Answers that the peer reads slowly

    var isSending: Bool { !output.bytes.isEmpty }

    /// Keeps an answer of which the first `sent` bytes went out.
    /// - Returns: false where there is no room for it.
    func setOutput(_ bytes: [UInt8], sent: Int, closesAfterwards: Bool) -> Bool {
        begin(loop.options.sendTimeout)
        output = PendingOutput(bytes: bytes, sent: sent, closesAfterwards: closesAfterwards)
        return reserve(bytes.count + rest.count)
    }

    enum Flushed {
        case all(close: Bool)
        case partly
        case failed
    }

    /// Sends what the peer has room for.
    func flush() -> Flushed {
        while output.sent < output.bytes.count {
            let count = output.bytes.withUnsafeBytes {
                send(
                    descriptor,
                    $0.baseAddress.map { $0 + output.sent },
                    $0.count - output.sent,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
                )
            }
            if count > 0 {
                output.sent += count
            } else if errno == EAGAIN {
                return .partly
            } else if errno != EINTR {
                return .failed
            }
        }
        return .all(close: output.closesAfterwards)
    }
}

/// The open connections. It is asked when one comes, goes or is lent, and not for each request.
final class ConnectionTable: Sendable {
    private let connections = Mutex<[Int32: Connection]>([:])

    /// - Returns: Whether the loop watches it now. If not, its descriptor is the caller's to close.
    func add(_ descriptor: Int32, to loop: EventLoop) -> Bool {
        let connection = Connection(descriptor, loop)
        connections.withLock { $0[descriptor] = connection }
        loop.open.add(1, ordering: .relaxed)
        if loop.watch(connection) { return true }
        remove(connection)
        return false
    }

    private func remove(_ connection: Connection) {
        connection.finish()
        connection.loop.open.subtract(1, ordering: .relaxed)
        connections.withLock { $0[connection.descriptor] = nil }
    }

    func close(_ connection: Connection) {
        let descriptor = connection.descriptor
        remove(connection)
        Glibc.close(descriptor)
    }

    /// Takes a connection, which another thread is about to answer, out of its loop.
    func lend(_ connection: Connection) {
        connections.withLock { _ in connection.isLent = true }
        connection.loop.ignore(connection.descriptor)
    }

    /// Gives it back. An event comes for what has arrived meanwhile, and for what is left to send.
    func takeBack(_ connection: Connection) {
        let isWatched = connections.withLock { _ in
            connection.isLent = false
            return connection.loop.watch(connection)
        }
        if !isWatched { close(connection) }
    }

    /// Those of a loop that are not lent.
    func connections(of loop: EventLoop) -> [Connection] {
        connections.withLock { $0.values.filter { $0.loop === loop && !$0.isLent } }
    }

    var isEmpty: Bool { connections.withLock { $0.isEmpty } }
}
