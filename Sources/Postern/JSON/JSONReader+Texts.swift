extension JSONReader {
    /// What stands between two quotes. Halves of surrogate pairs become U+FFFD, and the first is remembered.
    struct Text {
        /// Where it stands: in what is read or, where it has escapes, in what was put together.
        var place: Range<Int>
        var isDecoded = false
        var surrogate: UInt16?
    }

    func string(of text: Text) -> String {
        let source = text.isDecoded ? UnsafeBufferPointer(start: scratch, count: scratchEnd) : bytes
        return String(decoding: UnsafeBufferPointer(rebasing: source[text.place]), as: UTF8.self)
    }

    func value(of text: Text) -> JSONValue {
        let string = string(of: text)
        return text.surrogate.map { .brokenString(surrogate: $0, text: string) } ?? .string(string)
    }

    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let firstPlain: UInt8 = 0x20

    /// From the opening quote to after the closing one.
    mutating func string() throws(JSONError) -> Text {
        let quote = position
        let start = position + 1
        let end = endOfPlain(from: start)
        guard end < bytes.count else { throw error("Unterminated string starting at", at: quote) }
        if bytes[end] == Self.quote {
            position = end + 1
            return Text(place: start..<end)
        }
        guard bytes[end] == Self.backslash else { throw error("Invalid control character at", at: end) }
        return try withEscapes(start..<end, quote)
    }

    /// Where the next byte is that means something in a string: a quote, a backslash or a control character.
    private func endOfPlain(from start: Int) -> Int {
        ByteSearch.end(of: UnsafeRawBufferPointer(bytes), from: start, Self.marks) { byte in
            (byte == Self.quote).bit | (byte == Self.backslash).bit | (byte < Self.firstPlain).bit
        }
    }

    /// The highest bit of each byte that means something in a string. It is right for the first of them.
    @inline(__always)
    static func marks(_ word: UInt64) -> UInt64 {
        let ones = ByteSearch.ones
        // Below 0x20, or zero in one of the two.
        let (quotes, backslashes) = (word ^ ones &* 0x22, word ^ ones &* 0x5C)
        return ((word &- ones &* 0x20) | (quotes &- ones) | (backslashes &- ones)) & ~word
    }

    /// Goes on with a string at its first escape.
    private mutating func withEscapes(_ plain: Range<Int>, _ quote: Int) throws(JSONError) -> Text {
        var escaped = EscapedText(bytes, plain, to: room(), at: scratchEnd)
        switch escaped.decode() {
        case nil: break
        case .unterminated: throw error("Unterminated string starting at", at: quote)
        case .controlCharacter: throw error("Invalid control character at", at: escaped.place)
        case .escape: throw error("Invalid \\escape", at: escaped.place)
        // Of the letter.
        case .unicodeEscape: throw error("Invalid \\uXXXX escape", at: escaped.place + 1)
        }
        position = escaped.place
        let text = Text(place: scratchEnd..<escaped.end, isDecoded: true, surrogate: escaped.surrogate)
        scratchEnd = escaped.end
        return text
    }

    private mutating func room() -> UnsafeMutablePointer<UInt8> {
        if let scratch { return scratch }
        let room = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        scratch = room
        return room
    }
}
