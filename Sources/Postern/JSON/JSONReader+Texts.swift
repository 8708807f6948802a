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

    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
    private static let firstPlain: UInt8 = 0x20

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
        let ones = ByteSearch.ones
        return ByteSearch.end(of: UnsafeRawBufferPointer(bytes), from: start) { word in
            let (quotes, backslashes) = (word ^ ones &* 0x22, word ^ ones &* 0x5C)
            // Below 0x20, or zero in one of the two: it is right for the first of them.
            return (word &- ones &* 0x20) & ~word | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
        }
    }

    /// Goes on with a string at its first escape.
    private mutating func withEscapes(_ plain: Range<Int>, _ quote: Int) throws(JSONError) -> Text {
        let room = room()
        var text = Text(place: scratchEnd..<scratchEnd, isDecoded: true)
        var end = scratchEnd
        for place in plain {
            room[end] = bytes[place]
            end += 1
        }
        position = plain.upperBound
        switch Self.decode(bytes, &position, room, &end, &text.surrogate) {
        case nil: break
        case .unterminated: throw error("Unterminated string starting at", at: quote)
        case .controlCharacter: throw error("Invalid control character at", at: position)
        case .escape: throw error("Invalid \\escape", at: position)
        // Of the letter.
        case .unicodeEscape: throw error("Invalid \\uXXXX escape", at: position + 1)
        }
        text.place = scratchEnd..<end
        scratchEnd = end
        return text
    }

    private enum Fault { case unterminated, controlCharacter, escape, unicodeEscape }

    /// Puts together what stands up to a quote.
    /// - Parameters:
    ///   - position: Gets the place behind the quote, or that of what is wrong.
    ///   - surrogate: Gets the first half of a pair without the other.
    private static func decode(
        _ bytes: UnsafeBufferPointer<UInt8>,
        _ position: inout Int,
        _ room: UnsafeMutablePointer<UInt8>,
        _ roomEnd: inout Int,
        _ surrogate: inout UInt16?
    ) -> Fault? {
        guard let text = bytes.baseAddress else { return .unterminated }
        let (digits, classes, count) = (HexadecimalDigits(), classes, bytes.count)
        // No sum of places in a text overflows.
        var (place, end) = (position, roomEnd)
        defer { (position, roomEnd) = (place, end) }
        while place < count {
            let byte = text[place]
            if classes[Int(byte)] < special {
                room[end] = byte
                place &+= 1
                end &+= 1
                continue
            }
            guard byte == backslash else {
                guard byte == quote else { return .controlCharacter }
                place &+= 1
                return nil
            }
            guard place &+ 1 < count else { return .unterminated }
            let letter = text[place &+ 1]
            let meant = classes[Int(letter)] & ~special
            if meant != 0 {
                room[end] = meant
                place &+= 2
                end &+= 1
                continue
            }
            guard letter == UInt8(ascii: "u") else { return .escape }
            // CPython wants a character behind the digits too.
            guard place &+ 6 < count else { return .unicodeEscape }
            let unit = digits.four(text + place + 2)
            guard unit >= 0 else { return .unicodeEscape }
            place &+= 6
            if unit < 0x80 {
                room[end] = UInt8(truncatingIfNeeded: unit)
                end &+= 1
            } else if unit < 0x800 {
                room[end] = 0xC0 | UInt8(truncatingIfNeeded: unit >> 6)
                room[end &+ 1] = 0x80 | UInt8(truncatingIfNeeded: unit & 0x3F)
                end &+= 2
            } else if unit & 0xF800 != 0xD800 {
                end &+= put(UInt32(unit), room + end)
            } else if let low = lowHalf(bytes, at: place, digits), unit < 0xDC00 {
                end &+= put(0x10000 &+ (UInt32(unit) & 0x3FF) << 10 &+ low, room + end)
                place &+= 6
            } else {
                surrogate = surrogate ?? UInt16(truncatingIfNeeded: unit)
                end &+= put(0xFFFD, room + end)
            }
        }
        return .unterminated
    }

    /// What a `\uXXXX` adds to the first half of a surrogate pair; nil where none stands there, or another one.
    private static func lowHalf(
        _ bytes: UnsafeBufferPointer<UInt8>,
        at place: Int,
        _ digits: HexadecimalDigits
    ) -> UInt32? {
        guard place &+ 6 < bytes.count, let text = bytes.baseAddress, text[place] == backslash,
            text[place &+ 1] == UInt8(ascii: "u")
        else { return nil }
        let unit = digits.four(text + place + 2)
        return unit >= 0xDC00 && unit < 0xE000 ? UInt32(unit) & 0x3FF : nil
    }

    /// The highest bit of a class.
    private static let special: UInt8 = 0x80

    /// Of each byte whether it means something in a string, and what it stands for behind a backslash; 0: nothing. Nobody
    /// frees or changes them.
    private static nonisolated(unsafe) let classes: UnsafePointer<UInt8> = {
        let classes = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        classes.initialize(repeating: 0, count: 256)
        for (letter, meant) in zip("\"\\/bfnrt".utf8, "\"\\/\u{8}\u{C}\n\r\t".utf8) { classes[Int(letter)] = meant }
        for byte in [UInt8](0..<firstPlain) + [quote, backslash] { classes[Int(byte)] |= special }
        return UnsafePointer(classes)
    }()

    private mutating func room() -> UnsafeMutablePointer<UInt8> {
        if let scratch { return scratch }
        let room = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        scratch = room
        return room
    }

    /// Writes UTF-8 (RFC 3629, section 3) of a character above U+07FF.
    /// - Returns: Its bytes.
    private static func put(_ codePoint: UInt32, _ room: UnsafeMutablePointer<UInt8>) -> Int {
        func byte(_ prefix: UInt32, _ shift: UInt32, _ mask: UInt32 = 0x3F) -> UInt8 {
            UInt8(truncatingIfNeeded: prefix | codePoint >> shift & mask)
        }
        guard codePoint >= 0x10000 else {
            room[0] = byte(0xE0, 12, 0x0F)
            room[1] = byte(0x80, 6)
            room[2] = byte(0x80, 0)
            return 3
        }
        room[0] = byte(0xF0, 18, 0x07)
        room[1] = byte(0x80, 12)
        room[2] = byte(0x80, 6)
        room[3] = byte(0x80, 0)
        return 4
    }
}
