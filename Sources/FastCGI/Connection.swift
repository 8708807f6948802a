internal import Glibc
internal import Synchronization

/// A connection from the web server. One worker owns it at a time; events that come meanwhile are
/// remembered, so that the owner looks again before it lets go.
final class Connection: Sendable {
    let descriptor: Int32
    /// Parts this connection from earlier ones with the same descriptor.
    let generation: UInt32
    private let state = Atomic<UInt8>(State.idle)
    /// Nanoseconds of the monotonic clock at which the first byte of an incomplete request was seen; 0: none.
    private let incompleteSince = Atomic<UInt64>(0)
    private let head = Mutex<[UInt8]>([])

    private enum State {
        static let idle: UInt8 = 0
        static let owned: UInt8 = 1
        static let ownedAndSignalled: UInt8 = 2
    }

    init(_ descriptor: Int32, generation: UInt32) {
        self.descriptor = descriptor
        self.generation = generation
    }

    /// What epoll hands back with an event.
    var key: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor)) }

    /// - Returns: Whether the connection is the caller's now. If not, its owner has been told to look again.
    func acquire() -> Bool {
        while true {
            if state.compareExchange(expected: State.idle, desired: State.owned, ordering: .acquiringAndReleasing)
                .exchanged
            {
                return true
            }
            let result = state.compareExchange(
                expected: State.owned,
                desired: State.ownedAndSignalled,
                ordering: .acquiringAndReleasing
            )
            if result.exchanged || result.original == State.ownedAndSignalled { return false }
        }
    }

    /// - Returns: false when an event came meanwhile: the caller still owns it and has to look again.
    func release() -> Bool {
        if state.compareExchange(expected: State.owned, desired: State.idle, ordering: .acquiringAndReleasing).exchanged
        {
            return true
        }
        state.store(State.owned, ordering: .releasing)
        return false
    }

    /// - Returns: Whether nobody owned it and the caller does now; nobody is told to look again.
    func acquireIfIdle() -> Bool {
        state.compareExchange(expected: State.idle, desired: State.owned, ordering: .acquiringAndReleasing).exchanged
    }

    /// The part of a request that was taken from the connection before the rest had arrived.
    var pending: [UInt8] { incompleteSince.load(ordering: .relaxed) == 0 ? [] : head.withLock { $0 } }

    /// Keeps that part, and begins to count the time, unless that has begun.
    func setPending(_ bytes: [UInt8]) {
        head.withLock { $0 = bytes }
        _ = incompleteSince.compareExchange(expected: 0, desired: Self.monotonicTime(), ordering: .relaxed)
    }

    /// The request is whole.
    func clearPending() {
        guard incompleteSince.load(ordering: .relaxed) != 0 else { return }
        head.withLock { $0 = [] }
        incompleteSince.store(0, ordering: .relaxed)
    }

    /// Whether part of a request has been there for longer than `timeout`.
    func isOverdue(_ timeout: Duration) -> Bool {
        let since = incompleteSince.load(ordering: .relaxed)
        let age = Self.monotonicTime()
        return since != 0 && age > since && Double(age - since) > timeout / .nanoseconds(1)
    }

    private static func monotonicTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}

/// The open connections by descriptor.
final class ConnectionTable: Sendable {
    private struct Contents {
        var connections: [Int32: Connection] = [:]
        var generation: UInt32 = 0
    }

    private let contents = Mutex(Contents())

    func add(_ descriptor: Int32) -> Connection {
        contents.withLock { contents in
            contents.generation &+= 1
            let connection = Connection(descriptor, generation: contents.generation)
            contents.connections[descriptor] = connection
            return connection
        }
    }

    /// nil for an event of a connection that is closed by now, though its descriptor may be in use again.
    subscript(key: UInt64) -> Connection? {
        let connection = contents.withLock { $0.connections[Int32(truncatingIfNeeded: key)] }
        return connection?.key == key ? connection : nil
    }

    /// Must come before the descriptor is closed, where we close it.
    func remove(_ connection: Connection) {
        contents.withLock { contents in
            guard contents.connections[connection.descriptor] === connection else { return }
            contents.connections[connection.descriptor] = nil
        }
    }

    var all: [Connection] { contents.withLock { Array($0.connections.values) } }
}
