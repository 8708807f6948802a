/// The body of a request as it comes, from its STDIN records (FastCGI 1.0, section 5.3).
///
/// Nothing that a client wrote into a body is ever taken for a record: what is read here is only counted by the lengths
/// that the web server wrote.
struct IncomingBody {
    private let id: UInt16
    private let limit: Int
    private let drainLimit: Int
    private(set) var bytes: [UInt8] = []
    /// Bytes of content that have come, kept or not.
    private var count = 0
    private var header: [UInt8] = []
    private var contentLeft = 0
    private var paddingLeft = 0
    private var isInLastRecord = false
    private(set) var state = State.incomplete
    private var error: BodyError?

    enum State {
        case incomplete
        /// Its end has come.
        case whole
        /// The peer sends what no web server sends, or more than is drained: the connection has to end with the answer.
        case broken
    }

    /// - Parameters:
    ///   - limit: Bytes that are kept.
    ///   - drainLimit: Bytes beyond `limit` that are read and dropped.
    init(id: UInt16, limit: Int, drainLimit: Int) {
        self.id = id
        self.limit = limit
        self.drainLimit = drainLimit
    }

    /// What the handler gets.
    var received: ReceivedBody {
        if let error { return .failed(error) }
        return state == .whole ? .whole(bytes) : .failed(.interrupted)
    }

    /// Drops what has come, and what is still to come.
    mutating func giveUp(_ error: BodyError) {
        self.error = self.error ?? error
        bytes = []
    }

    /// - Returns: How many bytes of `input` belong to the body. Those behind it are of the next request.
    mutating func take(_ input: UnsafeRawBufferPointer) -> Int {
        var position = 0
        while state == .incomplete, position < input.count || isInLastRecord && paddingLeft == 0 {
            if contentLeft > 0 {
                let part = min(contentLeft, input.count - position)
                keep(UnsafeRawBufferPointer(rebasing: input[position..<(position + part)]))
                contentLeft -= part
                position += part
            } else if paddingLeft > 0 {
                let part = min(paddingLeft, input.count - position)
                paddingLeft -= part
                position += part
            } else if isInLastRecord {
                state = .whole
            } else {
                let part = min(RecordHeader.length - header.count, input.count - position)
                header.append(contentsOf: input[position..<(position + part)])
                position += part
                if header.count == RecordHeader.length { beginRecord() }
            }
        }
        return position
    }

    private mutating func beginRecord() {
        let record = header.withUnsafeBytes { RecordHeader($0, at: 0) }
        header.removeAll(keepingCapacity: true)
        guard let record, record.type == .stdin, record.id == id else {
            state = .broken
            return
        }
        contentLeft = record.contentLength
        paddingLeft = record.paddingLength
        isInLastRecord = contentLeft == 0
    }

    private mutating func keep(_ content: UnsafeRawBufferPointer) {
        count += content.count
        if error == nil, count > limit { giveUp(.tooLarge(limit: limit)) }
        if error == nil { bytes.append(contentsOf: content) }
        if count > limit + drainLimit { state = .broken }
    }
}
