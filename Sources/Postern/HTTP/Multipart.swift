internal import Glibc

/// `multipart/form-data` (RFC 7578) as Django's `MultiPartParser` reads it; of files only the names count.
enum Multipart {
    /// Django's `MAX_TOTAL_HEADER_SIZE`.
    private static let maximumHeader = 1024

    /// - Throws: ``ParseError/malformed(_:)`` with Django's text.
    static func data(
        in body: [UInt8],
        type: MediaType,
        limit: Int = Form.maximumFields
    ) throws(ParseError) -> RequestData {
        let boundary = type.parameter("boundary")
        guard let boundary, isBoundary(boundary) else {
            let text = boundary.map { String(decoding: $0.prefix(Latin1.maximumExcerpt), as: UTF8.self) } ?? "None"
            throw .malformed("Multipart form parse error - Invalid boundary in multipart: \(text)")
        }
        let parts = parts(of: body, delimiter: Array("--".utf8) + boundary, limit: limit)
        guard parts.count <= limit else { throw Form.tooManyFields }
        var names: [UInt8] = []
        var fields: [RequestData.Field] = []
        for part in parts {
            guard let (name, value) = field(part) else { continue }
            let start = names.count
            names += UTF8Text.repaired(name[...])
            fields.append(.init(name: .init(start..<names.count, .decoded(surrogate: nil)), value: value))
        }
        return RequestData(body, fields, decoded: names)
    }

    /// RFC 2046, section 5.1.1, as Django checks it.
    private static func isBoundary(_ text: [UInt8]) -> Bool {
        (1...201).contains(text.count) && text.allSatisfy { (0x20..<0x7F).contains($0) } && text.last != 0x20
    }

    /// What stands between delimiters that begin a line, up to the one that ends the body, or one more than may be.
    private static func parts(of body: [UInt8], delimiter: [UInt8], limit: Int) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var start: Int?
        var position = 0
        while let next = nextDelimiter(in: body, delimiter, from: position) {
            if let start {
                parts.append(body[start..<max(start, next - lineBreakLength(body[...], before: next))])
            }
            let end = next + delimiter.count
            let dash = UInt8(ascii: "-")
            let isLast = body.count - end >= 2 && body[end] == dash && body[end + 1] == dash
            if isLast || parts.count > limit { return parts }
            position = endOfLine(body[end...])
            start = position
        }
        // A body that was cut off counts as far as it goes.
        return parts + (start.map { [body[min($0, body.endIndex)...]] } ?? [])
    }

    /// Where the next line begins with the delimiter; `position` is the beginning of a line.
    private static func nextDelimiter(in body: [UInt8], _ delimiter: [UInt8], from position: Int) -> Int? {
        body.withUnsafeBytes { body in
            delimiter.withUnsafeBytes { delimiter in
                // Only as many bytes are compared as there are.
                guard let text = body.baseAddress, let wanted = delimiter.baseAddress else { return nil }
                let last = body.count - delimiter.count
                func isThere(_ position: Int) -> Bool { memcmp(text + position, wanted, delimiter.count) == 0 }
                if position <= last, isThere(position) { return position }
                // The end of a line, two hyphens and the first byte of the boundary: few texts have them. No sum of places
                // in a text overflows.
                let (lineFeed, hyphen, letter) = (UInt8(0x0A), delimiter[0], delimiter[2])
                let start = UInt32(letter) << 24 | UInt32(hyphen) << 16 | UInt32(hyphen) << 8 | UInt32(lineFeed)
                let word = UInt32(littleEndian: start)
                let places = UnsafeRawBufferPointer(rebasing: body[..<max(position, last)])
                var place = position
                while place < last {
                    place = ByteSearch.endOfBlocks(of: places, from: place) { byte in
                        (byte[0] == lineFeed).bit & (byte[1] == hyphen).bit & (byte[2] == hyphen).bit
                            & (byte[3] == letter).bit
                    }
                    let end = min(place &+ ByteSearch.block, last)
                    while place < end {
                        if (text + place).loadUnaligned(as: UInt32.self) == word, isThere(place + 1) {
                            return place + 1
                        }
                        place &+= 1
                    }
                }
                return nil
            }
        }
    }

    private static func field(_ part: ArraySlice<UInt8>) -> (name: [UInt8], value: RequestData.Piece)? {
        var position = part.startIndex
        var last: ArraySlice<UInt8>?
        var isBase64 = false
        while position < part.endIndex {
            let next = endOfLine(part[position...])
            guard next - part.startIndex <= maximumHeader else { break }
            let line = part[position..<(next - lineBreakLength(part[position...], before: next))]
            position = next
            if line.isEmpty { break }
            if ASCII.begins(line, with: disposition) { last = line }
            if ASCII.begins(line, with: transferEncoding) {
                let value = line.dropFirst(transferEncoding.utf8CodeUnitCount).prefix { $0 != UInt8(ascii: ";") }
                isBase64 = ASCII.equalsIgnoringCase(MediaType.trimmed(value), "base64".utf8)
            }
        }
        guard let last else { return nil }
        let type = MediaType(last.dropFirst(disposition.utf8CodeUnitCount))
        guard type.names("form-data", ""), let name = type.parameter("name") else { return nil }
        // A file stands among the data as what is no string.
        let isFile = type.parameter("filename") != nil
        return (name, RequestData.Piece(position..<part.endIndex, isFile ? .file : isBase64 ? .base64 : .bytes))
    }

    private static let disposition: StaticString = "content-disposition:"
    /// RFC 7578, section 4.7, deprecates it; clients that write mail send it still.
    private static let transferEncoding: StaticString = "content-transfer-encoding:"

    /// Behind the next line feed; the end where there is none.
    private static func endOfLine(_ text: ArraySlice<UInt8>) -> Int {
        ByteSearch.place(of: 0x0A, in: text).map { $0 + 1 } ?? text.endIndex
    }

    private static func lineBreakLength(_ text: ArraySlice<UInt8>, before position: Int) -> Int {
        guard position > text.startIndex, text[position - 1] == 0x0A else { return 0 }
        return position - 1 > text.startIndex && text[position - 2] == 0x0D ? 2 : 1
    }
}
