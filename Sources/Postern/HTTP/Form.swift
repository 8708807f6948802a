/// `application/x-www-form-urlencoded` as Django's `QueryDict` reads it.
enum Form {
    /// Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS`.
    static let maximumFields = 1000

    static let tooManyFields = ParseError.malformed(
        "The number of GET/POST parameters exceeded settings.DATA_UPLOAD_MAX_NUMBER_FIELDS."
    )

    private static let ampersand = UInt8(ascii: "&")

    /// Whether it has at most so many fields.
    static func isShort(_ text: ArraySlice<UInt8>, limit: Int = maximumFields) -> Bool {
        !ByteSearch.isMore(than: limit - 1, of: ampersand, in: text)
    }

    /// Names and values in order.
    /// - Throws: ``ParseError/malformed(_:)`` for more than `limit`.
    static func fields(
        in body: [UInt8],
        charset: Charset = .utf8,
        limit: Int = maximumFields
    ) throws(ParseError) -> [(name: String, value: JSONValue)] {
        guard isShort(body[...], limit: limit) else { throw tooManyFields }
        var fields: [(name: String, value: JSONValue)] = []
        if case .latin1 = charset {
            body.withUnsafeBufferPointer { text in
                visitPairs(text) { name, value in fields.append((latin1(name), .string(latin1(value)))) }
            }
            return fields
        }
        // Django reads what is not UTF-8 as Latin-1.
        let isText = ASCII.isASCII(body[...]) || String(validating: body, as: UTF8.self) != nil
        let text = isText ? body : Latin1.utf8(body[...])
        text.withUnsafeBufferPointer { text in
            visitPairs(text) { name, value in fields.append((unquoted(name), .string(unquoted(value)))) }
        }
        return fields
    }

    /// Bytes of a value of a query that are read: no page, name or path that is looked for has as many.
    private static let maximumValue = 8192

    /// The value that the last field of this name has; nil for one of more than ``maximumFields``.
    static func lastValue(of name: StaticString, in query: ArraySlice<UInt8>) -> String? {
        guard query.count >= name.utf8CodeUnitCount, isShort(query) else { return nil }
        return name.withUTF8Buffer { name in
            query.withUnsafeBufferPointer { query in
                var found: UnsafeBufferPointer<UInt8>?
                visitPairs(query) { typed, value in if isName(typed, name) { found = value } }
                return found.map { unquoted(UnsafeBufferPointer(rebasing: $0.prefix(maximumValue))) }
            }
        }
    }

    /// - Parameter visit: Gets a name and a value. Both are parts of `text`.
    @inline(__always)
    private static func visitPairs(
        _ text: UnsafeBufferPointer<UInt8>,
        _ visit: (_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Void
    ) {
        var start = 0
        while start < text.count {
            let end = ByteSearch.place(of: ampersand, in: UnsafeRawBufferPointer(text), from: start)
            if end > start {
                let pair = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[start..<end])
                let equals = start + ByteSearch.place(of: UInt8(ascii: "="), in: pair)
                visit(
                    UnsafeBufferPointer(rebasing: text[start..<equals]),
                    UnsafeBufferPointer(rebasing: text[min(equals + 1, end)..<end])
                )
            }
            start = end + 1
        }
    }

    /// Whether a name is the one that is meant, as it is or with escapes.
    private static func isName(_ typed: UnsafeBufferPointer<UInt8>, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard typed.count >= name.count else { return false }
        var position = 0
        for wanted in name {
            // Each byte of the name takes one of what was typed, or three, and is compared before the next one.
            guard position < typed.count, byte(typed, &position) == wanted else { return false }
        }
        return position == typed.count
    }

    /// Without `+` and `%XX`; bytes that are no UTF-8 become U+FFFD.
    private static func unquoted(_ text: UnsafeBufferPointer<UInt8>) -> String {
        let raw = UnsafeRawBufferPointer(text)
        let isPlain =
            ByteSearch.place(of: UInt8(ascii: "%"), in: raw) == text.count
            && ByteSearch.place(of: UInt8(ascii: "+"), in: raw) == text.count
        if isPlain { return String(decoding: text, as: UTF8.self) }
        // What is quoted is longer than what it stands for.
        return String(unsafeUninitializedCapacity: text.count) { unquote(text, $0) }
    }

    /// Likewise, of bytes that are letters of ISO 8859-1.
    private static func latin1(_ text: UnsafeBufferPointer<UInt8>) -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: text.count) { $1 = unquote(text, $0) }
        return String(decoding: Latin1.utf8(bytes[...]), as: UTF8.self)
    }

    /// - Parameter bytes: Gets what the text stands for, and has room for as many bytes as that has.
    /// - Returns: How many it got.
    private static func unquote(
        _ text: UnsafeBufferPointer<UInt8>,
        _ bytes: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        guard let start = text.baseAddress, let room = bytes.baseAddress else { return 0 }
        var (position, end) = (0, 0)
        let count = text.count
        while position < count {
            var byte = start[position]
            position += 1
            if byte == UInt8(ascii: "+") {
                byte = 0x20
            } else if byte == UInt8(ascii: "%"), count - position >= 2 {
                let high = ASCII.hexadecimalValue(start[position])
                let low = ASCII.hexadecimalValue(start[position + 1])
                if high | low < 16 {
                    byte = high << 4 | low
                    position += 2
                }
            }
            room[end] = byte
            end += 1
        }
        return end
    }

    /// The byte that stands at a position, which goes on to the next one.
    @inline(__always)
    private static func byte(_ text: UnsafeBufferPointer<UInt8>, _ position: inout Int) -> UInt8 {
        let byte = text[position]
        position += 1
        guard byte == UInt8(ascii: "%"), text.count - position >= 2 else {
            return byte == UInt8(ascii: "+") ? 0x20 : byte
        }
        let (high, low) = (ASCII.hexadecimalValue(text[position]), ASCII.hexadecimalValue(text[position + 1]))
        guard high | low < 16 else { return byte }
        position += 2
        return high << 4 | low
    }
}

/// ISO 8859-1, as WSGI hands header fields to Django.
enum Latin1 {
    /// Bytes of a client's text that an answer repeats.
    static let maximumExcerpt = 512

    /// A client's text for an answer: whole, unless it is longer than anybody means it to be.
    static func excerpt(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: utf8(bytes.prefix(maximumExcerpt)), as: UTF8.self)
            + (bytes.count > maximumExcerpt ? "…" : "")
    }

    static func utf8(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        bytes.withUnsafeBufferPointer { bytes in
            // At most two bytes for each.
            [UInt8](unsafeUninitializedCapacity: 2 * bytes.count) { text, count in
                for byte in bytes {
                    if byte >= 0x80 {
                        text.initializeElement(at: count, to: 0xC0 | byte >> 6)
                        count += 1
                    }
                    text.initializeElement(at: count, to: byte < 0x80 ? byte : 0x80 | byte & 0x3F)
                    count += 1
                }
            }
        }
    }
}
