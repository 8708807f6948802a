/// `multipart/form-data` (RFC 7578) as Django's `MultiPartParser` reads it; of files only the names count.
enum Multipart {
    /// Django's `MAX_TOTAL_HEADER_SIZE`.
    private static let maximumHeader = 1024

    /// Names and values of the fields, in order.
    /// - Throws: ``ParseError/malformed(_:)`` with Django's text.
    static func fields(in body: [UInt8], type: MediaType) throws(ParseError) -> [(name: String, value: JSONValue)] {
        let boundary = type.parameter("boundary")
        guard let boundary, isBoundary(boundary) else {
            let text = boundary.map { String(decoding: $0, as: UTF8.self) } ?? "None"
            throw .malformed("Multipart form parse error - Invalid boundary in multipart: \(text)")
        }
        let parts = parts(of: body[...], delimiter: Array("--".utf8) + boundary)
        guard parts.count <= Form.maximumFields else {
            throw .malformed("The number of GET/POST parameters exceeded settings.DATA_UPLOAD_MAX_NUMBER_FIELDS.")
        }
        return parts.compactMap(field)
    }

    /// RFC 2046, section 5.1.1, as Django checks it.
    private static func isBoundary(_ text: [UInt8]) -> Bool {
        (1...201).contains(text.count) && text.allSatisfy { (0x20..<0x7F).contains($0) } && text.last != 0x20
    }

    /// What stands between delimiters that begin a line, up to the one that ends the body.
    private static func parts(of body: ArraySlice<UInt8>, delimiter: [UInt8]) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var start: Int?
        var position = body.startIndex
        while let line = line(of: body, from: position) {
            let text = body[position..<line.end]
            if text.starts(with: delimiter) {
                if let start {
                    parts.append(body[start..<max(start, position - lineBreakLength(body, before: position))])
                }
                if text.dropFirst(delimiter.count).starts(with: "--".utf8) || parts.count > Form.maximumFields {
                    return parts
                }
                start = line.next
            }
            position = line.next
        }
        // A body that was cut off counts as far as it goes.
        return parts + (start.map { [body[min($0, body.endIndex)...]] } ?? [])
    }

    private static func field(_ part: ArraySlice<UInt8>) -> (name: String, value: JSONValue)? {
        var position = part.startIndex
        var disposition: MediaType?
        while let line = line(of: part, from: position), line.next - part.startIndex <= maximumHeader {
            let text = part[position..<line.end]
            position = line.next
            if text.isEmpty { break }
            let name = Array("content-disposition:".utf8)
            if ASCII.equalsIgnoringCase(text.prefix(name.count), name) {
                disposition = MediaType(text.dropFirst(name.count))
            }
        }
        guard let disposition, disposition.type.elementsEqual("form-data".utf8),
            let name = disposition.parameter("name")
        else { return nil }
        // A file stands among the data as what is no string.
        let isFile = disposition.parameter("filename") != nil
        let value = isFile ? .object([]) : JSONValue.string(String(decoding: part[position...], as: UTF8.self))
        return (String(decoding: name, as: UTF8.self), value)
    }

    /// Where the line that begins at `position` ends, without and with its line break; nil at the end of `text`.
    private static func line(of text: ArraySlice<UInt8>, from position: Int) -> (end: Int, next: Int)? {
        guard position < text.endIndex else { return nil }
        guard let feed = text[position...].firstIndex(of: 0x0A) else { return (text.endIndex, text.endIndex) }
        let hasReturn = feed > position && text[feed - 1] == 0x0D
        return (hasReturn ? feed - 1 : feed, feed + 1)
    }

    private static func lineBreakLength(_ text: ArraySlice<UInt8>, before position: Int) -> Int {
        guard position > text.startIndex, text[position - 1] == 0x0A else { return 0 }
        return position - 1 > text.startIndex && text[position - 2] == 0x0D ? 2 : 1
    }
}
