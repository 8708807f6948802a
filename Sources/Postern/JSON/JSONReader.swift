internal import Glibc

/// Reads JSON as DRF's `JSONParser` does on CPython: what it takes, what it refuses, and in which words.
/// Of doubled names the last one counts; `NaN` and `Infinity` are refused; nesting has a limit.
///
/// Anybody may send a text, so the cost of one is linear in its bytes, and small.
public struct JSONReader {
    /// Deeper texts are refused: nobody means them, and the reader goes down with them.
    public static let maximumDepth = 128

    /// What a text may have, and what is kept of it.
    struct Limits {
        /// Deeper texts are refused.
        var depth = JSONReader.maximumDepth
        /// Arrays and objects inside of so many others are checked, and kept without what is in them; of the innermost that
        /// are kept, the texts alone.
        var keptDepth = Int.max
        /// Values of all arrays and objects together.
        var values = Int.max
        /// Of one object.
        var members = Int.max
        /// Whether the last member of a name counts; otherwise a name that comes twice is refused.
        var allowsDoubledNames = true
        /// Keeps all members of a name that comes twice, for readers that judge each object by itself.
        var keepsDoubledNames = false
    }

    /// CPython's `sys.get_int_max_str_digits()`: integers of more digits are refused.
    private static let maximumDigits = 4300
    private static let fewMembers = 16

    /// All of the text. Each index that is used was compared with its count before.
    private let bytes: UnsafeBufferPointer<UInt8>
    private let limits: Limits
    private var position = 0
    private var depth = 0
    private var values = 0
    /// Where a text with escapes is put together. It has room for as many bytes as there are, and no text is longer than
    /// what stands for it.
    private var scratch: UnsafeMutablePointer<UInt8>?

    /// - Throws: ``JSONError`` with CPython's text.
    public static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue { try read(bytes, Limits()) }

    static func read(_ bytes: [UInt8], _ limits: Limits) throws(JSONError) -> JSONValue {
        if let error = UTF8Error(in: bytes) { throw JSONError(error.description) }
        return try bytes.withUnsafeBufferPointer { bytes throws(JSONError) in
            var reader = JSONReader(bytes: bytes, limits: limits)
            defer { reader.scratch?.deallocate() }
            return try reader.all()
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, limits: Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    private mutating func all() throws(JSONError) -> JSONValue {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw error("Unexpected UTF-8 BOM (decode using utf-8-sig)", at: 0)
        }
        skipWhiteSpace()
        let value = try value(isKept: true)
        skipWhiteSpace()
        guard position == bytes.count else { throw error("Extra data", at: position) }
        return value
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func isNext(_ byte: UInt8) -> Bool { position < bytes.count && bytes[position] == byte }

    private mutating func skipWhiteSpace() {
        var place = position
        let bytes = bytes
        let text = UnsafeRawBufferPointer(bytes)
        // Long runs of one of them, as an indent has, eight at a time.
        while bytes.count - place >= 8, bytes[place] <= 0x20 {
            let word = text.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            guard word == ByteSearch.spaces || word == ByteSearch.newlines else { break }
            place += 8
        }
        while place < bytes.count {
            let byte = bytes[place]
            guard byte <= 0x20, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D else { break }
            place += 1
        }
        position = place
    }

    /// - Parameter isKept: Otherwise it is only checked.
    private mutating func value(isKept: Bool) throws(JSONError) -> JSONValue {
        guard values < limits.values else { throw JSONError("Too many values") }
        values += 1
        switch current {
        case UInt8(ascii: "\""):
            position += 1
            let text = try string(isKept: isKept)
            return isKept ? value(of: text) : .null
        case UInt8(ascii: "{"):
            try enter()
            defer { depth -= 1 }
            return try object(isKept: isKept && depth <= limits.keptDepth)
        case UInt8(ascii: "["):
            try enter()
            defer { depth -= 1 }
            return try array(isKept: isKept && depth <= limits.keptDepth)
        default: break
        }
        if let number = try number(isKept: isKept && depth < limits.keptDepth) { return number }
        if take("null") { return .null }
        if take("true") { return .bool(true) }
        if take("false") { return .bool(false) }
        for word: StaticString in ["NaN", "Infinity", "-Infinity"] where take(word) {
            throw JSONError("Out of range float values are not JSON compliant: '\(word)'")
        }
        throw error("Expecting value", at: position)
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard bytes.count - position >= length, let start = bytes.baseAddress,
            memcmp(start + position, word.utf8Start, length) == 0
        else { return false }
        position += length
        return true
    }

    private mutating func enter() throws(JSONError) {
        guard depth < limits.depth else { throw error("Nested too deeply", at: position) }
        depth += 1
        position += 1
        skipWhiteSpace()
    }

    private mutating func object(isKept: Bool) throws(JSONError) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = []
        var count = 0
        // Of many members; few are found faster without.
        var places = NamePlaces()
        if isNext(UInt8(ascii: "}")) {
            position += 1
            return .object([])
        }
        if isKept { members.reserveCapacity(Self.fewMembers / 2) }
        while true {
            guard isNext(UInt8(ascii: "\"")) else {
                throw error("Expecting property name enclosed in double quotes", at: position)
            }
            guard count < limits.members else { throw JSONError("Too many members in one object") }
            count += 1
            position += 1
            let nameText = try string(isKept: isKept)
            // Before its value, which may need the room that it was put together in.
            let name = isKept ? text(of: nameText) : ""
            skipWhiteSpace()
            guard isNext(UInt8(ascii: ":")) else { throw error("Expecting ':' delimiter", at: position) }
            position += 1
            skipWhiteSpace()
            let value = try value(isKept: isKept)
            if isKept {
                // By position: a closure would be handed copies.
                let known =
                    members.count <= Self.fewMembers
                    ? members.indices.first { members[$0].name.hasSameBytes(as: name) }
                    : places.place(of: name, in: members)
                if let known, !limits.keepsDoubledNames {
                    guard limits.allowsDoubledNames else { throw JSONError("A name comes twice in one object") }
                    members[known].value = value
                } else {
                    members.append((name, value))
                }
            }
            if try endsList(with: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array(isKept: Bool) throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        if isNext(UInt8(ascii: "]")) {
            position += 1
            return .array([])
        }
        while true {
            let element = try value(isKept: isKept)
            if isKept { elements.append(element) }
            if try endsList(with: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Takes what follows an element: the end of the list, or a comma.
    private mutating func endsList(with end: UInt8) throws(JSONError) -> Bool {
        skipWhiteSpace()
        if isNext(end) {
            position += 1
            return true
        }
        guard isNext(UInt8(ascii: ",")) else { throw error("Expecting ',' delimiter", at: position) }
        position += 1
        skipWhiteSpace()
        return false
    }

    private mutating func number(isKept: Bool) throws(JSONError) -> JSONValue? {
        let start = position
        if isNext(UInt8(ascii: "-")) { position += 1 }
        let digitsStart = position
        if isNext(UInt8(ascii: "0")) { position += 1 } else { skipDigits() }
        guard position > digitsStart else {
            position = start
            return nil
        }
        let digitsEnd = position
        var isInteger = true
        if isNext(UInt8(ascii: ".")), isDigit(at: position + 1) {
            position += 1
            skipDigits()
            isInteger = false
        }
        if isNext(UInt8(ascii: "e")) || isNext(UInt8(ascii: "E")) {
            let hasSign =
                position + 1 < bytes.count
                && (bytes[position + 1] == UInt8(ascii: "+") || bytes[position + 1] == UInt8(ascii: "-"))
            if isDigit(at: position + (hasSign ? 2 : 1)) {
                position += hasSign ? 2 : 1
                skipDigits()
                isInteger = false
            }
        }
        if isInteger, digitsEnd - digitsStart > Self.maximumDigits {
            throw JSONError(
                "Exceeds the limit (\(Self.maximumDigits) digits) for integer string conversion: value has \(digitsEnd - digitsStart) digits; use sys.set_int_max_str_digits() to increase the limit"
            )
        }
        guard isKept else { return .null }
        if isInteger, digitsEnd - digitsStart <= 18 {
            var number: Int64 = 0
            for place in digitsStart..<digitsEnd { number = number &* 10 &+ Int64(bytes[place] &- UInt8(ascii: "0")) }
            return .integer(digitsStart > start ? -number : number)
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger { return Int64(text).map { .integer($0) } ?? .bigInteger(text) }
        return .number(Double(text) ?? .infinity)
    }

    private mutating func skipDigits() {
        var place = position
        let bytes = bytes
        while place < bytes.count, bytes[place] &- UInt8(ascii: "0") < 10 { place += 1 }
        position = place
    }

    private func isDigit(at position: Int) -> Bool {
        position < bytes.count && bytes[position] &- UInt8(ascii: "0") < 10
    }

    /// An error at a byte, counted in lines, columns and characters as CPython counts.
    private func error(_ text: String, at offset: Int) -> JSONError {
        let before = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<min(offset, bytes.count)])
        let line = UnsafeRawBufferPointer(rebasing: before[ByteSearch.endOfLast(0x0A, in: before)...])
        let lines = ByteSearch.count(of: 0x0A, in: before)
        return JSONError(
            "\(text): line \(lines + 1) column \(ByteSearch.characters(in: line) + 1) (char \(ByteSearch.characters(in: before)))"
        )
    }
}

// MARK: - Strings

extension JSONReader {
    /// What stands between two quotes. Halves of surrogate pairs become U+FFFD, and the first is remembered.
    private struct Text {
        /// Where it stands, up to the first escape.
        let place: Range<Int>
        /// How many bytes of the scratch it has, where there is an escape: then it stands nowhere as it is meant.
        var length: Int?
        var surrogate: UInt16?
    }

    private func text(of text: Text) -> String {
        let place = UnsafeBufferPointer(rebasing: bytes[text.place])
        guard let length = text.length else { return String(decoding: place, as: UTF8.self) }
        return String(decoding: UnsafeBufferPointer(start: scratch, count: length), as: UTF8.self)
    }

    private func value(of text: Text) -> JSONValue {
        let string = self.text(of: text)
        return text.surrogate.map { .brokenString(surrogate: $0, text: string) } ?? .string(string)
    }

    /// Goes to the next byte that means something in a string: a quote, a backslash or a control character. Eight bytes
    /// at a time, then one by one.
    private mutating func skipPlain() {
        var position = position
        defer { self.position = position }
        let bytes = bytes
        let text = UnsafeRawBufferPointer(bytes)
        let (ones, highBits): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        while text.count - position >= 8 {
            let word = text.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let (quotes, backslashes) = (word ^ ones &* 0x22, word ^ ones &* 0x5C)
            // The highest bit of each byte that is below 0x20, or zero in one of the two: of the first of them it is
            // right, and more is not asked.
            let found =
                ((word &- ones &* 0x20) & ~word | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes)
                & highBits
            guard found == 0 else {
                position += found.littleEndian.trailingZeroBitCount / 8
                return
            }
            position += 8
        }
        while position < bytes.count {
            let byte = bytes[position]
            guard byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else { return }
            position += 1
        }
    }

    /// From after the opening quote to after the closing one.
    private mutating func string(isKept: Bool) throws(JSONError) -> Text {
        let quote = position - 1
        let start = position
        skipPlain()
        let text = Text(place: start..<position)
        guard let byte = current else { throw error("Unterminated string starting at", at: quote) }
        if byte == UInt8(ascii: "\"") {
            position += 1
            return text
        }
        guard byte == UInt8(ascii: "\\") else { throw error("Invalid control character at", at: position) }
        return try withEscapes(text, quote)
    }

    /// Goes on with a string at its first escape.
    private mutating func withEscapes(_ start: Text, _ quote: Int) throws(JSONError) -> Text {
        var text = start
        let room = room()
        var length = copy(text.place, to: room, 0)
        var place = position
        let bytes = bytes
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if byte == UInt8(ascii: "\"") {
                position = place
                text.length = length
                return text
            }
            guard byte >= 0x20 else { throw error("Invalid control character at", at: place - 1) }
            guard byte == UInt8(ascii: "\\") else {
                room[length] = byte
                length += 1
                continue
            }
            guard place < bytes.count else { break }
            let letter = bytes[place]
            place += 1
            if letter == UInt8(ascii: "u") {
                position = place
                var codePoint = try codePoint()
                place = position
                if (0xD800..<0xE000).contains(codePoint) {
                    text.surrogate = text.surrogate ?? UInt16(truncatingIfNeeded: codePoint)
                    codePoint = 0xFFFD
                }
                length = Self.put(codePoint, room, length)
                continue
            }
            guard let meant = Self.meaning(of: letter) else { throw error("Invalid \\escape", at: place - 2) }
            room[length] = meant
            length += 1
        }
        throw error("Unterminated string starting at", at: quote)
    }

    /// Of the letter behind a backslash.
    private static func meaning(of letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    private mutating func room() -> UnsafeMutablePointer<UInt8> {
        if let scratch { return scratch }
        let room = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        scratch = room
        return room
    }

    /// - Returns: Where what is copied ends.
    private func copy(_ place: Range<Int>, to room: UnsafeMutablePointer<UInt8>, _ length: Int) -> Int {
        if let start = bytes.baseAddress { (room + length).update(from: start + place.lowerBound, count: place.count) }
        return length + place.count
    }

    /// Writes UTF-8 (RFC 3629, section 3).
    /// - Returns: Where it ends.
    private static func put(_ codePoint: UInt32, _ room: UnsafeMutablePointer<UInt8>, _ length: Int) -> Int {
        func byte(_ prefix: UInt32, _ shift: UInt32, _ mask: UInt32 = 0x3F) -> UInt8 {
            UInt8(truncatingIfNeeded: prefix | codePoint >> shift & mask)
        }
        switch codePoint {
        case 0..<0x80:
            room[length] = UInt8(truncatingIfNeeded: codePoint)
            return length + 1
        case 0..<0x800:
            room[length] = byte(0xC0, 6, 0x1F)
            room[length + 1] = byte(0x80, 0)
            return length + 2
        case 0..<0x10000:
            room[length] = byte(0xE0, 12, 0x0F)
            room[length + 1] = byte(0x80, 6)
            room[length + 2] = byte(0x80, 0)
            return length + 3
        default:
            room[length] = byte(0xF0, 18, 0x07)
            room[length + 1] = byte(0x80, 12)
            room[length + 2] = byte(0x80, 6)
            room[length + 3] = byte(0x80, 0)
            return length + 4
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
        for place in start..<start + 4 {
            let digit = ASCII.hexadecimalValue(bytes[place])
            guard digit < 16 else { throw error("Invalid \\uXXXX escape", at: start - 1) }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }
}

/// Where the members of an object stand by their names: an open table of numbers, for objects of many members.
private struct NamePlaces {
    /// -1 where there is none; as many as a power of two, less than half of them taken.
    private var places: [Int32] = []

    /// - Returns: nil for a name that is new, whose place is the next then.
    mutating func place(of name: String, in members: [(name: String, value: JSONValue)]) -> Int? {
        if 2 * (members.count + 1) >= places.count {
            places = [Int32](repeating: -1, count: max(64, 4 * places.count))
            for (place, member) in members.enumerated() { _ = find(member.name, in: members, orPut: place) }
        }
        return find(name, in: members, orPut: members.count)
    }

    private mutating func find(
        _ name: String,
        in members: [(name: String, value: JSONValue)],
        orPut place: Int
    ) -> Int? {
        var hasher = Hasher()
        var text = name
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        var slot = hasher.finalize() & (places.count - 1)
        while places[slot] >= 0 {
            let known = Int(places[slot])
            if known < members.count, members[known].name.hasSameBytes(as: name) { return known }
            slot = (slot + 1) & (places.count - 1)
        }
        places[slot] = Int32(truncatingIfNeeded: place)
        return nil
    }
}

/// What is wrong with a JSON text, in CPython's words.
public struct JSONError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
