internal import CFastCGI
internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Answers FastCGI requests with a handler, on threads.
///
/// The server owns its connections: it accepts them, watches all of them with one epoll set, and reads a
/// request only when the whole of its parameters has arrived. So an idle connection, which nginx keeps by
/// the dozen, costs a descriptor and no thread, and a peer that stops in the middle holds nobody up.
///
/// Every connection is registered once and edge-triggered; ``Connection`` sees to it that one worker has it
/// at a time. libfcgi reads the parameters and writes the answer of what ``RecordScanner`` let pass.
public final class Server: Sendable {
    let options: ServerOptions
    let handler: Handler
    let connections = ConnectionTable()
    let places: DispatchSemaphore
    let epoll: Int32
    private let listeners: Mutex<[Listener]>
    private let stopEvent: Int32
    private let isStopping = Atomic(false)
    private let stopped = DispatchSemaphore(value: 0)
    private let isAcceptingPaused = Atomic(false)

    /// What epoll hands back with the events that are no connection's. No connection has generation 0.
    private static let stopKey: UInt64 = 0xFFFF_FFFF
    private static let listenerKey: UInt64 = 0x8000_0000

    /// - Parameter listeners: At least one.
    /// - Throws: ``ServerError`` when the system gives no epoll set.
    public init(listeners: [Listener], options: ServerOptions = ServerOptions(), handler: @escaping Handler)
        throws(ServerError)
    {
        // A peer that goes away is an error of the write.
        signal(SIGPIPE, SIG_IGN)
        Self.initializeLibrary()
        self.options = options
        self.handler = handler
        self.listeners = Mutex(listeners)
        places = DispatchSemaphore(value: max(1, options.pollers ?? max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        stopEvent = eventfd(0, Int32(EFD_CLOEXEC))
        guard epoll >= 0, stopEvent >= 0, watch(stopEvent, EPOLLIN.rawValue, key: Self.stopKey) else {
            throw ServerError(errno: errno)
        }
        for listener in listeners {
            guard watch(listener) else { throw ServerError(errno: errno) }
        }
    }

    deinit {
        Glibc.close(epoll)
        Glibc.close(stopEvent)
    }

    /// Serves until ``stop()``: then takes no new connection, answers what has arrived, and returns when every
    /// connection is closed or the grace period is over.
    public func run() {
        let workers = DispatchGroup()
        for _ in 0..<max(1, options.workers) {
            workers.enter()
            startThread(stackSize: 1 << 20) { [self] in
                Worker(self).run()
                workers.leave()
            }
        }
        while stopped.wait(timeout: .now() + .milliseconds(250)) == .timedOut { keepHouse() }
        let deadline = ContinuousClock().now + options.gracePeriod
        stopListening()
        while closeQuietConnections() > 0, ContinuousClock().now < deadline { usleep(5000) }
        eventfd_write(stopEvent, 1)
        for _ in 0..<options.workers { places.signal() }
        let rest = Int(max(.zero, ContinuousClock().now.duration(to: deadline)) / .milliseconds(1))
        _ = workers.wait(timeout: .now() + .milliseconds(rest))
    }

    /// Ends ``run()``. May be called from any thread, more than once.
    public func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        stopped.signal()
    }

    /// Who has connected to a socket of our own is still answered; the others wait for the next process that
    /// has their socket.
    private func stopListening() {
        let all = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in all {
            epoll_ctl(epoll, EPOLL_CTL_DEL, listener.descriptor, nil)
            guard listener.isOurs else { continue }
            listener.removeFile()
            while accept(listener.descriptor) {}
        }
    }

    /// libfcgi takes signals for itself that are the program's.
    private static func initializeLibrary() {
        var (onTerminate, onUser) = (sigaction(), sigaction())
        sigaction(SIGTERM, nil, &onTerminate)
        sigaction(SIGUSR1, nil, &onUser)
        FCGX_Init()
        sigaction(SIGTERM, &onTerminate, nil)
        sigaction(SIGUSR1, &onUser, nil)
    }

    /// Closes the connections on which nothing has arrived.
    /// - Returns: How many there were.
    private func closeQuietConnections() -> Int {
        let all = connections.all
        for connection in all where connection.acquireIfIdle() {
            var byte: UInt8 = 0
            let isQuiet =
                recv(connection.descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) <= 0 && connection.pending.isEmpty
            if isQuiet || connection.isOverdue(options.receiveTimeout) {
                close(connection)
            } else if !connection.release() {
                // An event came meanwhile: its worker believes that we look at the connection.
                _ = connection.release()
                watchAgain(connection)
            }
        }
        return all.count
    }

    // MARK: Events

    enum Happening {
        case connection(Connection, isHalfClosed: Bool)
        case nothing
        /// The server has stopped.
        case end
    }

    /// Waits for what a worker can do.
    func next() -> Happening {
        var event = epoll_event()
        guard epoll_wait(epoll, &event, 1, -1) == 1 else { return .nothing }
        let key = event.data.u64
        if key == Self.stopKey { return .end }
        if key >> 32 == 0 {
            _ = accept(Int32(truncatingIfNeeded: key & ~Self.listenerKey))
        } else if let connection = connections[key], connection.acquire() {
            return .connection(connection, isHalfClosed: event.events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue) != 0)
        }
        return .nothing
    }

    /// Closes a connection that the caller owns.
    func close(_ connection: Connection) {
        connections.remove(connection)
        Glibc.close(connection.descriptor)
    }

    private func watch(_ descriptor: Int32, _ events: UInt32, key: UInt64) -> Bool {
        var event = epoll_event(events: events, data: epoll_data_t(u64: key))
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    /// Of the processes that share the socket only one wakes up for a connection.
    private func watch(_ listener: Listener) -> Bool {
        watch(
            listener.descriptor,
            EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue,
            key: Self.listenerKey | UInt64(UInt32(bitPattern: listener.descriptor))
        )
    }

    /// - Returns: Whether more may be waiting.
    private func accept(_ listener: Int32) -> Bool {
        for _ in 0..<8 {
            let descriptor = linux_accept(listener)
            guard descriptor >= 0 else {
                if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { pauseAccepting() }
                return errno == ECONNABORTED || errno == EINTR
            }
            guard isAllowed(descriptor), watch(connection: descriptor) else {
                Glibc.close(descriptor)
                continue
            }
        }
        return true
    }

    private static let connectionEvents = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue

    /// Makes an event for what is there already.
    private func watchAgain(_ connection: Connection) {
        var event = epoll_event(events: Self.connectionEvents, data: epoll_data_t(u64: connection.key))
        epoll_ctl(epoll, EPOLL_CTL_MOD, connection.descriptor, &event)
    }

    private func watch(connection descriptor: Int32) -> Bool {
        var timeout = timeval(tv_sec: Int(options.receiveTimeout.components.seconds), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let connection = connections.add(descriptor)
        let isWatched = watch(
            descriptor,
            Self.connectionEvents,
            key: connection.key
        )
        if !isWatched { connections.remove(connection) }
        return isWatched
    }

    private func isAllowed(_ descriptor: Int32) -> Bool {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getpeername(descriptor, address, &length) == 0 else { return false }
                guard Int32(address.pointee.sa_family) == AF_UNIX else {
                    return options.allowsRemote || PeerAddress.isLoopback(address)
                }
                guard let allowed = options.allowedUsers else { return true }
                var (process, user, group) = (pid_t(), uid_t(), gid_t())
                return linux_peer_credentials(descriptor, &process, &user, &group) == 0 && allowed.contains(user)
            }
        }
    }

    // MARK: Housekeeping

    /// Without descriptors a listening socket would be ready for ever; it is looked at again a little later.
    private func pauseAccepting() {
        listeners.withLock { listeners in
            for listener in listeners { epoll_ctl(epoll, EPOLL_CTL_DEL, listener.descriptor, nil) }
            isAcceptingPaused.store(true, ordering: .relaxed)
        }
    }

    private func keepHouse() {
        for connection in connections.all where connection.isOverdue(options.receiveTimeout) {
            if connection.acquireIfIdle() { close(connection) }
        }
        listeners.withLock { listeners in
            guard isAcceptingPaused.exchange(false, ordering: .relaxed), !isStopping.load(ordering: .relaxed) else {
                return
            }
            for listener in listeners { _ = watch(listener) }
        }
    }
}

/// The system gave a server not what it needs.
public struct ServerError: Error, Equatable, CustomStringConvertible {
    public let errno: Int32

    public var description: String { "The server cannot start: \(String(cString: strerror(errno)))." }
}
