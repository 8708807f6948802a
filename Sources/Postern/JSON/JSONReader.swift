internal import Glibc

/// Reads JSON as DRF's `JSONParser` does on CPython: what it takes, what it refuses, and in which words.
/// Of doubled names the last one counts; `NaN` and `Infinity` are refused; nesting has a limit.
///
/// Anybody may send a text, so the cost of one is linear in its bytes, and small.
public struct JSONReader {
    /// Deeper texts are refused: nobody means them, and the reader goes down with them.
    public static let maximumDepth = 128

    /// What a text may have.
    struct Limits {
        /// Deeper texts are refused.
        var depth = JSONReader.maximumDepth
        /// Values of all arrays and objects together.
        var values = Int.max
        /// Of one object.
        var members = Int.max
        /// Whether the last member of a name counts; otherwise a name that comes twice is refused.
        var allowsDoubledNames = true
        /// Keeps all members of a name that comes twice, for readers that judge each object by itself.
        var keepsDoubledNames = false
    }

    private static let fewMembers = 16

    /// All of the text. Each index that is used was compared with its count before.
    let bytes: UnsafeBufferPointer<UInt8>
    let limits: Limits
    var position = 0
    private var depth = 0
    private var values = 0
    /// Where texts with escapes are put together, one behind the other. It has room for as many bytes as there are, and no
    /// text is longer than what stands for it.
    var scratch: UnsafeMutablePointer<UInt8>?
    var scratchEnd = 0

    /// - Throws: ``JSONError`` with CPython's text.
    public static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue { try read(bytes, Limits()) }

    static func read(_ bytes: [UInt8], _ limits: Limits) throws(JSONError) -> JSONValue {
        try read(bytes, limits) { reader throws(JSONError) in try reader.value(isKept: true) }
    }

    static func read<Result>(
        _ bytes: [UInt8],
        _ limits: Limits,
        _ value: (inout Self) throws(JSONError) -> Result
    ) throws(JSONError) -> Result {
        if let error = UTF8Error(in: bytes) { throw JSONError(error.description) }
        return try bytes.withUnsafeBufferPointer { bytes throws(JSONError) in
            var reader = JSONReader(bytes: bytes, limits: limits)
            defer { reader.scratch?.deallocate() }
            return try reader.all(value)
        }
    }

    /// Reads again what has been checked.
    static func read<Result>(
        _ bytes: [UInt8],
        from start: Int,
        _ value: (inout Self) throws(JSONError) -> Result
    ) throws(JSONError) -> Result {
        try bytes.withUnsafeBufferPointer { bytes throws(JSONError) in
            var reader = JSONReader(bytes: bytes, limits: Limits())
            defer { reader.scratch?.deallocate() }
            reader.position = start
            return try value(&reader)
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, limits: Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    private mutating func all<Result>(
        _ value: (inout Self) throws(JSONError) -> Result
    ) throws(JSONError) -> Result {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw error("Unexpected UTF-8 BOM (decode using utf-8-sig)", at: 0)
        }
        skipWhiteSpace()
        let result = try value(&self)
        skipWhiteSpace()
        guard position == bytes.count else { throw error("Extra data", at: position) }
        return result
    }

    var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    func isNext(_ byte: UInt8) -> Bool { position < bytes.count && bytes[position] == byte }

    @inline(__always)
    private mutating func skipWhiteSpace() {
        if position < bytes.count, bytes[position] <= 0x20 { skipSpaces() }
    }

    @inline(never)
    private mutating func skipSpaces() {
        position = ByteSearch.end(
            of: UnsafeRawBufferPointer(bytes),
            from: position,
            { word in
                // The highest bit of each byte that is none of the four. A carry goes to bytes behind one that is marked.
                ByteSearch.differs(word, from: 0x20) & ByteSearch.differs(word, from: 0x09)
                    & ByteSearch.differs(word, from: 0x0A) & ByteSearch.differs(word, from: 0x0D)
            },
            { ($0 != 0x20).bit & ($0 != 0x09).bit & ($0 != 0x0A).bit & ($0 != 0x0D).bit }
        )
    }

    /// - Parameter isKept: Otherwise it is only checked, and there is nothing in it.
    mutating func value(isKept: Bool) throws(JSONError) -> JSONValue {
        try countValue()
        switch current {
        case UInt8(ascii: "\""):
            let text = try string()
            return isKept ? value(of: text) : .string("")
        case UInt8(ascii: "{"):
            return try object(isKept: isKept)
        case UInt8(ascii: "["):
            return try array(isKept: isKept)
        case UInt8(ascii: "n")? where take("null"): return .null
        case UInt8(ascii: "t")? where take("true"): return .bool(true)
        case UInt8(ascii: "f")? where take("false"): return .bool(false)
        default: break
        }
        if let number = try number(isKept: isKept) { return number }
        for word: StaticString in ["NaN", "Infinity", "-Infinity"] where take(word) {
            throw JSONError("Out of range float values are not JSON compliant: '\(word)'")
        }
        throw error("Expecting value", at: position)
    }

    mutating func countValue() throws(JSONError) {
        guard values < limits.values else { throw JSONError("Too many values") }
        values += 1
    }

    @inline(__always)
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
        guard isKept else {
            try members { reader, _ throws(JSONError) in _ = try reader.value(isKept: false) }
            return .object([])
        }
        var kept: [(name: String, value: JSONValue)] = []
        // Of many members; few are found faster without.
        var places = NamePlaces()
        try members { reader, text throws(JSONError) in
            let name = reader.string(of: text)
            let value = try reader.value(isKept: true)
            // By position: a closure would be handed copies.
            let known =
                kept.count <= Self.fewMembers
                ? kept.indices.first { kept[$0].name.hasSameBytes(as: name) } : places.place(of: name, in: kept)
            if let known, !reader.limits.keepsDoubledNames {
                guard reader.limits.allowsDoubledNames else { throw JSONError("A name comes twice in one object") }
                kept[known].value = value
            } else {
                kept.append((name, value))
            }
        }
        return .object(kept)
    }

    /// - Parameter take: Gets a name, and reads the value that comes next.
    @inline(__always)
    mutating func members(
        _ take: (inout Self, _ name: Text) throws(JSONError) -> Void
    ) throws(JSONError) {
        try enter()
        defer { depth -= 1 }
        if isNext(UInt8(ascii: "}")) {
            position += 1
            return
        }
        var count = 0
        repeat {
            guard isNext(UInt8(ascii: "\"")) else {
                throw error("Expecting property name enclosed in double quotes", at: position)
            }
            guard count < limits.members else { throw JSONError("Too many members in one object") }
            count += 1
            let name = try string()
            skipWhiteSpace()
            guard isNext(UInt8(ascii: ":")) else { throw error("Expecting ':' delimiter", at: position) }
            position += 1
            skipWhiteSpace()
            try take(&self, name)
        } while try !endsList(with: UInt8(ascii: "}"))
    }

    private mutating func array(isKept: Bool) throws(JSONError) -> JSONValue {
        var kept: [JSONValue] = []
        try elements { reader throws(JSONError) in
            let element = try reader.value(isKept: isKept)
            if isKept { kept.append(element) }
        }
        return .array(kept)
    }

    /// - Parameter take: Reads an element.
    @inline(__always)
    mutating func elements(_ take: (inout Self) throws(JSONError) -> Void) throws(JSONError) {
        try enter()
        defer { depth -= 1 }
        if isNext(UInt8(ascii: "]")) {
            position += 1
            return
        }
        repeat { try take(&self) } while try !endsList(with: UInt8(ascii: "]"))
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

    /// An error at a byte, counted in lines, columns and characters as CPython counts.
    func error(_ text: String, at offset: Int) -> JSONError {
        let before = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<min(offset, bytes.count)])
        let start = ByteSearch.endOfLast(0x0A, in: before)
        let lines = ByteSearch.count(of: 0x0A, in: UnsafeRawBufferPointer(rebasing: before[..<start]))
        let column = ByteSearch.characters(in: UnsafeRawBufferPointer(rebasing: before[start...]))
        let characters = ByteSearch.characters(in: UnsafeRawBufferPointer(rebasing: before[..<start])) + column
        return JSONError("\(text): line \(lines + 1) column \(column + 1) (char \(characters))")
    }
}
