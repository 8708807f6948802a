/// Reads the records of a request up to its body, before libfcgi sees any of them.
///
/// libfcgi believes what it reads: a management record or a length that is too great ends the process, a
/// STDIN or ABORT record among the parameters starts a request without any, and a second BEGIN starts one
/// with parameters of the sender's choice. So nothing is let pass but what a web server sends: BEGIN_REQUEST,
/// PARAMS whose pairs add up, the empty PARAMS, and STDIN (FastCGI 1.0, sections 3 and 5).
enum RecordScanner {
    /// Bytes of all parameters of a request at most, with their lengths.
    static let maximumParameters = 64 * 1024

    /// Bytes that a request without body takes at most: with room for a header and padding a record.
    static let maximumHead = 2 * maximumParameters

    /// FCGI_KEEP_CONN.
    private static let keepConnectionFlag: UInt8 = 1

    enum Outcome: Equatable {
        /// Good so far; more is to come.
        case incomplete
        /// No web server sends this.
        case refused
        case head(Head)
    }

    /// A request up to its body.
    struct Head: Equatable {
        let id: UInt16
        let role: Role
        /// Whether the web server wants to send another request afterwards.
        let keepsConnection: Bool
        /// Bytes up to the end of the empty PARAMS record.
        let length: Int
        fileprivate(set) var body: Body
    }

    enum Body {
        /// The empty STDIN record is there, and nothing behind it.
        case none
        /// Records of STDIN follow, perhaps only the empty one, and perhaps another request.
        case follows
        /// An authorizer gets none; what follows, if anything, is of no interest.
        case ofNoInterest
    }

    /// - Parameter parameters: Gets the parameters of the request, as far as they have come.
    static func scan(_ bytes: UnsafeRawBufferPointer, into parameters: inout Parameters) -> Outcome {
        parameters.removeAll()
        guard let begin = RecordHeader(bytes, at: 0) else { return incompleteHeader(bytes, 0) }
        guard begin.type == .beginRequest, begin.id != 0, begin.contentLength == 8 else { return .refused }
        guard begin.end(from: 0) <= bytes.count else { return .incomplete }
        let role: Role
        switch (bytes[8], bytes[9]) {
        case (0, 1): role = .responder
        case (0, 2): role = .authorizer
        default: return .refused
        }
        var position = begin.end(from: 0)
        var outcome: Outcome?
        while outcome == nil {
            guard let header = RecordHeader(bytes, at: position) else {
                outcome = incompleteHeader(bytes, position)
                break
            }
            guard header.type == .params, header.id == begin.id else { return .refused }
            let content = position + RecordHeader.length
            let end = min(content + header.contentLength, bytes.count)
            parameters.append(UnsafeRawBufferPointer(rebasing: bytes[content..<end]))
            guard parameters.size <= maximumParameters else { return .refused }
            position = header.end(from: position)
            if position > bytes.count { outcome = .incomplete }
            if header.contentLength == 0 { break }
        }
        switch parameters.findPairs(maximumLength: maximumParameters) {
        case .malformed: return .refused
        case .unfinished: return outcome ?? .refused
        case .whole: break
        }
        if let outcome { return outcome }
        guard parameters.size > 0 else { return .refused }
        let keepsConnection = bytes[10] & Self.keepConnectionFlag != 0
        return body(
            bytes,
            Head(id: begin.id, role: role, keepsConnection: keepsConnection, length: position, body: .follows)
        )
    }

    private static func body(_ bytes: UnsafeRawBufferPointer, _ head: Head) -> Outcome {
        func outcome(_ body: Body) -> Outcome {
            var head = head
            head.body = body
            return .head(head)
        }
        guard let header = RecordHeader(bytes, at: head.length) else {
            if head.role == .authorizer { return outcome(.ofNoInterest) }
            return incompleteHeader(bytes, head.length) == .refused ? .refused : .incomplete
        }
        guard header.type == .stdin, header.id == head.id else { return .refused }
        guard header.contentLength == 0 else { return outcome(head.role == .authorizer ? .ofNoInterest : .follows) }
        guard header.paddingLength == 0 else { return outcome(.follows) }
        return outcome(head.length + RecordHeader.length == bytes.count ? .none : .follows)
    }

    /// A header that is not there whole: its first byte, the version, is looked at all the same.
    private static func incompleteHeader(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> Outcome {
        guard bytes.count - position < RecordHeader.length else { return .refused }
        let isOfOtherVersion = position < bytes.count && bytes[position] != RecordHeader.version
        return isOfOtherVersion ? .refused : .incomplete
    }
}

/// FastCGI 1.0, section 3.3.
struct RecordHeader {
    enum Kind: UInt8 {
        case beginRequest = 1
        case endRequest = 3
        case params = 4
        case stdin = 5
        case stdout = 6
    }

    static let version: UInt8 = 1
    static let length = 8

    let type: Kind
    let id: UInt16
    let contentLength: Int
    let paddingLength: Int

    /// nil when there are not enough bytes, the version is another one, or no web server sends such a record.
    init?(_ bytes: UnsafeRawBufferPointer, at position: Int) {
        guard bytes.count - position >= Self.length, bytes[position] == Self.version,
            let type = Kind(rawValue: bytes[position + 1])
        else { return nil }
        self.type = type
        id = UInt16(bytes[position + 2]) << 8 | UInt16(bytes[position + 3])
        contentLength = Int(bytes[position + 4]) << 8 | Int(bytes[position + 5])
        paddingLength = Int(bytes[position + 6])
    }

    init(_ type: Kind, id: UInt16, contentLength: Int) {
        self.type = type
        self.id = id
        self.contentLength = contentLength
        paddingLength = 0
    }

    func put(to bytes: inout [UInt8]) {
        let first = UInt64(Self.version) << 56 | UInt64(type.rawValue) << 48 | UInt64(id) << 32
        let word = first | UInt64(contentLength) << 16 | UInt64(paddingLength) << 8
        withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
    }

    func end(from position: Int) -> Int { position + Self.length + contentLength + paddingLength }
}
