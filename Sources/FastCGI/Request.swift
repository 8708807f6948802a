/// What the web server wants to know (FastCGI 1.0, section 6).
public enum Role: Sendable {
    /// The answer goes to the client.
    case responder
    /// Status 200 lets the request go on; anything else goes to the client.
    case authorizer
}

/// Answers a request.
///
/// It is called on the thread of an event loop, on which nothing may wait: all connections of the loop would. A handler
/// that has to wait for a disk, a hash or another process puts the request off (``Request/postpone(_:)``).
public typealias Handler = @Sendable (Request) -> Response

/// One request in flight. A handler must not keep it after it has answered.
public final class Request {
    // A thread and its handler have it, one after the other. Other modules do not see that of a stored property, and would
    // check each access.
    @exclusivity(unchecked) private var currentRole: Role
    @exclusivity(unchecked) private var currentParameters: Parameters
    @exclusivity(unchecked) private var content: ReceivedBody
    @exclusivity(unchecked) private var keptState: (any Sendable)?

    public var role: Role { currentRole }
    public var parameters: Parameters { currentParameters }

    /// Where it waits when it is put off; nil: the thread is the handler's own, as in a test or a CGI program.
    private let queue: RequestQueue?
    /// For which line its thread may wait; nil: for none.
    private let line: Turn.Line?
    @exclusivity(unchecked) private(set) var turn: Turn?

    /// Whether the handler has put it off, so that its answer is dropped.
    public var isPostponed: Bool { turn != nil }

    /// Whether it waited for longer than ``ServerOptions/queueTimeout``: the handler has to refuse it. It runs on a
    /// thread that must not wait.
    public let hasWaitedTooLong: Bool

    /// What a handler wants to know again when a request that it puts off comes back, as what was counted already.
    public var kept: (any Sendable)? {
        get { keptState }
        set { keptState = newValue }
    }

    /// A request of an event loop, used for one after the other.
    init(role: Role, parameters: Parameters, queue: RequestQueue?) {
        currentRole = role
        currentParameters = parameters
        self.queue = queue
        content = .none
        line = nil
        hasWaitedTooLong = false
    }

    /// A request that was put off, on a thread that may wait.
    init(_ postponed: PostponedRequest, _ queue: RequestQueue, isRefused: Bool) {
        currentRole = postponed.head.role
        currentParameters = postponed.parameters
        content = postponed.body
        keptState = postponed.kept
        self.queue = queue
        line = isRefused ? nil : postponed.turn.line
        hasWaitedTooLong = isRefused
    }

    /// For tests, and for answering without a web server.
    public init(role: Role = .responder, parameters: Parameters, body: [UInt8] = []) {
        currentRole = role
        currentParameters = parameters
        queue = nil
        content = .whole(body)
        line = .scarce
        hasWaitedTooLong = false
    }

    /// A CGI program's only one.
    init(parameters: Parameters, reading body: ReceivedBody) {
        currentRole = .responder
        currentParameters = parameters
        queue = nil
        content = body
        line = .scarce
        hasWaitedTooLong = false
    }

    /// Becomes another request, and takes its parameters.
    func begin(_ role: Role, _ parameters: inout Parameters, _ body: ReceivedBody) {
        currentRole = role
        content = body
        turn = nil
        keptState = nil
        swap(&currentParameters, &parameters)
    }

    /// Gives the parameters back.
    func end(_ parameters: inout Parameters) {
        content = .none
        swap(&currentParameters, &parameters)
    }

    /// What has to be kept of it while it waits. It has no parameters afterwards.
    func takePostponed(_ head: RecordScanner.Head, _ turn: Turn, since: UInt64) -> PostponedRequest {
        defer {
            currentParameters = Parameters()
            content = .none
            keptState = nil
        }
        return PostponedRequest(
            head: head,
            parameters: parameters,
            body: content,
            kept: kept,
            turn: turn,
            since: since
        )
    }

    // MARK: Waiting

    /// Whether the handler may wait for what `line` stands for.
    public func mayWait(in line: Turn.Line = .ordinary) -> Bool { self.line == line || self.line == .scarce }

    /// Whether the thread that answers it is the handler's own, and waits for nobody else: there is no server.
    public var isAlone: Bool { queue == nil }

    /// Puts the request off: once its turn has come the handler is called again, from the beginning, on a thread that may
    /// wait. Whatever the handler returns now is dropped (``Response/postponed``).
    ///
    /// Nothing must have been done by then that must not be done twice, but for what ``kept`` tells.
    /// - Returns: false where as many wait as may (``ServerOptions/maximumWaiting``), or there is no server: then the
    ///   handler has to answer.
    public func postpone(_ turn: Turn) -> Bool {
        guard !hasWaitedTooLong, let queue else { return false }
        // The records of a head are about as long as its parameters.
        guard queue.hasRoom(for: turn, bytes: 2 * parameters.size + content.count) else { return false }
        self.turn = turn
        return true
    }

    // MARK: Body

    /// The whole body. It is there before the handler is called.
    ///
    /// - Parameter limit: In bytes. `CONTENT_LENGTH` is judged first.
    /// - Throws: ``BodyError``.
    public func body(limit: Int) throws(BodyError) -> [UInt8] {
        let announced = try contentLength()
        if let announced, announced > limit { throw .tooLarge(limit: limit) }
        let body = try content.bytes(announced: announced)
        guard body.count <= limit else { throw .tooLarge(limit: limit) }
        guard announced == nil || announced == body.count else { throw .interrupted }
        if case .standardInput = content { content = .whole(body) }
        return body
    }

    /// nil where there is none or it is empty.
    private func contentLength() throws(BodyError) -> Int? {
        guard let digits = parameters.value(of: "CONTENT_LENGTH"), !digits.isEmpty else { return nil }
        guard digits.count < 16, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw .interrupted
        }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}

/// Why a body cannot be had.
public enum BodyError: Error, Equatable, Sendable {
    case tooLarge(limit: Int)
    /// The peer went away, fell silent, or sent something else than it had announced.
    case interrupted
    /// The server keeps as many bytes for others as it may (``ServerOptions/bufferLimit``).
    case noRoom
}

/// What came as the body of a request.
enum ReceivedBody: Sendable {
    case none
    case whole([UInt8])
    case failed(BodyError)
    /// To be read from there: RFC 3875, section 4.2.
    case standardInput

    /// Bytes that are kept.
    var count: Int { if case .whole(let bytes) = self { bytes.count } else { 0 } }

    func bytes(announced: Int?) throws(BodyError) -> [UInt8] {
        switch self {
        case .none: return []
        case .whole(let bytes): return bytes
        case .failed(let error): throw error
        case .standardInput: return try StandardInput.read(announced ?? 0)
        }
    }
}
