internal import CFastCGI
internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Answers FastCGI requests with a handler, on threads.
///
/// The server owns its connections: it accepts them, watches them, and calls the handler when the whole of a request has
/// arrived, body and all. So an idle connection, which nginx keeps by the dozen, costs a descriptor and no thread; a peer
/// that stops in the middle, or that does not read its answer, costs the memory of what is not finished, for a bounded
/// time and within a bound for all together (``ServerOptions/bufferLimit``).
///
/// There is an `EventLoop` a core, with a thread (`LoopThread`) and connections of its own. That thread waits for nothing
/// but the next event. What has to wait for something slow is put off (``Request/postpone(_:)``): it waits in a
/// `RequestQueue`, without a thread, for one of the threads that may wait.
///
/// Requests are read by `RecordScanner` and answered by `RecordWriter`; the answer to one with a body goes through libfcgi
/// (`LibraryWriter`).
public final class Server: Sendable {
    let options: ServerOptions
    let handler: Handler
    let connections = ConnectionTable()
    let queue: RequestQueue
    let waits = WaitCounter()
    let loops: [EventLoop]
    let listeners: Mutex<[Listener]>
    let stopEvent: Int32
    let isStopping = Atomic(false)
    private let hasEnded = Atomic(false)
    private let stopped = DispatchSemaphore(value: 0)
    let isAcceptingPaused = Atomic(false)
    /// How many threads are about to accept somebody.
    let accepting = Atomic(0)

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
        let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let budget = BufferBudget(limit: options.bufferLimit)
        queue = RequestQueue(options, budget, cores: cores)
        var loops: [EventLoop] = []
        for _ in 0..<max(1, options.pollers ?? max(2, cores)) {
            guard let loop = EventLoop(options, budget) else { throw ServerError(errno: errno) }
            loops.append(loop)
        }
        self.loops = loops
        stopEvent = eventfd(0, Int32(EFD_CLOEXEC))
        guard stopEvent >= 0, loops.allSatisfy({ $0.watch(stopEvent: stopEvent) }), listeners.allSatisfy(watch) else {
            throw ServerError(errno: errno)
        }
    }

    deinit { Glibc.close(stopEvent) }

    /// Serves until ``stop()``: then takes only who has connected already, answers what has arrived, and returns when every
    /// connection is handed over or closed, or the grace period is over.
    public func run() {
        let threads = DispatchGroup()
        for loop in loops { start(threads) { LoopThread(self, loop).run() } }
        for _ in 0..<queue.threadCount { start(threads) { self.answerPostponed() } }
        while stopped.wait(timeout: .now() + .milliseconds(250)) == .timedOut { resumeAccepting() }
        let deadline = ContinuousClock().now + options.gracePeriod
        var left = stopListening()
        eventfd_write(stopEvent, 1)
        while !isQuiet(&left), ContinuousClock().now < deadline { usleep(5000) }
        hasEnded.store(true, ordering: .relaxed)
        queue.close()
        let rest = Int(max(.zero, ContinuousClock().now.duration(to: deadline)) / .milliseconds(1))
        _ = threads.wait(timeout: .now() + .milliseconds(rest))
    }

    private func start(_ group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        startThread(stackSize: 1 << 20) {
            body()
            group.leave()
        }
    }

    /// Whether the threads are to end.
    var isOver: Bool { hasEnded.load(ordering: .relaxed) }

    // MARK: Requests that were put off

    /// What a thread does that may wait.
    private func answerPostponed() {
        let writer = AnswerWriter()
        while let entry = queue.next() {
            // The work for a client that has gone is not done.
            if isGone(entry.connection) {
                queue.release(entry)
                connections.close(entry.connection)
            } else {
                answer(entry, writer, isRefused: queue.isOverdue(entry))
            }
            queue.finished(entry)
        }
    }

    /// Whether the peer has closed the connection altogether.
    private func isGone(_ connection: Connection) -> Bool {
        var entry = pollfd(fd: connection.descriptor, events: 0, revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Puts a request off. Its connection is lent already.
    ///
    /// - Parameter writer: Of the thread, for the one that has to give its place up.
    func postpone(_ entry: RequestQueue.Entry, _ writer: AnswerWriter) {
        if let loser = queue.add(entry) { answer(loser, writer, isRefused: true) }
    }

    /// - Parameter isRefused: Whether it waited too long, or had to give its place up.
    func answer(_ entry: RequestQueue.Entry, _ writer: AnswerWriter, isRefused: Bool) {
        let connection = entry.connection
        let request = Request(entry.request, queue, isRefused: isRefused)
        let response = handler(request)
        queue.release(entry)
        if let turn = request.turn {
            let again = request.takePostponed(entry.request.head, turn, since: entry.request.since)
            return postpone(
                RequestQueue.Entry(
                    again,
                    connection,
                    headBytes: entry.headBytes,
                    closesAfterwards: entry.closesAfterwards
                ),
                writer
            )
        }
        let outcome = entry.headBytes.withUnsafeBytes {
            writer.send(
                response,
                entry.request.head,
                $0,
                to: connection,
                closesAfterwards: entry.closesAfterwards
            )
        }
        switch outcome {
        case .all where !entry.closesAfterwards, .partly: connections.takeBack(connection)
        case .all, .failed: connections.close(connection)
        }
    }

    // MARK: Stopping

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
        // In this order: whoever was accepted is in the table before their thread is done with it.
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
    public var connectionCount: Int { loops.reduce(0) { $0 + $1.open.load(ordering: .relaxed) } }

    /// How often a thread of a loop has waited for something slow, so that all its connections did: a mistake of a handler
    /// that did not put a request off.
    public var waitsOnLoops: Int { waits.value }

    /// How many requests wait for a thread that may wait.
    public var waitingCount: Int { queue.count }
}

/// The system gave a server not what it needs.
public struct ServerError: Error, Equatable, CustomStringConvertible {
    public let errno: Int32

    public var description: String { "The server cannot start: \(String(cString: strerror(errno)))." }
}
