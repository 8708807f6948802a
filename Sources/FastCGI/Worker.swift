internal import CFastCGI
internal import Glibc

/// One thread of a ``Server``: waits for a connection that has something to say, and answers it.
final class Worker {
    private let server: Server
    private let place: WorkerPlace
    private var parameters = Parameters()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: RecordScanner.maximumHead, alignment: 16)

    init(_ server: Server) {
        self.server = server
        place = WorkerPlace(among: server.places)
    }

    deinit { buffer.deallocate() }

    func run() {
        var ends = 0
        // Two in a row: between them every connection had its turn.
        while ends < 2 {
            if !place.isHeld { place.take() }
            switch server.next() {
            case .connection(let connection):
                serve(connection)
                ends = 0
            case .nothing: ends = 0
            case .end: ends += 1
            }
        }
        place.giveUp()
    }

    /// What becomes of a connection.
    private enum Outcome {
        case keep
        case close
        /// libfcgi has closed it.
        case closed
    }

    /// Answers requests until nothing more has arrived.
    private func serve(_ connection: Connection) {
        repeat {
            switch answerNext(connection) {
            case .keep: break
            case .close: return server.close(connection)
            case .closed: return server.connections.remove(connection)
            }
        } while !connection.release()
    }

    private func answerNext(_ connection: Connection) -> Outcome {
        let pending = connection.pending
        buffer.copyBytes(from: pending)
        let free = UnsafeMutableRawBufferPointer(rebasing: buffer[pending.count...])
        let count = recv(connection.descriptor, free.baseAddress, free.count, Int32(MSG_PEEK | MSG_DONTWAIT))
        guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) ? .keep : .close }
        switch RecordScanner.scan(UnsafeRawBufferPointer(rebasing: buffer[..<(pending.count + count)])) {
        case .refused: return .close
        case .incomplete(let length):
            // What has come is taken, so that the peer has room for the rest.
            guard length < buffer.count, take(pending.count..<length, from: connection) else { return .close }
            connection.setPending(Array(buffer[..<length]))
            return .keep
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
        var request = FCGX_Request()
        // Nothing but this request is there, so libfcgi may read it from the connection.
        let isDirect = head.body == .none && taken == 0
        guard isDirect ? accept(connection, &request) : acceptCopy(of: head, taken: taken, connection, &request) else {
            return request.ipcFd < 0 ? .closed : .close
        }
        let keeps = request.keepConnection != 0 && head.body != .ofNoInterest
        // The descriptor is ours to close, whatever the peer wants.
        request.keepConnection = 1
        // libfcgi puts the role in front of what the peer sent.
        parameters.load(request.envp, skipping: 1)
        let body = RequestBody(
            connection.descriptor,
            id: head.id,
            isAtEnd: head.body != .follows,
            place: place,
            timeout: server.options.bodyTimeout
        )
        let response = server.handler(Request(role: head.role, parameters: parameters, source: body))
        let isDrained = body.drain(limit: server.options.drainLimit)
        response.bytes.withUnsafeBytes { bytes in
            _ = FCGX_PutStr(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(clamping: bytes.count),
                request.out
            )
        }
        FCGX_Finish_r(&request)
        if request.ipcFd < 0 { return .closed }
        return keeps && isDrained ? .keep : .close
    }

    /// Lets libfcgi read the request from its connection.
    private func accept(_ connection: Connection, _ request: inout FCGX_Request) -> Bool {
        guard accept(connection.descriptor, &request) else { return false }
        // Of more than 8 KiB the empty record that ends the body is still unread.
        _ = FCGX_GetChar(request.in)
        return true
    }

    /// Lets libfcgi read a copy of the request up to its body, with an empty body, from a socket pair: it
    /// reads more than it needs, and would take what it finds in a body for records.
    private func acceptCopy(
        of head: RecordScanner.Head,
        taken: Int,
        _ connection: Connection,
        _ request: inout FCGX_Request
    ) -> Bool {
        let end: [UInt8] = [
            RecordHeader.version, RecordHeader.Kind.stdin.rawValue, UInt8(head.id >> 8), UInt8(head.id & 0xFF), 0, 0, 0,
            0,
        ]
        request.ipcFd = connection.descriptor
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
        let isAccepted = accept(pair[1], &request)
        if isAccepted { Glibc.close(pair[1]) }
        request.ipcFd = connection.descriptor
        return isAccepted
    }

    /// - Returns: false when libfcgi refused the request and closed the descriptor.
    private func accept(_ descriptor: Int32, _ request: inout FCGX_Request) -> Bool {
        FCGX_InitRequest(&request, -1, 0)
        request.keepConnection = 1
        // Where it closes a descriptor itself, it does so without waiting for the peer.
        request.detached = 1
        request.ipcFd = descriptor
        return FCGX_Accept_r(&request) == 0
    }
}
