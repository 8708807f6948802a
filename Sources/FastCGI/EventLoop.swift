internal import CLinux
internal import Glibc
internal import Synchronization

/// Some of a server's connections, and the epoll set that watches them. There is one loop a core, each with
/// connections of its own, so that no two cores wait for each other.
///
/// Why this may be called `Sendable`: only the loop's thread (`LoopThread`) touches what is not atomic here. Other threads
/// do no more than add descriptors to `epoll`, and give back connections that were lent to them.
final class EventLoop: @unchecked Sendable {
    let options: ServerOptions
    let budget: BufferBudget
    private let epoll: Int32
    /// Events that epoll has told of and nobody has looked at yet, from `position` on.
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 16)
    private var position = 0
    private var count = 0
    private(set) var isDraining = false
    /// Nanoseconds of the monotonic clock.
    private var nextCare: UInt64 = 0
    /// How many connections there are, those that are lent among them.
    let open = Atomic(0)
    /// How many of them have sent part of a request, or read part of an answer.
    let unfinished = Atomic(0)

    enum Event {
        /// - Parameter isHalfClosed: Whether the peer sends nothing any more, so that no event will tell of its end.
        case connection(Connection, isHalfClosed: Bool)
        /// Somebody wants to connect to this socket.
        case listener(Int32)
        /// The server is to stop: ``drain(_:)`` is due.
        case stop
        /// Nothing that epoll told of is left: connections may be closed.
        case pause
    }

    /// nil when the system gives no epoll set.
    init?(_ options: ServerOptions, _ budget: BufferBudget) {
        self.options = options
        self.budget = budget
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

    /// Once for each change: an event says that more has come than was there when it was last looked at.
    private static let input = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    private static let inputAndOutput = input | EPOLLOUT.rawValue

    /// An event comes at once where something is left to send, or came behind a request.
    func watch(_ connection: Connection) -> Bool {
        let hasMore = connection.isSending || !connection.rest.isEmpty
        return control(EPOLL_CTL_ADD, connection, hasMore ? Self.inputAndOutput : Self.input)
    }

    /// Has an event come when the peer has read something.
    func watchOutput(_ connection: Connection) -> Bool { control(EPOLL_CTL_MOD, connection, Self.inputAndOutput) }

    func watchInputAlone(_ connection: Connection) -> Bool { control(EPOLL_CTL_MOD, connection, Self.input) }

    private func control(_ operation: Int32, _ connection: Connection, _ events: UInt32) -> Bool {
        let address = UInt(bitPattern: Unmanaged.passUnretained(connection).toOpaque())
        var event = epoll_event(events: events, data: epoll_data_t(u64: UInt64(address)))
        return epoll_ctl(epoll, operation, connection.descriptor, &event) == 0
    }

    /// Of all loops and processes that share the socket only one wakes up for a connection.
    func watch(_ listener: Listener) -> Bool {
        let events = EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue
        return add(listener.descriptor, events, key: Self.key(listener: listener.descriptor))
    }

    func watch(stopEvent: Int32) -> Bool { add(stopEvent, EPOLLIN.rawValue, key: Self.stopKey) }

    func ignore(_ descriptor: Int32) { epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }

    private func add(_ descriptor: Int32, _ events: UInt32, key: UInt64) -> Bool {
        var event = epoll_event(events: events, data: epoll_data_t(u64: key))
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    // MARK: For the loop's thread

    /// Waits for the next event, a quarter of a second at most.
    func next() -> Event {
        if position == count {
            position = 0
            count = Int(max(0, epoll_wait(epoll, events.baseAddress, Int32(events.count), isDraining ? 5 : 250)))
            guard count > 0 else { return .pause }
        }
        let event = events[position]
        position += 1
        let key = event.data.u64
        if key & 1 == 0, let address = UnsafeRawPointer(bitPattern: UInt(key)) {
            // It is a live connection: the table has it until its descriptor is closed. That is done by who answers it,
            // when its event is taken, of which epoll_wait tells no more than one at a time, and where `isCareDue`.
            let connection = Unmanaged<Connection>.fromOpaque(address).takeUnretainedValue()
            return .connection(
                connection,
                isHalfClosed: event.events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue) != 0
            )
        }
        return key == Self.stopKey ? .stop : .listener(Int32(truncatingIfNeeded: key >> 2))
    }

    /// Whether it is time to look after connections that do not go on: no event is left, and the last look was a while ago.
    ///
    /// - Parameter isWaitedFor: Whether somebody waits for that elsewhere.
    func isCareDue(_ isWaitedFor: Bool) -> Bool {
        guard position == count, isWaitedFor || isDraining || unfinished.load(ordering: .relaxed) > 0 else {
            return false
        }
        let now = MonotonicClock.now()
        guard isDraining || now >= nextCare else { return false }
        nextCare = now &+ Self.careInterval
        return true
    }

    /// Nanoseconds.
    private static let careInterval: UInt64 = 50_000_000

    /// From now on the connections on which nothing has arrived are handed over, or closed.
    func drain(_ stopEvent: Int32) {
        ignore(stopEvent)
        isDraining = true
    }
}
