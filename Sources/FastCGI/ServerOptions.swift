/// How a ``Server`` works. The defaults are meant to be left alone.
public struct ServerOptions: Sendable {
    /// Threads: how many requests may be in the work at a time. All but a few of them are there for what is slow.
    public var workers = 64

    /// How many threads poll and answer at a time, each with connections of its own; nil: two, or one a core.
    public var pollers: Int?

    /// How long a request may take to arrive, from its first byte to the end of its parameters, and how long a
    /// write may block.
    public var receiveTimeout = Duration.seconds(5)

    /// How long the body of a request may take to arrive.
    public var bodyTimeout = Duration.seconds(5)

    /// How many bytes of a body that nobody read are read and forgotten, so that the peer gets its answer.
    public var drainLimit = 1 << 20

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
