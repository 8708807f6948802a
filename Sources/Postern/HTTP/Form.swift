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
        switch encoding {
        case .utf8: repaired(text)
        case .latin1: repaired(Latin1.utf8(text)[...])
        case .latin1WithEscapes: Latin1.utf8(withoutEscapes(text).bytes)[...]
        }
    }

    private static func repaired(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let (bytes, escaped) = withoutEscapes(text)
        return escaped < 0x80 ? bytes : UTF8Text.repaired(bytes)
    }

    /// - Returns: The bytes, and the bits of all that were escaped.
    private static func withoutEscapes(_ text: ArraySlice<UInt8>) -> (bytes: ArraySlice<UInt8>, escaped: UInt8) {
        if ByteSearch.place(of: Percent.sign, in: text) == nil, ByteSearch.place(of: plus, in: text) == nil {
            return (text, 0)
        }
        return text.withUnsafeBufferPointer { text in
            var escaped: UInt8 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: text.count) { room, count in
                guard let room = room.baseAddress else { return }
                (count, escaped) = unquote(text, to: room)
            }
            return (bytes[...], escaped)
        }
    }

    /// - Parameter room: For as many bytes as there are.
    /// - Returns: How many it got, and the bits of all that were escaped.
    private static func unquote(
        _ text: UnsafeBufferPointer<UInt8>,
        to room: UnsafeMutablePointer<UInt8>
    ) -> (count: Int, escaped: UInt8) {
        guard let start = text.baseAddress else { return (0, 0) }
        let (digits, last) = (HexadecimalDigits(), start + text.count)
        var (from, to, escaped) = (start, room, UInt8(0))
        while from < last {
            if from[0] == Percent.sign {
                let value = last - from > 2 ? digits.two(from + 1) : -1
                if value >= 0 {
                    let byte = UInt8(truncatingIfNeeded: value)
                    to[0] = byte
                    escaped |= byte
                    from += 3
                } else {
                    to[0] = Percent.sign
                    from += 1
                }
                to += 1
            } else {
                // Few bytes are copied in fewer steps one by one.
                let near = min(from + 4, last)
                repeat {
                    to[0] = from[0] == plus ? 0x20 : from[0]
                    from += 1
                    to += 1
                } while from < near && from[0] != Percent.sign
                if last - from >= 8, from[0] != Percent.sign {
                    let length = copy(from, to, last - from)
                    from += length
                    to += length
                }
            }
        }
        return (to - room, escaped)
    }

    /// Copies eight bytes at a time up to a percent sign, or until less are left, with a space for each `+`. What is behind
    /// the percent sign is written over.
    ///
    /// It is apart from who decodes escapes so that each keeps what it needs in registers.
    /// - Returns: Bytes that were copied.
    @inline(never)
    private static func copy(
        _ from: UnsafePointer<UInt8>,
        _ to: UnsafeMutablePointer<UInt8>,
        _ count: Int
    ) -> Int {
        let ones = ByteSearch.ones
        // No sum of places in a text overflows.
        var place = 0
        repeat {
            let word = UInt64(littleEndian: UnsafeRawPointer(from + place).loadUnaligned(as: UInt64.self))
            let pluses = ByteSearch.zeros(word ^ ones &* UInt64(plus))
            let spaced = word ^ pluses >> 7 &* UInt64(plus ^ 0x20)
            UnsafeMutableRawPointer(to + place).storeBytes(of: spaced.littleEndian, as: UInt64.self)
            let signs = word ^ ones &* UInt64(Percent.sign)
            let marked = (signs &- ones) & ~signs & ByteSearch.highBits
            guard marked == 0 else { return place &+ marked.trailingZeroBitCount / 8 }
            place &+= 8
        } while count &- place >= 8
        return place
    }
}
