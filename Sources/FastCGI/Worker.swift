internal import CFastCGI
internal import Glibc

/// One thread of a ``Server``: holds a loop, and answers what comes.
final class Worker {
    private let server: Server
    private let place: WorkerPlace
    // One thread has all of this, and no access to it lasts while another begins.
    @exclusivity(unchecked) private var parameters = Parameters()
    private let body: RequestBody
    /// Used for one request after the other.
    @exclusivity(unchecked) private var live: Request
    /// What is about to be sent, used again and again.
    @exclusivity(unchecked) private var output: [UInt8] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: RecordScanner.maximumHead, alignment: 16)

    /// libfcgi keeps its address from one call to the next, so it has a place of its own.
    private let request = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)

    init(_ server: Server) {
        self.server = server
        place = WorkerPlace(server.pool, server.connections)
        body = RequestBody(place, timeout: server.options.bodyTimeout)
        live = Request(role: .responder, parameters: parameters, source: body)
        request.initialize(to: FCGX_Request())
    }

    deinit {
        buffer.deallocate()
        request.deallocate()
    }

    func run() {
        while let loop = place.hold() {
            switch loop.next() {
            case .connection(let connection, let isHalfClosed): serve(connection, looksAgain: isHalfClosed)
            case .listener(let descriptor): server.acceptWaiting(descriptor)
            case .stop: server.drain(loop)
            case .silence: break
            }
        }
    }

    /// What becomes of a connection.
    private enum Outcome {
        /// There is nothing to answer.
        case idle
        /// More may be there already, of which no event tells.
        case answered(mayHaveMore: Bool)
        case close
        /// libfcgi has closed it.
        case closed
    }

    /// Answers requests until nothing more has arrived.
    ///
    /// - Parameter looksAgain: Whether the peer sends nothing any more, so that no event will tell of its end.
    private func serve(_ connection: Connection, looksAgain: Bool) {
        place.connection = connection
        while true {
            switch answerNext(connection) {
            case .answered(let mayHaveMore) where mayHaveMore || looksAgain: continue
            case .idle, .answered:
                // Without the loop, it is lent.
                if place.loop == nil { server.connections.takeBack(connection) }
            case .close: server.connections.close(connection)
            case .closed: server.connections.remove(connection)
            }
            return
        }
    }

    private func answerNext(_ connection: Connection) -> Outcome {
        let known = connection.pending.count
        buffer.copyBytes(from: connection.pending)
        let free = UnsafeMutableRawBufferPointer(rebasing: buffer[known...])
        let count = recv(connection.descriptor, free.baseAddress, free.count, Int32(MSG_DONTWAIT))
        if count > 0 { connection.use() }
        // What was left behind the last request may be a whole one.
        let isQuiet = count < 0 && (errno == EAGAIN || errno == EINTR)
        guard count > 0 || connection.hasUnseen && (isQuiet || count == 0) else { return isQuiet ? .idle : .close }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<(known + max(0, count))])
        switch RecordScanner.scan(bytes, into: &parameters) {
        case .refused: return .close
        case .incomplete:
            guard bytes.count < buffer.count else { return .close }
            connection.setPending(Array(bytes))
            return .idle
        case .head(let head):
            connection.clearPending()
            let rest = UnsafeRawBufferPointer(rebasing: bytes[head.length...])
            guard head.body == .none else { return answerByLibrary(head, rest, connection) }
            return answer(head, connection, mayHaveMore: bytes.count == buffer.count)
        }
    }

    /// A request that is there whole. libfcgi would read it once more, and costs as much as all that we do for a token: so
    /// it is answered without.
    ///
    /// - Parameter mayHaveMore: Whether not all may have been read that has come.
    private func answer(_ head: RecordScanner.Head, _ connection: Connection, mayHaveMore: Bool) -> Outcome {
        body.begin(connection.descriptor, head.id, nil)
        let response = handle(head.role)
        output.removeAll(keepingCapacity: true)
        RecordWriter.put(response.bytes, id: head.id, to: &output)
        guard RecordWriter.send(output, connection.descriptor) else { return .close }
        return head.keepsConnection ? .answered(mayHaveMore: mayHaveMore) : .close
    }

    /// A request with a body.
    ///
    /// - Parameter rest: What has come of the body, and perhaps of what is behind it.
    private func answerByLibrary(
        _ head: RecordScanner.Head,
        _ rest: UnsafeRawBufferPointer,
        _ connection: Connection
    ) -> Outcome {
        guard accept(head, connection) else { return request.pointee.ipcFd < 0 ? .closed : .close }
        // The descriptor is ours to close, whatever the peer wants.
        request.pointee.keepConnection = 1
        body.begin(connection.descriptor, head.id, head.body == .ofNoInterest ? nil : Array(rest))
        let response = handle(head.role)
        let isDrained = body.drain(limit: server.options.drainLimit)
        response.bytes.withUnsafeBytes { bytes in
            _ = FCGX_PutStr(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(clamping: bytes.count),
                request.pointee.out
            )
        }
        FCGX_Finish_r(request)
        if request.pointee.ipcFd < 0 { return .closed }
        guard head.keepsConnection, head.body != .ofNoInterest, isDrained else { return .close }
        connection.setUnseen(body.takeRest())
        return .answered(mayHaveMore: true)
    }

    /// - Returns: What the handler answers to the request whose parameters have been read.
    private func handle(_ role: Role) -> Response {
        // One that a handler has kept, which it must not, at least never becomes another.
        if !isKnownUniquelyReferenced(&live) {
            live = Request(role: role, parameters: Parameters(), source: body)
        }
        live.begin(role, &parameters)
        defer { live.end(&parameters) }
        return server.handler(live)
    }

    /// Lets libfcgi read a copy of the request up to its body, with an empty body, from a socket pair: it
    /// reads more than it needs, and would take what it finds in a body for records.
    private func accept(_ head: RecordScanner.Head, _ connection: Connection) -> Bool {
        request.pointee.ipcFd = connection.descriptor
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
            return false
        }
        defer { Glibc.close(pair[0]) }
        output.removeAll(keepingCapacity: true)
        output.append(contentsOf: buffer[..<head.length])
        RecordHeader(.stdin, id: head.id, contentLength: 0).put(to: &output)
        guard send(pair[0], output, output.count, 0) == output.count else {
            Glibc.close(pair[1])
            return false
        }
        let isAccepted = accept(pair[1])
        if isAccepted { Glibc.close(pair[1]) }
        request.pointee.ipcFd = connection.descriptor
        return isAccepted
    }

    /// - Returns: false when libfcgi refused the request and closed the descriptor.
    private func accept(_ descriptor: Int32) -> Bool {
        FCGX_InitRequest(request, -1, 0)
        request.pointee.keepConnection = 1
        // Where it closes a descriptor itself, it does so without waiting for the peer.
        request.pointee.detached = 1
        request.pointee.ipcFd = descriptor
        return FCGX_Accept_r(request) == 0
    }
}
