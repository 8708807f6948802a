/// How a ``Server`` works. The defaults are meant to be left alone.
public struct ServerOptions: Sendable {
    /// Threads that answer the requests that were put off (``Request/postpone(_:)``), because answering them waits for
    /// something slow. None of them holds a loop.
    public var workers = 32

    /// As many more for requests of ``Turn/Line/scarce``; nil: two for each core.
    public var scarceWorkers: Int?

    /// How many event loops there are, each with a thread and connections of its own; nil: two, or one a core.
    public var pollers: Int?

    /// How long a request may take to arrive, from its first byte to the end of its parameters.
    public var receiveTimeout = Duration.seconds(5)

    /// How long the body of a request may take to arrive.
    public var bodyTimeout = Duration.seconds(5)

    /// How long the peer may take to read an answer.
    public var sendTimeout = Duration.seconds(30)

    /// How long a request that was put off may wait for a thread. Afterwards it is refused:
    /// ``Request/hasWaitedTooLong``.
    public var queueTimeout = Duration.seconds(5)

    /// How many requests may wait for a thread, in each line.
    public var maximumWaiting = 512

    /// How many of them may have the same ``Turn/key``.
    public var maximumWaitingPerKey = 256

    /// Likewise, in ``Turn/Line/scarce``.
    public var maximumScarcePerKey = 64

    /// Bytes of a body that are kept for the handler; one that is longer is ``BodyError/tooLarge(limit:)``.
    public var bodyLimit = 1 << 20

    /// Bytes of a body beyond `bodyLimit` that are read and dropped, so that the peer gets its answer.
    public var drainLimit = 1 << 20

    /// Bytes of unfinished requests, of answers that wait for their peers and of what came behind those, of all connections
    /// together. Where there is no room, bodies are ``BodyError/noRoom``, and the connection is given up that keeps most
    /// with an answer that waits.
    public var bufferLimit = 64 << 20

    /// How long requests that run may go on after ``Server/stop()``.
    public var gracePeriod = Duration.seconds(10)

    /// Gives a connection to whoever keeps it for the server's next process, as systemd's file descriptor store does.
    ///
    /// After ``Server/stop()`` it is called for each connection on which no request has begun, on one thread or
    /// another; the server closes its own descriptor afterwards. nil: the connections end with the server, and with
    /// them a request that the web server is just about to send.
    public var handOver: (@Sendable (_ connection: Int32) -> Void)?

    /// The users whose processes may connect to a Unix socket, by their ids; nil: whoever its mode lets.
    public var allowedUsers: Set<UInt32>?

    /// Whether TCP connections may come from other machines.
    public var allowsRemote = false

    public init() {}
}
