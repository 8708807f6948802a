/// Reads JSON as DRF's `JSONParser` does on CPython: what it takes, what it refuses, and in which words.
/// Of doubled names the last one counts; `NaN` and `Infinity` are refused; nesting has a limit.
public struct JSONReader {
    /// Deeper texts are refused: nobody means them, and the reader goes down with them.
    public static let maximumDepth = 128

    private static let fewMembers = 16

    private let bytes: [UInt8]
    private let maximumDepth: Int
    private let allowsDoubledNames: Bool
    private var position = 0
    private var depth = 0

    /// - Throws: ``JSONError`` with CPython's text.
    public static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        try read(JSONReader(bytes: bytes, maximumDepth: maximumDepth, allowsDoubledNames: true))
    }

    /// For what two readers must not understand in two ways: a name that comes twice in one object is refused.
    static func readStrictly(_ bytes: [UInt8], maximumDepth: Int) throws(JSONError) -> JSONValue {
        try read(JSONReader(bytes: bytes, maximumDepth: maximumDepth, allowsDoubledNames: false))
    }

    private static func read(_ reader: JSONReader) throws(JSONError) -> JSONValue {
        var reader = reader
        let bytes = reader.bytes
        if let error = UTF8Error(in: bytes) { throw JSONError(error.description) }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw reader.error("Unexpected UTF-8 BOM (decode using utf-8-sig)", at: 0)
        }
        reader.skipWhiteSpace()
        let value = try reader.value()
        reader.skipWhiteSpace()
        guard reader.position == bytes.count else { throw reader.error("Extra data", at: reader.position) }
        return value
    }

    private init(bytes: [UInt8], maximumDepth: Int, allowsDoubledNames: Bool) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
        self.allowsDoubledNames = allowsDoubledNames
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipWhiteSpace() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        switch current {
        case UInt8(ascii: "\""):
            position += 1
            return value(of: try string())
        case UInt8(ascii: "{"): return try nested { reader throws(JSONError) in try reader.object() }
        case UInt8(ascii: "["): return try nested { reader throws(JSONError) in try reader.array() }
        default: break
        }
        if let number = try number() { return number }
        for (word, value) in [("null", JSONValue.null), ("true", .bool(true)), ("false", .bool(false))] where take(word)
        {
            return value
        }
        for word in ["NaN", "Infinity", "-Infinity"] where take(word) {
            throw JSONError("Out of range float values are not JSON compliant: '\(word)'")
        }
        throw error("Expecting value", at: position)
    }

    private mutating func take(_ word: String) -> Bool {
        guard bytes[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        return true
    }

    private mutating func nested(
        _ body: (inout JSONReader) throws(JSONError) -> JSONValue
    ) throws(JSONError) -> JSONValue {
        guard depth < maximumDepth else { throw error("Nested too deeply", at: position) }
        depth += 1
        position += 1
        skipWhiteSpace()
        let value = try body(&self)
        depth -= 1
        return value
    }

    private mutating func object() throws(JSONError) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = []
        // Of many members; few are found faster without.
        var positions: [[UInt8]: Int] = [:]
        func place(of name: String) -> Int? {
            guard members.count <= Self.fewMembers else { return positions[Array(name.utf8)] }
            // By position: a closure would be handed copies.
            return members.indices.first { members[$0].name.hasSameBytes(as: name) }
        }
        if current == UInt8(ascii: "}") {
            position += 1
            return .object([])
        }
        members.reserveCapacity(Self.fewMembers / 2)
        while true {
            guard current == UInt8(ascii: "\"") else {
                throw error("Expecting property name enclosed in double quotes", at: position)
            }
            position += 1
            let name = text(of: try string())
            skipWhiteSpace()
            guard current == UInt8(ascii: ":") else { throw error("Expecting ':' delimiter", at: position) }
            position += 1
            skipWhiteSpace()
            let value = try value()
            if let known = place(of: name) {
                guard allowsDoubledNames else { throw JSONError("A name comes twice in one object") }
                members[known].value = value
            } else {
                members.append((name, value))
                if members.count == Self.fewMembers + 1 {
                    for (place, member) in members.enumerated() { positions[Array(member.name.utf8)] = place }
                } else if members.count > Self.fewMembers {
                    positions[Array(name.utf8)] = members.count - 1
                }
            }
            if try endsList(with: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array() throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        if current == UInt8(ascii: "]") {
            position += 1
            return .array([])
        }
        while true {
            elements.append(try value())
            if try endsList(with: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Takes what follows an element: the end of the list, or a comma.
    private mutating func endsList(with end: UInt8) throws(JSONError) -> Bool {
        skipWhiteSpace()
        guard current == end || current == UInt8(ascii: ",") else {
            throw error("Expecting ',' delimiter", at: position)
        }
        let isEnd = current == end
        position += 1
        if !isEnd { skipWhiteSpace() }
        return isEnd
    }

    private mutating func number() throws(JSONError) -> JSONValue? {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        let digitsStart = position
        if current == UInt8(ascii: "0") { position += 1 } else { skipDigits() }
        guard position > digitsStart else {
            position = start
            return nil
        }
        var isInteger = true
        if current == UInt8(ascii: "."), isDigit(at: position + 1) {
            position += 1
            skipDigits()
            isInteger = false
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            let hasSign =
                position + 1 < bytes.count && [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[position + 1])
            if isDigit(at: position + (hasSign ? 2 : 1)) {
                position += hasSign ? 2 : 1
                skipDigits()
                isInteger = false
            }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger { return Int64(text).map { .integer($0) } ?? .bigInteger(text) }
        return .number(Double(text) ?? .infinity)
    }

    private mutating func skipDigits() {
        while isDigit(at: position) { position += 1 }
    }

    private func isDigit(at position: Int) -> Bool {
        position < bytes.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position])
    }

    /// An error at a byte, counted in lines, columns and characters as CPython counts.
    private func error(_ text: String, at offset: Int) -> JSONError {
        let before = bytes[..<min(offset, bytes.count)]
        let characters = before.count { $0 & 0xC0 != 0x80 }
        let line = before.count { $0 == 0x0A } + 1
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let column = before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1
        return JSONError("\(text): line \(line) column \(column) (char \(characters))")
    }
}

// MARK: - Strings

extension JSONReader {
    /// What stands between two quotes. Halves of surrogate pairs become U+FFFD, and the first is remembered.
    private struct Text {
        /// Where it stands, up to the first escape.
        let place: Range<Int>
        /// All of it, where there is an escape: then it stands nowhere as it is meant.
        var bytes: [UInt8]?
        var surrogate: UInt16?

        mutating func append(_ codePoint: UInt32) {
            if let scalar = Unicode.Scalar(codePoint) {
                bytes?.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
            } else {
                bytes?.append(contentsOf: [0xEF, 0xBF, 0xBD])
                surrogate = surrogate ?? UInt16(truncatingIfNeeded: codePoint)
            }
        }
    }

    private func text(of text: Text) -> String {
        if let bytes = text.bytes { return String(decoding: bytes, as: UTF8.self) }
        return bytes.withUnsafeBufferPointer { bytes in
            // In bounds: the reader has been at each of them.
            String(decoding: UnsafeBufferPointer(rebasing: bytes[text.place]), as: UTF8.self)
        }
    }

    private func value(of text: Text) -> JSONValue {
        let string = self.text(of: text)
        return text.surrogate.map { .brokenString(surrogate: $0, text: string) } ?? .string(string)
    }

    /// From after the opening quote to after the closing one.
    private mutating func string() throws(JSONError) -> Text {
        let quote = position - 1
        let start = position
        while let byte = current, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { position += 1 }
        var text = Text(place: start..<position)
        while true {
            guard let byte = current else { throw error("Unterminated string starting at", at: quote) }
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"):
                if text.bytes == nil { text.bytes = Array(bytes[text.place]) }
                try escape(&text, quote)
            case 0..<0x20: throw error("Invalid control character at", at: position - 1)
            // Only behind an escape.
            default: text.bytes?.append(byte)
            }
        }
    }

    private mutating func escape(_ text: inout Text, _ quote: Int) throws(JSONError) {
        guard let byte = current else { throw error("Unterminated string starting at", at: quote) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.bytes?.append(byte)
        case UInt8(ascii: "b"): text.bytes?.append(0x08)
        case UInt8(ascii: "f"): text.bytes?.append(0x0C)
        case UInt8(ascii: "n"): text.bytes?.append(0x0A)
        case UInt8(ascii: "r"): text.bytes?.append(0x0D)
        case UInt8(ascii: "t"): text.bytes?.append(0x09)
        case UInt8(ascii: "u"): text.append(try codePoint())
        default: throw error("Invalid \\escape", at: position - 2)
        }
    }

    /// The digits after `\u`, together with those of a second `\u` where both make a surrogate pair.
    private mutating func codePoint() throws(JSONError) -> UInt32 {
        let high = try hexadecimalDigits()
        guard (0xD800..<0xDC00).contains(high), position + 6 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return high }
        let afterHigh = position
        position += 2
        let low = try hexadecimalDigits()
        guard (0xDC00..<0xE000).contains(low) else {
            position = afterHigh
            return high
        }
        return 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
    }

    private mutating func hexadecimalDigits() throws(JSONError) -> UInt32 {
        let start = position
        // CPython wants a character behind the digits too.
        guard start + 4 < bytes.count else { throw error("Invalid \\uXXXX escape", at: start - 1) }
        var value: UInt32 = 0
        for byte in bytes[start..<start + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("Invalid \\uXXXX escape", at: start - 1)
            }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }
}

/// What is wrong with a JSON text, in CPython's words.
public struct JSONError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
