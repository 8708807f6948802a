internal import CLinux
internal import Glibc
internal import Synchronization

/// Some of a server's connections, and the epoll set that watches them. There is one loop a core, each with
/// connections of its own, so that no two cores wait for each other.
///
/// One worker at a time holds a loop, and all that is in it; ``LoopPool`` hands it on from one to the next. A worker
/// that has to wait for something slow takes the connection that it answers out of the loop first, and gives the loop
/// to another, with whatever events are left.
///
/// Why this may be called `Sendable`: the pool's mutex stands between two holders, and only the holder touches what is
/// not atomic here or in the connections of the loop. Other threads do no more than add descriptors to `epoll`.
final class EventLoop: @unchecked Sendable {
    let epoll: Int32
    private let table: ConnectionTable
    /// Events that epoll has told of and nobody has looked at yet, from `position` on.
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 16)
    private var position = 0
    private var count = 0
    private var isDraining = false
    /// How many connections there are, those that are lent among them.
    let open = Atomic(0)
    /// How many of them have sent part of a request.
    let incomplete = Atomic(0)
    private let options: ServerOptions

    enum Event {
        /// - Parameter isHalfClosed: Whether the peer sends nothing any more, so that no event will tell of its end.
        case connection(Connection, isHalfClosed: Bool)
        /// Somebody wants to connect to this socket.
        case listener(Int32)
        /// The server is to stop: ``drain()`` is due.
        case stop
        /// Nothing has come for a while.
        case silence
    }

    /// nil when the system gives no epoll set.
    init?(_ table: ConnectionTable, _ options: ServerOptions) {
        self.table = table
        self.options = options
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { return nil }
    }

    deinit {
        if epoll >= 0 { close(epoll) }
        events.deallocate()
    }

    // MARK: Watching

    // What epoll hands back with an event: the address of a connection, which is even, or an odd number for all else.
    private static let stopKey: UInt64 = 1
    private static func key(listener: Int32) -> UInt64 { UInt64(UInt32(bitPattern: listener)) << 2 | 3 }

    private static let connectionEvents = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue

    /// Once for each change: an event says that more has come than was there when it was last looked at.
    func watch(_ connection: Connection) -> Bool {
        let address = UInt(bitPattern: Unmanaged.passUnretained(connection).toOpaque())
        return watch(connection.descriptor, Self.connectionEvents, key: UInt64(address))
    }

    /// Of all loops and processes that share the socket only one wakes up for a connection.
    func watch(_ listener: Listener) -> Bool {
        let events = EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue
        return watch(listener.descriptor, events, key: Self.key(listener: listener.descriptor))
    }

    func watch(stopEvent: Int32) -> Bool { watch(stopEvent, EPOLLIN.rawValue, key: Self.stopKey) }

    func ignore(_ descriptor: Int32) { epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }

    private func watch(_ descriptor: Int32, _ events: UInt32, key: UInt64) -> Bool {
        var event = epoll_event(events: events, data: epoll_data_t(u64: key))
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    // MARK: For the holder

    /// Waits for the next event.
    func next() -> Event {
        if position == count {
            // What closes connections comes here, where nothing that epoll told of is left.
            keepHouse()
            position = 0
            count = Int(max(0, epoll_wait(epoll, events.baseAddress, Int32(events.count), isDraining ? 5 : 250)))
            guard count > 0 else { return .silence }
        }
        let event = events[position]
        position += 1
        let key = event.data.u64
        if key & 1 == 0, let address = UnsafeRawPointer(bitPattern: UInt(key)) {
            // It is a live connection: the table has it until its descriptor is closed. That is done by who answers it,
            // when its event is taken, of which epoll_wait tells no more than one at a time, and by `keepHouse`.
            let connection = Unmanaged<Connection>.fromOpaque(address).takeUnretainedValue()
            return .connection(
                connection,
                isHalfClosed: event.events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue) != 0
            )
        }
        return key == Self.stopKey ? .stop : .listener(Int32(truncatingIfNeeded: key >> 2))
    }

    /// From now on hands over, or closes, the connections on which nothing has arrived.
    func drain(_ stopEvent: Int32) {
        ignore(stopEvent)
        isDraining = true
    }

    private func keepHouse() {
        guard isDraining || incomplete.load(ordering: .relaxed) > 0 else { return }
        for connection in table.connections(of: self) {
            if isDraining, connection.pending.isEmpty {
                var byte: UInt8 = 0
                let count = recv(connection.descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
                if count > 0 { continue }
                if count < 0, errno == EAGAIN {
                    if let handOver = options.handOver {
                        // Whoever keeps it has a descriptor of his own, for which epoll would go on telling of it.
                        ignore(connection.descriptor)
                        handOver(connection.descriptor)
                    } else if connection.isNew {
                        continue
                    }
                }
                table.close(connection)
            } else if connection.isOverdue(options.receiveTimeout) {
                table.close(connection)
            }
        }
    }
}
