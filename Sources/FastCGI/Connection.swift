internal import Glibc
internal import Synchronization

/// A connection from the web server.
///
/// Why this may be called `Sendable`: whoever holds its loop has it, or else, while it is lent, the worker that answers
/// it. What goes from one to the other goes through the table's mutex.
final class Connection: @unchecked Sendable {
    let descriptor: Int32
    unowned let loop: EventLoop
    /// The part of a request that was taken from the connection before the rest had arrived.
    private(set) var pending: [UInt8] = []
    /// Whether nobody has looked at `pending`: it came with the end of the request before.
    private(set) var hasUnseen = false
    /// Nanoseconds of the monotonic clock at which the first byte of it was seen; 0: there is none.
    private var incompleteSince: UInt64 = 0
    /// Nanoseconds of the monotonic clock at which it came; 0: something has been sent on it since.
    private var unusedSince = monotonicTime()
    /// Whether a worker answers it that does not hold its loop. ``ConnectionTable`` guards it.
    fileprivate(set) var isLent = false

    init(_ descriptor: Int32, _ loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    /// Something was sent on it.
    func use() { unusedSince = 0 }

    /// Whether its first request is on the way: who connects sends one at once, or is somebody who only looks.
    var isNew: Bool { unusedSince != 0 && Self.monotonicTime() < unusedSince + Self.firstRequestTime }

    /// Nanoseconds.
    private static let firstRequestTime: UInt64 = 1_000_000_000

    /// Keeps part of a request, and begins to count the time, unless that has begun.
    func setPending(_ bytes: [UInt8]) {
        pending = bytes
        hasUnseen = false
        guard incompleteSince == 0 else { return }
        incompleteSince = Self.monotonicTime()
        loop.incomplete.add(1, ordering: .relaxed)
    }

    /// Keeps what came behind a request.
    func setUnseen(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        setPending(bytes)
        hasUnseen = true
    }

    /// The request is whole, or will never be.
    func clearPending() {
        guard incompleteSince != 0 else { return }
        pending = []
        hasUnseen = false
        incompleteSince = 0
        loop.incomplete.subtract(1, ordering: .relaxed)
    }

    /// Whether part of a request has been there for longer than `timeout`.
    func isOverdue(_ timeout: Duration) -> Bool {
        guard incompleteSince != 0 else { return false }
        let age = Self.monotonicTime()
        return age > incompleteSince && Double(age - incompleteSince) > timeout / .nanoseconds(1)
    }

    private static func monotonicTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
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

    /// Forgets a connection whose descriptor is closed, or about to be.
    func remove(_ connection: Connection) {
        connection.clearPending()
        connection.loop.open.subtract(1, ordering: .relaxed)
        connections.withLock { connections in
            // libfcgi may have closed the descriptor, which is another's by now.
            guard connections[connection.descriptor] === connection else { return }
            connections[connection.descriptor] = nil
        }
    }

    func close(_ connection: Connection) {
        remove(connection)
        Glibc.close(connection.descriptor)
    }

    /// Takes a connection, which the caller is about to answer, out of its loop.
    func lend(_ connection: Connection) {
        connections.withLock { _ in connection.isLent = true }
        connection.loop.ignore(connection.descriptor)
    }

    /// Gives it back. An event comes for what has arrived meanwhile.
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
