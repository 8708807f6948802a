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

    /// Where names and values stand, in order.
    /// - Throws: ``ParseError/malformed(_:)`` for more than `limit`.
    static func fields(
        in body: [UInt8],
        charset: Charset = .utf8,
        limit: Int = maximumFields
    ) throws(ParseError) -> [RequestData.Field] {
        guard isShort(body[...], limit: limit) else { throw tooManyFields }
        let encoding = Encoding(of: body, charset)
        var fields: [RequestData.Field] = []
        body.withUnsafeBufferPointer { text in
            visitPairs(text) { name, value in
                fields.append(.init(name: .init(name, .quoted(encoding)), value: .init(value, .quoted(encoding))))
            }
        }
        return fields
    }

    /// What the bytes of a form are.
    enum Encoding {
        case utf8
        /// Letters of ISO 8859-1; escapes are bytes of UTF-8 still: so Django reads what is not UTF-8.
        case latin1
        /// Letters of ISO 8859-1, escapes too.
        case latin1WithEscapes

        init(of body: [UInt8], _ charset: Charset) {
            if case .latin1 = charset {
                self = .latin1WithEscapes
            } else {
                self = UTF8Text.isValid(body[...]) ? .utf8 : .latin1
            }
        }
    }

    /// Bytes of a value of a query that are read: no page, name or path that is looked for has as many.
    private static let maximumValue = 8192

    /// The value that the last field of this name has; nil for one of more than ``maximumFields``.
    static func lastValue(of name: StaticString, in query: ArraySlice<UInt8>) -> String? {
        guard query.count >= name.utf8CodeUnitCount, isShort(query) else { return nil }
        return query.withUnsafeBufferPointer { text in
            name.withUTF8Buffer { name in
                var found: Range<Int>?
                visitPairs(text) { typed, value in
                    if isName(UnsafeBufferPointer(rebasing: text[typed]), name) { found = value }
                }
                return found.map { value in
                    let start = query.startIndex + value.lowerBound
                    let end = start + min(value.count, maximumValue)
                    return String(decoding: unquoted(query[start..<end]), as: UTF8.self)
                }
            }
        }
    }

    /// - Parameter visit: Gets where a name and a value stand.
    @inline(__always)
    private static func visitPairs(
        _ text: UnsafeBufferPointer<UInt8>,
        _ visit: (_ name: Range<Int>, _ value: Range<Int>) -> Void
    ) {
        let bytes = UnsafeRawBufferPointer(text)
        var start = 0
        while start < text.count {
            let end = ByteSearch.place(of: ampersand, in: bytes, from: start)
            if end > start {
                let pair = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                let equals = start + ByteSearch.place(of: UInt8(ascii: "="), in: pair)
                visit(start..<equals, min(equals + 1, end)..<end)
            }
            start = end + 1
        }
    }

    /// Whether a name is the one that is meant, as it is or with escapes. What is compared is at most three times as long as
    /// the name.
    static func isName(_ typed: UnsafeBufferPointer<UInt8>, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard typed.count >= name.count else { return false }
        var position = 0
        for wanted in name {
            guard position < typed.count else { return false }
            let isEscape = typed[position] == Percent.sign
            let escaped = isEscape ? Percent.byte(in: typed, escapedAt: position, HexadecimalDigits()) : nil
            guard escaped ?? (typed[position] == plus ? 0x20 : typed[position]) == wanted else { return false }
            position += escaped == nil ? 1 : 3
        }
        return position == typed.count
    }

    private static let plus = UInt8(ascii: "+")

    /// Without `+` and `%XX`, in UTF-8; bytes that are none become U+FFFD.
    static func unquoted(_ text: ArraySlice<UInt8>, _ encoding: Encoding = .utf8) -> ArraySlice<UInt8> {
        if case .utf8 = encoding, ByteSearch.place(of: Percent.sign, in: text) == nil,
            ByteSearch.place(of: plus, in: text) == nil
        {
            return text
        }
        return text.withUnsafeBufferPointer { text in
            letters(encoding).withUnsafeBufferPointer { letters in
                var escaped: UInt8 = 0
                // At most two bytes for each.
                let bytes = [UInt8](unsafeUninitializedCapacity: 2 * text.count) { room, end in
                    guard let room = room.baseAddress else { return }
                    (end, escaped) = unquote(text, to: room, letters, encoding)
                }
                return escaped < 0x80 ? bytes[...] : UTF8Text.repaired(bytes[...])
            }
        }
    }

    /// - Returns: How many bytes `room` got, and the bits of all escaped bytes that have to be UTF-8.
    private static func unquote(
        _ text: UnsafeBufferPointer<UInt8>,
        to room: UnsafeMutablePointer<UInt8>,
        _ letters: UnsafeBufferPointer<UInt16>,
        _ encoding: Encoding
    ) -> (count: Int, escaped: UInt8) {
        let digits = HexadecimalDigits()
        let areEscapesLatin1 = if case .latin1WithEscapes = encoding { true } else { false }
        // Letters above 0x7F have one byte more in Latin-1.
        let shift = if case .utf8 = encoding { 8 } else { 7 }
        // No sum of places in a text overflows.
        var (place, end, escaped) = (0, 0, UInt8(0))
        while place < text.count {
            // In two steps: most bytes are no escape.
            if text[place] == Percent.sign {
                if let meant = Percent.byte(in: text, escapedAt: place, digits) {
                    place &+= 3
                    escaped |= meant
                    if areEscapesLatin1, meant >= 0x80 {
                        room[end] = 0xC0 | meant >> 6
                        room[end &+ 1] = 0x80 | meant & 0x3F
                        end &+= 2
                    } else {
                        room[end] = meant
                        end &+= 1
                    }
                    continue
                }
            }
            // The second byte is written over where it is none.
            let byte = Int(text[place])
            UnsafeMutableRawPointer(room + end).storeBytes(of: letters[byte], as: UInt16.self)
            end &+= 1 &+ byte &>> shift
            place &+= 1
        }
        return (end, areEscapesLatin1 ? 0 : escaped)
    }

    /// What bytes stand for that are not escaped: one byte of UTF-8, or two for those above 0x7F in Latin-1.
    private static func letters(_ encoding: Encoding) -> [UInt16] {
        if case .utf8 = encoding { lettersOfUTF8 } else { lettersOfLatin1 }
    }

    private static let lettersOfUTF8 = (UInt8.min...UInt8.max).map { letter($0, second: 0) }

    private static let lettersOfLatin1 = (UInt8.min...UInt8.max).map { byte in
        byte < 0x80 ? letter(byte, second: 0) : letter(0xC0 | byte >> 6, second: 0x80 | byte & 0x3F)
    }

    /// In the order of memory.
    private static func letter(_ first: UInt8, second: UInt8) -> UInt16 {
        UInt16(littleEndian: UInt16(first == plus ? 0x20 : first) | UInt16(second) << 8)
    }
}
