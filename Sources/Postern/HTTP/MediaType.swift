/// A media type or range with its parameters (RFC 9110, section 8.3.1), read as DRF's `_MediaType` does.
///
/// It keeps the text and looks a parameter up when somebody asks for it: a client may send any number of them.
struct MediaType {
    /// Bytes, and parameters, of the longest text that is read. Browsers and clients send tens of them. A longer one is no
    /// media type: it matches nothing.
    static let maximumLength = 4096
    static let maximumParameters = 100

    private let text: ArraySlice<UInt8>
    /// Where type and subtype stand, and where the parameters begin.
    private let slash, end: Int

    init(_ text: ArraySlice<UInt8>) {
        guard text.count <= Self.maximumLength,
            !ByteSearch.isMore(than: Self.maximumParameters, of: Self.semicolon, in: text)
        else {
            self.text = []
            (slash, end) = (0, 0)
            return
        }
        let text = Self.trimmed(text)
        self.text = text
        let partEnd = Self.endOfPart(text, from: text.startIndex)
        end = Self.trimmed(text[..<partEnd]).endIndex
        slash = ByteSearch.place(of: UInt8(ascii: "/"), in: text[..<end]) ?? end
    }

    private static let semicolon = UInt8(ascii: ";")

    /// As it was written, in any case; empty for what is no media type.
    private var type: ArraySlice<UInt8> { text[..<slash] }
    private var subtype: ArraySlice<UInt8> { slash < end ? text[(slash + 1)..<end] : [] }

    /// Whether it is this one and no range.
    func names(_ type: StaticString, _ subtype: StaticString) -> Bool {
        Self.isName(self.type, type) && Self.isName(self.subtype, subtype)
    }

    /// Whether this range and `type/subtype` can be the same.
    func matches(_ type: StaticString, _ subtype: StaticString) -> Bool {
        (Self.isName(self.type, "*") || Self.isName(self.type, type))
            && (Self.isName(self.subtype, "*") || Self.isName(self.subtype, subtype))
    }

    /// DRF's `precedence`: `*/*`, `type/*`, `type/subtype`, one with parameters.
    var precedence: Int {
        if Self.isName(type, "*") { return 0 }
        if Self.isName(subtype, "*") { return 1 }
        var (isFirst, isQuality) = (true, true)
        visitParameters { name, _ in
            isQuality = isFirst && Self.isName(name, "q")
            isFirst = false
            return isQuality
        }
        return isQuality ? 2 : 3
    }

    /// The last one of that name, without quotes and escapes.
    func parameter(_ name: StaticString) -> [UInt8]? {
        var found: ArraySlice<UInt8>?
        visitParameters { known, value in
            if Self.isName(known, name) { found = value }
            return true
        }
        return found.map { Self.unquoted(Self.trimmed($0)) }
    }

    /// - Parameter visit: Gets a name and what follows the equals sign, and says whether to go on.
    private func visitParameters(_ visit: (_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Bool) {
        var position = Self.endOfPart(text, from: text.startIndex)
        while position < text.endIndex {
            let start = position + 1
            position = Self.endOfPart(text, from: start)
            let part = text[start..<position]
            guard let equals = ByteSearch.place(of: UInt8(ascii: "="), in: part) else { continue }
            guard visit(Self.trimmed(part[..<equals]), part[(equals + 1)...]) else { return }
        }
    }

    /// Where the next semicolon is that is not inside of a quoted-string; the end where there is none.
    private static func endOfPart(_ text: ArraySlice<UInt8>, from start: Int) -> Int {
        let rest = text[start...]
        let end = ByteSearch.place(of: semicolon, in: rest) ?? rest.endIndex
        guard ByteSearch.place(of: UInt8(ascii: "\""), in: rest[..<end]) != nil else { return end }
        return rest.withUnsafeBufferPointer { rest in
            var isQuoted = false
            for position in 0..<rest.count {
                let byte = rest[position]
                if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
                if byte == semicolon, !isQuoted { return start + position }
            }
            return start + rest.count
        }
    }

    /// Whatever the case of the text.
    /// - Parameter name: In lower case.
    private static func isName(_ text: ArraySlice<UInt8>, _ name: StaticString) -> Bool {
        text.count == name.utf8CodeUnitCount && ASCII.begins(text, with: name)
    }

    /// Bytes of a quoted-string whose escapes are read: no boundary and no name of a field is as long.
    private static let maximumQuoted = 1024

    private static func unquoted(_ value: ArraySlice<UInt8>) -> [UInt8] {
        guard (2...maximumQuoted).contains(value.count), value.first == UInt8(ascii: "\""),
            value.last == UInt8(ascii: "\"")
        else {
            return Array(value)
        }
        var text: [UInt8] = []
        text.reserveCapacity(value.count)
        var isEscaped = false
        for byte in value.dropFirst().dropLast() {
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            if !isEscaped { text.append(byte) }
        }
        return text
    }

    static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let (start, end) = text.withUnsafeBufferPointer { text in
            var (start, end) = (0, text.count)
            while start < end, ASCII.isWhiteSpace(text[start]) { start += 1 }
            while end > start, ASCII.isWhiteSpace(text[end - 1]) { end -= 1 }
            return (start, end)
        }
        return text[(text.startIndex + start)..<(text.startIndex + end)]
    }
}
