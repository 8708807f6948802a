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
        let count = recv(connection.descriptor, buffer.baseAddress, buffer.count, Int32(MSG_PEEK | MSG_DONTWAIT))
        guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) ? .keep : .close }
        switch RecordScanner.scan(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
        case .refused: return .close
        case .incomplete:
            connection.setIncomplete(true)
            return count < buffer.count ? .keep : .close
        case .head(let head):
            connection.setIncomplete(false)
            return answer(head, connection)
        }
    }

    private func answer(_ head: RecordScanner.Head, _ connection: Connection) -> Outcome {
        var request = FCGX_Request()
        guard accept(head, connection, &request) else { return request.ipcFd < 0 ? .closed : .close }
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

    /// Lets libfcgi read the parameters.
    private func accept(_ head: RecordScanner.Head, _ connection: Connection, _ request: inout FCGX_Request) -> Bool {
        FCGX_InitRequest(&request, -1, 0)
        request.keepConnection = 1
        // Where it closes a descriptor itself, it does so without waiting for the peer.
        request.detached = 1
        switch head.body {
        case .none:
            // Nothing but this request is there, so libfcgi may read it from the connection.
            request.ipcFd = connection.descriptor
            guard FCGX_Accept_r(&request) == 0 else { return false }
            // Of more than 8 KiB the empty record that ends the body is still unread.
            _ = FCGX_GetChar(request.in)
            return true
        case .follows, .ofNoInterest:
            guard let copy = detour(head, connection) else { return false }
            request.ipcFd = copy
            let isAccepted = FCGX_Accept_r(&request) == 0
            if isAccepted { Glibc.close(copy) }
            request.ipcFd = connection.descriptor
            return isAccepted
        }
    }

    /// Takes the request up to its body from the connection, and makes it readable, with an empty body, at
    /// the end of a socket pair: libfcgi reads more than it needs, and would take what it finds for records.
    private func detour(_ head: RecordScanner.Head, _ connection: Connection) -> Int32? {
        var pair: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &pair) { bytes in
            socketpair(
                AF_UNIX,
                Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
                0,
                bytes.baseAddress?.assumingMemoryBound(to: Int32.self)
            )
        }
        guard result == 0 else { return nil }
        defer { Glibc.close(pair.0) }
        let consumed = recv(connection.descriptor, buffer.baseAddress, head.length, Int32(MSG_DONTWAIT))
        let end: [UInt8] = [
            RecordHeader.version, RecordHeader.Kind.stdin.rawValue, UInt8(head.id >> 8), UInt8(head.id & 0xFF), 0, 0, 0,
            0,
        ]
        guard consumed == head.length, send(pair.0, buffer.baseAddress, head.length, 0) == head.length,
            send(pair.0, end, end.count, 0) == end.count
        else {
            Glibc.close(pair.1)
            return nil
        }
        return pair.1
    }
}
