internal import CLinux
internal import Glibc

/// The thread of one event loop: reads requests, and answers those that wait for nothing. It never waits for anything but the
/// next event, so what one connection does holds up no other.
final class LoopThread {
    private let server: Server
    private let loop: EventLoop
    // One thread has all of this, and no access to it lasts while another begins.
    @exclusivity(unchecked) private var parameters = Parameters()
    /// Used for one request after the other.
    @exclusivity(unchecked) private var live: Request
    private let writer = AnswerWriter()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: RecordScanner.maximumHead, alignment: 16)

    init(_ server: Server, _ loop: EventLoop) {
        self.server = server
        self.loop = loop
        live = Request(role: .responder, parameters: parameters, queue: server.queue)
    }

    deinit { buffer.deallocate() }

    func run() {
        linux_thread_may_not_wait(server.waits.counter)
        while !server.isOver {
            switch loop.next() {
            case .connection(let connection, let isHalfClosed): serve(connection, looksAgain: isHalfClosed)
            case .listener(let descriptor): server.acceptWaiting(descriptor)
            case .stop: server.drain(loop)
            case .pause: break
            }
            if loop.isCareDue(server.queue.hasSomebody) { care() }
        }
    }

    /// What becomes of a connection.
    private enum Outcome {
        /// More has to come first, or room for what is to be sent.
        case waits
        /// A thread that may wait has it.
        case lent
        /// More may be there already, of which no event tells.
        case goesOn(mayHaveMore: Bool)
        case close
    }

    /// Answers requests until nothing more has arrived.
    ///
    /// - Parameter looksAgain: Whether the peer sends nothing any more, so that no event will tell of its end.
    private func serve(_ connection: Connection, looksAgain: Bool) {
        guard finishSending(connection) else { return }
        guard connection.takeUpRest() else { return server.connections.close(connection) }
        while true {
            switch answerNext(connection) {
            case .goesOn(let mayHaveMore) where mayHaveMore || looksAgain: continue
            case .waits, .lent, .goesOn: return
            case .close: return server.connections.close(connection)
            }
        }
    }

    /// - Returns: Whether nothing is left to send, and the connection is there still.
    private func finishSending(_ connection: Connection) -> Bool {
        guard connection.isSending else { return true }
        switch connection.flush() {
        case .partly: return false
        case .all(close: false):
            connection.finish()
            if loop.watchInputAlone(connection) { return true }
        case .all, .failed: break
        }
        server.connections.close(connection)
        return false
    }

    private func answerNext(_ connection: Connection) -> Outcome {
        let known = connection.pending.count
        buffer.copyBytes(from: connection.pending)
        let free = UnsafeMutableRawBufferPointer(rebasing: buffer[known...])
        let count = recv(connection.descriptor, free.baseAddress, free.count, Int32(MSG_DONTWAIT))
        if count > 0 { connection.use() }
        // What was left behind the last request may be a whole one.
        let isQuiet = count < 0 && (errno == EAGAIN || errno == EINTR)
        guard count > 0 || connection.hasUnseen && (isQuiet || count == 0) else { return isQuiet ? .waits : .close }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<(known + max(0, count))])
        let mayHaveMore = bytes.count == buffer.count
        guard connection.incoming == nil else { return goOn(connection, bytes, mayHaveMore: mayHaveMore) }
        switch RecordScanner.scan(bytes, into: &parameters) {
        case .refused: return .close
        case .incomplete:
            guard bytes.count < buffer.count, connection.setPending(Array(bytes)) else { return .close }
            return .waits
        case .head(let head):
            connection.finish()
            let headBytes = UnsafeRawBufferPointer(rebasing: bytes[..<head.length])
            let rest = UnsafeRawBufferPointer(rebasing: bytes[head.length...])
            guard head.body == .follows else {
                return answer(
                    Arrived(head: head, bytes: headBytes, closesAfterwards: head.body == .ofNoInterest),
                    connection,
                    mayHaveMore: mayHaveMore
                )
            }
            return begin(connection, head, headBytes, rest, mayHaveMore: mayHaveMore)
        }
    }

    // MARK: Bodies

    /// A request whose body follows, or begins in `rest`.
    private func begin(
        _ connection: Connection,
        _ head: RecordScanner.Head,
        _ headBytes: UnsafeRawBufferPointer,
        _ rest: UnsafeRawBufferPointer,
        mayHaveMore: Bool
    ) -> Outcome {
        var body = IncomingBody(
            id: head.id,
            limit: server.options.bodyLimit,
            drainLimit: server.options.drainLimit
        )
        let count = body.take(rest)
        guard body.state == .incomplete else {
            return answer(
                Arrived(
                    head: head,
                    bytes: headBytes,
                    body: body.received,
                    rest: UnsafeRawBufferPointer(rebasing: rest[count...]),
                    closesAfterwards: body.state == .broken
                ),
                connection,
                mayHaveMore: mayHaveMore
            )
        }
        guard connection.setIncoming(.init(head: head, bytes: Array(headBytes), body: body)) else {
            return answerIncoming(connection, mayHaveMore: mayHaveMore)
        }
        return .goesOn(mayHaveMore: mayHaveMore)
    }

    /// More of a body has come.
    private func goOn(_ connection: Connection, _ bytes: UnsafeRawBufferPointer, mayHaveMore: Bool) -> Outcome {
        let count = connection.takeBody(bytes)
        guard connection.incoming?.body.state != .incomplete else { return .goesOn(mayHaveMore: mayHaveMore) }
        return answerIncoming(
            connection,
            rest: UnsafeRawBufferPointer(rebasing: bytes[count...]),
            mayHaveMore: mayHaveMore
        )
    }

    /// A request whose body is whole, or will never be.
    private func answerIncoming(
        _ connection: Connection,
        rest: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        mayHaveMore: Bool
    ) -> Outcome {
        guard let request = connection.takeIncoming() else { return .close }
        return request.bytes.withUnsafeBytes { bytes in
            // It was let pass before; now its parameters are wanted.
            _ = RecordScanner.scan(bytes, into: &parameters)
            return answer(
                Arrived(
                    head: request.head,
                    bytes: bytes,
                    body: request.body.received,
                    rest: rest,
                    closesAfterwards: request.body.state != .whole
                ),
                connection,
                mayHaveMore: mayHaveMore
            )
        }
    }

    // MARK: Answers

    /// A request that has arrived, whose parameters were read.
    private struct Arrived {
        let head: RecordScanner.Head
        /// Its records up to the body.
        let bytes: UnsafeRawBufferPointer
        var body = ReceivedBody.none
        /// What has come behind it.
        var rest = UnsafeRawBufferPointer(start: nil, count: 0)
        /// Whether nothing can be read behind it.
        var closesAfterwards: Bool
    }

    /// - Parameter mayHaveMore: Whether not all may have been read that has come.
    private func answer(_ request: Arrived, _ connection: Connection, mayHaveMore: Bool) -> Outcome {
        let head = request.head
        // One that a handler has kept, which it must not, at least never becomes another.
        if !isKnownUniquelyReferenced(&live) {
            live = Request(role: head.role, parameters: Parameters(), queue: server.queue)
        }
        live.begin(head.role, &parameters, request.body)
        let response = server.handler(live)
        let closesAfterwards = request.closesAfterwards || !head.keepsConnection
        if let turn = live.turn {
            let postponed = live.takePostponed(head, turn, since: MonotonicClock.now())
            connection.setRestOfLent(Array(request.rest))
            server.connections.lend(connection)
            server.postpone(
                RequestQueue.Entry(
                    postponed,
                    connection,
                    headBytes: head.body == .follows ? Array(request.bytes) : [],
                    closesAfterwards: closesAfterwards
                ),
                writer
            )
            return .lent
        }
        live.end(&parameters)
        switch writer.send(response, head, request.bytes, to: connection, closesAfterwards: closesAfterwards) {
        case .failed: return .close
        case .partly:
            return connection.setRest(Array(request.rest)) && loop.watchOutput(connection) ? .waits : .close
        case .all:
            guard !closesAfterwards else { return .close }
            guard !request.rest.isEmpty else { return .goesOn(mayHaveMore: mayHaveMore) }
            return connection.setPending(Array(request.rest), isUnseen: true) ? .goesOn(mayHaveMore: true) : .close
        }
    }

    // MARK: Those who do not go on

    private func care() {
        for entry in server.queue.takeOverdue() { server.answer(entry, writer, isRefused: true) }
        var sending: [Connection] = []
        for connection in server.connections.connections(of: loop) {
            if loop.isDraining, connection.isIdle {
                release(connection)
            } else if connection.isOverdue {
                giveUp(connection)
            } else if connection.isSending {
                sending.append(connection)
            }
        }
        // One at a time, until there is room again; first the one whose end gives most back.
        if loop.budget.isTight, let greatest = sending.max(by: { $0.reserved < $1.reserved }) { giveUp(greatest) }
    }

    /// The peer has had its time. A body that never came whole is answered all the same.
    private func giveUp(_ connection: Connection) {
        if connection.incoming != nil {
            guard case .close = answerIncoming(connection, mayHaveMore: false) else { return }
        }
        server.connections.close(connection)
    }

    /// The server stops.
    private func release(_ connection: Connection) {
        var byte: UInt8 = 0
        let count = recv(connection.descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        if count > 0 { return }
        if count < 0, errno == EAGAIN {
            if let handOver = server.options.handOver {
                // Whoever keeps it has a descriptor of his own, for which epoll would go on telling of it.
                loop.ignore(connection.descriptor)
                handOver(connection.descriptor)
            } else if connection.isNew {
                return
            }
        }
        server.connections.close(connection)
    }
}
