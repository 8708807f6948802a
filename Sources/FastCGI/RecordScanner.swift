/// Looks at the records of a request before libfcgi does.
///
/// libfcgi believes what it reads: a management record or a length that is too great ends the process, a
/// STDIN or ABORT record among the parameters starts a request without any, and a second BEGIN starts one
/// with parameters of the sender's choice. So nothing reaches it but what a web server sends: BEGIN_REQUEST,
/// PARAMS whose pairs add up, the empty PARAMS, and STDIN (FastCGI 1.0, sections 3 and 5).
enum RecordScanner {
    /// Bytes of all parameters of a request at most, with their lengths.
    static let maximumParameters = 64 * 1024

    /// Bytes that a request without body takes at most: with room for a header and padding a record.
    static let maximumHead = 2 * maximumParameters

    enum Outcome: Equatable {
        /// Good so far; more is to come. That many of the bytes belong to the head, whatever comes.
        case incomplete(length: Int)
        /// No web server sends this.
        case refused
        case head(Head)
    }

    /// A request up to its body.
    struct Head: Equatable {
        let id: UInt16
        let role: Role
        /// Bytes up to the end of the empty PARAMS record.
        let length: Int
        let body: Body
    }

    enum Body {
        /// The empty STDIN record is there, and nothing behind it.
        case none
        /// Records of STDIN follow, perhaps only the empty one, and perhaps another request.
        case follows
        /// An authorizer gets none; what follows, if anything, is of no interest.
        case ofNoInterest
    }

    static func scan(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        var position = 0
        guard let begin = RecordHeader(bytes, at: position) else { return incompleteHeader(bytes, position) }
        guard begin.type == .beginRequest, begin.id != 0, begin.contentLength == 8 else { return .refused }
        guard begin.end(from: position) <= bytes.count else { return .incomplete(length: bytes.count) }
        let role: Role
        switch (bytes[position + 8], bytes[position + 9]) {
        case (0, 1): role = .responder
        case (0, 2): role = .authorizer
        default: return .refused
        }
        position = begin.end(from: position)
        var pairs = PairChecker()
        while true {
            guard let header = RecordHeader(bytes, at: position) else { return incompleteHeader(bytes, position) }
            guard header.type == .params, header.id == begin.id else { return .refused }
            let content = position + RecordHeader.length
            let end = min(content + header.contentLength, bytes.count)
            guard pairs.take(UnsafeRawBufferPointer(rebasing: bytes[content..<end])) else { return .refused }
            position = header.end(from: position)
            guard position <= bytes.count else { return .incomplete(length: bytes.count) }
            if header.contentLength == 0 { break }
        }
        guard pairs.isComplete else { return .refused }
        return body(bytes, Head(id: begin.id, role: role, length: position, body: .follows))
    }

    private static func body(_ bytes: UnsafeRawBufferPointer, _ head: Head) -> Outcome {
        func outcome(_ body: Body) -> Outcome {
            .head(Head(id: head.id, role: head.role, length: head.length, body: body))
        }
        guard let header = RecordHeader(bytes, at: head.length) else {
            if head.role == .authorizer { return outcome(.ofNoInterest) }
            return incompleteHeader(bytes, head.length) == .refused ? .refused : .incomplete(length: head.length)
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
        return isOfOtherVersion ? .refused : .incomplete(length: bytes.count)
    }
}

/// FastCGI 1.0, section 3.3.
struct RecordHeader {
    enum Kind: UInt8 {
        case beginRequest = 1
        case params = 4
        case stdin = 5
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

    func end(from position: Int) -> Int { position + Self.length + contentLength + paddingLength }
}

/// Follows the name-value pairs (FastCGI 1.0, section 3.4) through the contents of PARAMS records, which may
/// end anywhere in a pair.
private struct PairChecker {
    private var total = 0
    /// The lengths of the current pair as far as they have come, and how many of their bytes are missing.
    private var lengths = 0
    private var length = 0
    private var missingLengthBytes = 0
    private var missingContent = 0

    /// Whether there are pairs, and the last one is whole.
    var isComplete: Bool { total > 0 && lengths == 0 && missingLengthBytes == 0 && missingContent == 0 }

    /// - Returns: false for pairs that no web server sends: too long, or with a NUL, which would end a value
    ///   for whoever reads it as a C string.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        total += bytes.count
        guard total <= RecordScanner.maximumParameters else { return false }
        var position = 0
        while position < bytes.count {
            if missingContent > 0 {
                let count = min(missingContent, bytes.count - position)
                guard !bytes[position..<position + count].contains(0) else { return false }
                position += count
                missingContent -= count
                continue
            }
            takeLengthByte(bytes[position])
            position += 1
            if lengths == 2, missingLengthBytes == 0 {
                lengths = 0
                missingContent = content
                content = 0
                guard missingContent <= RecordScanner.maximumParameters else { return false }
            }
        }
        return true
    }

    /// Of the name and the value that come next.
    private var content = 0

    private mutating func takeLengthByte(_ byte: UInt8) {
        if missingLengthBytes > 0 {
            length = length << 8 | Int(byte)
            missingLengthBytes -= 1
        } else {
            let isLong = byte & 0x80 != 0
            length = Int(byte & 0x7F)
            missingLengthBytes = isLong ? 3 : 0
            lengths += 1
        }
        if missingLengthBytes == 0 { content += length }
    }
}
