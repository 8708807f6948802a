internal import CFastCGI
internal import Glibc

/// One thread of a ``Server``: holds a loop, and answers what comes.
final class Worker {
    private let server: Server
    private let place: WorkerPlace
    private var parameters = Parameters()
    private let body: RequestBody
    /// Used for one request after the other.
    private var live: Request
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
            case .listener(let descriptor): _ = server.accept(descriptor)
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
        let pending = connection.pending
        buffer.copyBytes(from: pending)
        let free = UnsafeMutableRawBufferPointer(rebasing: buffer[pending.count...])
        let count = recv(connection.descriptor, free.baseAddress, free.count, Int32(MSG_PEEK | MSG_DONTWAIT))
        guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) ? .idle : .close }
        switch RecordScanner.scan(
            UnsafeRawBufferPointer(rebasing: buffer[..<(pending.count + count)]),
            into: &parameters
        ) {
        case .refused: return .close
        case .incomplete(let length):
            // What has come is taken, so that the peer has room for the rest.
            guard length < buffer.count, take(pending.count..<length, from: connection) else { return .close }
            connection.setPending(Array(buffer[..<length]))
            return .idle
        case .head(let head):
            connection.clearPending()
            return answer(head, taken: pending.count, connection)
        }
    }

    /// Takes bytes from the connection that have been looked at, to where they are in the buffer already.
    private func take(_ range: Range<Int>, from connection: Connection) -> Bool {
        let place = UnsafeMutableRawBufferPointer(rebasing: buffer[range])
        return range.isEmpty
            || recv(connection.descriptor, place.baseAddress, place.count, Int32(MSG_DONTWAIT)) == place.count
    }

    /// - Parameter taken: How many bytes of the head are not in the connection any more.
    private func answer(_ head: RecordScanner.Head, taken: Int, _ connection: Connection) -> Outcome {
        // Nothing but this request is there, so libfcgi may read it from the connection.
        let isDirect = head.body == .none && taken == 0
        guard isDirect ? accept(connection) : acceptCopy(of: head, taken: taken, connection) else {
            return request.pointee.ipcFd < 0 ? .closed : .close
        }
        let keeps = request.pointee.keepConnection != 0 && head.body != .ofNoInterest
        // The descriptor is ours to close, whatever the peer wants.
        request.pointee.keepConnection = 1
        body.begin(connection.descriptor, id: head.id, isAtEnd: isDirect || head.body == .ofNoInterest)
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
        return keeps && isDrained ? .answered(mayHaveMore: !isDirect) : .close
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

    /// Lets libfcgi read the request from its connection.
    private func accept(_ connection: Connection) -> Bool {
        guard accept(connection.descriptor) else { return false }
        // Of more than 8 KiB the empty record that ends the body is still unread.
        _ = FCGX_GetChar(request.pointee.in)
        return true
    }

    /// Lets libfcgi read a copy of the request up to its body, with an empty body, from a socket pair: it
    /// reads more than it needs, and would take what it finds in a body for records.
    private func acceptCopy(
        of head: RecordScanner.Head,
        taken: Int,
        _ connection: Connection
    ) -> Bool {
        let end: [UInt8] = [
            RecordHeader.version, RecordHeader.Kind.stdin.rawValue, UInt8(head.id >> 8), UInt8(head.id & 0xFF), 0, 0, 0,
            0,
        ]
        request.pointee.ipcFd = connection.descriptor
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
            return false
        }
        defer { Glibc.close(pair[0]) }
        let isWritten =
            send(pair[0], buffer.baseAddress, head.length, 0) == head.length
            && send(pair[0], end, end.count, 0) == end.count
        guard isWritten, take(taken..<head.length, from: connection) else {
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
