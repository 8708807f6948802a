internal import CFastCGI
internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Answers FastCGI requests with a handler, on threads.
///
/// The server owns its connections: it accepts them, watches them, and reads a request only when the whole of its
/// parameters has arrived. So an idle connection, which nginx keeps by the dozen, costs a descriptor and no thread, and
/// a peer that stops in the middle holds nobody up.
///
/// There is an `EventLoop` a core, with connections of its own; a `Worker` holds each of them, answers what comes,
/// and hands it on before it waits for something slow. A request that is there whole, as all without a body are, is read by
/// `RecordScanner` and answered by `RecordWriter`; what comes with a body goes through libfcgi.
public final class Server: Sendable {
    let options: ServerOptions
    let handler: Handler
    let connections = ConnectionTable()
    let pool: LoopPool
    private let listeners: Mutex<[Listener]>
    private let stopEvent: Int32
    private let isStopping = Atomic(false)
    private let stopped = DispatchSemaphore(value: 0)
    private let isAcceptingPaused = Atomic(false)
    /// How many workers are about to accept somebody.
    private let accepting = Atomic(0)

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
        var loops: [EventLoop] = []
        for _ in 0..<max(1, options.pollers ?? max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) {
            guard let loop = EventLoop(connections, options) else {
                throw ServerError(errno: errno)
            }
            loops.append(loop)
        }
        pool = LoopPool(loops)
        stopEvent = eventfd(0, Int32(EFD_CLOEXEC))
        guard stopEvent >= 0, loops.allSatisfy({ $0.watch(stopEvent: stopEvent) }), listeners.allSatisfy(watch) else {
            throw ServerError(errno: errno)
        }
    }

    deinit { Glibc.close(stopEvent) }

    /// Serves until ``stop()``: then takes only who has connected already, answers what has arrived, and returns when every
    /// connection is handed over or closed, or the grace period is over.
    public func run() {
        let workers = DispatchGroup()
        // While all but one of the workers wait, each loop has somebody.
        let count = max(1, options.workers) + pool.loops.count - 1
        for _ in 0..<count {
            workers.enter()
            startThread(stackSize: 1 << 20) { [self] in
                Worker(self).run()
                workers.leave()
            }
        }
        while stopped.wait(timeout: .now() + .milliseconds(250)) == .timedOut { resumeAccepting() }
        let deadline = ContinuousClock().now + options.gracePeriod
        var left = stopListening()
        eventfd_write(stopEvent, 1)
        while !isQuiet(&left), ContinuousClock().now < deadline { usleep(5000) }
        pool.close(workers: count)
        let rest = Int(max(.zero, ContinuousClock().now.duration(to: deadline)) / .milliseconds(1))
        _ = workers.wait(timeout: .now() + .milliseconds(rest))
    }

    /// Ends ``run()``. May be called from any thread, more than once.
    public func stop() {
        guard !isStopping.exchange(true, ordering: .sequentiallyConsistent) else { return }
        stopped.signal()
    }

    /// - Returns: All sockets. Who has connected is still answered: of who comes to a socket that others have as well, one
    ///   process alone is told, and it may have been us.
    private func stopListening() -> [Listener] {
        let all = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in all {
            ignore(listener)
            listener.removeFile()
        }
        return all
    }

    /// Whether nobody is there any more, and nobody will be.
    private func isQuiet(_ left: inout [Listener]) -> Bool {
        // A socket whose queue is empty is left alone; it is looked at again where there were no descriptors for all.
        left.removeAll(where: acceptAll)
        // In this order: whoever was accepted is in the table before their worker is done with it.
        return accepting.load(ordering: .sequentiallyConsistent) == 0 && connections.isEmpty
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

    /// How many connections are open now.
    public var connectionCount: Int { pool.loops.reduce(0) { $0 + $1.open.load(ordering: .relaxed) } }

    // MARK: Accepting

    /// What a loop's holder does when the server stops.
    func drain(_ loop: EventLoop) { loop.drain(stopEvent) }

    private func watch(_ listener: Listener) -> Bool { pool.loops.allSatisfy { $0.watch(listener) } }

    private func ignore(_ listener: Listener) {
        for loop in pool.loops { loop.ignore(listener.descriptor) }
    }

    /// What a loop's holder does when somebody wants to connect: nothing once the server stops.
    func acceptWaiting(_ listener: Int32) {
        // Whoever stops the server sees this, or is seen by it.
        accepting.add(1, ordering: .sequentiallyConsistent)
        defer { accepting.subtract(1, ordering: .sequentiallyConsistent) }
        guard !isStopping.load(ordering: .sequentiallyConsistent) else { return }
        for _ in 0..<8 {
            switch accept(listener) {
            case .somebody: continue
            case .nobody: return
            case .noRoom: return pauseAccepting()
            }
        }
    }

    private enum Accepted { case somebody, nobody, noRoom }

    private func accept(_ listener: Int32) -> Accepted {
        let descriptor = linux_accept(listener)
        if descriptor >= 0 {
            adopt(descriptor)
            return .somebody
        }
        if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { return .noRoom }
        // Who has gone away before was somebody, too.
        return errno == ECONNABORTED || errno == EINTR ? .somebody : .nobody
    }

    /// Takes all who wait at a socket.
    /// - Returns: false where there was no room for all.
    private func acceptAll(_ listener: Listener) -> Bool {
        for _ in 0..<Listener.backlog {
            switch accept(listener.descriptor) {
            case .somebody: continue
            case .nobody: return true
            case .noRoom: return false
            }
        }
        return true
    }

    /// Serves a connection that a former process has handed over (``ServerOptions/handOver``), whose descriptor is the
    /// server's from now on. Nobody else may have one of it any more: epoll would go on telling of what is closed.
    public func adopt(_ connection: Int32) {
        guard isAllowed(connection), add(connection) else {
            Glibc.close(connection)
            return
        }
    }

    /// Each loop gets as many as the others.
    private func add(_ descriptor: Int32) -> Bool {
        var timeout = timeval(tv_sec: Int(options.receiveTimeout.components.seconds), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let loop = pool.loops.min { $0.open.load(ordering: .relaxed) < $1.open.load(ordering: .relaxed) }
        return loop.map { connections.add(descriptor, to: $0) } ?? false
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

    /// Without descriptors a listening socket would be ready for ever; it is looked at again a little later.
    private func pauseAccepting() {
        listeners.withLock { listeners in
            for listener in listeners { ignore(listener) }
            isAcceptingPaused.store(true, ordering: .relaxed)
        }
    }

    private func resumeAccepting() {
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
