/// A media type or range with its parameters (RFC 9110, section 8.3.1), read as DRF's `_MediaType` does.
struct MediaType {
    let type: ArraySlice<UInt8>
    let subtype: ArraySlice<UInt8>
    let parameters: [(name: [UInt8], value: [UInt8])]

    init(_ text: ArraySlice<UInt8>) {
        var parts = Self.split(text, at: UInt8(ascii: ";")).map(Self.trimmed)
        let full = parts.isEmpty ? [] : Self.lowercased(parts.removeFirst())[...]
        let slash = full.firstIndex(of: UInt8(ascii: "/"))
        type = full[..<(slash ?? full.endIndex)]
        subtype = slash.map { full[($0 + 1)...] } ?? []
        parameters = parts.compactMap { part in
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let value = Self.trimmed(part[(equals + 1)...])
            return (Self.lowercased(Self.trimmed(part[..<equals])), Self.unquoted(value))
        }
    }

    /// Whether this range and `type/subtype` can be the same.
    func matches(_ type: String, _ subtype: String) -> Bool {
        Self.matches(self.type, type) && Self.matches(self.subtype, subtype)
    }

    /// DRF's `precedence`: `*/*`, `type/*`, `type/subtype`, one with parameters.
    var precedence: Int {
        if type.elementsEqual("*".utf8) { return 0 }
        if subtype.elementsEqual("*".utf8) { return 1 }
        return parameters.isEmpty || parameters.count == 1 && parameters[0].name.elementsEqual("q".utf8) ? 2 : 3
    }

    /// The last one of that name.
    func parameter(_ name: String) -> [UInt8]? { parameters.last { $0.name.elementsEqual(name.utf8) }?.value }

    private static func matches(_ range: ArraySlice<UInt8>, _ name: String) -> Bool {
        range.elementsEqual("*".utf8) || range.elementsEqual(name.utf8)
    }

    /// Splits at a separator that is not inside of a quoted-string.
    private static func split(_ text: ArraySlice<UInt8>, at separator: UInt8) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var start = text.startIndex
        var isQuoted = false
        for position in text.indices {
            if text[position] == UInt8(ascii: "\"") { isQuoted.toggle() }
            if text[position] == separator, !isQuoted {
                parts.append(text[start..<position])
                start = position + 1
            }
        }
        return parts + [text[start...]]
    }

    private static func unquoted(_ value: ArraySlice<UInt8>) -> [UInt8] {
        guard value.count >= 2, value.first == UInt8(ascii: "\""), value.last == UInt8(ascii: "\"") else {
            return Array(value)
        }
        var text: [UInt8] = []
        var isEscaped = false
        for byte in value.dropFirst().dropLast() {
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            if !isEscaped { text.append(byte) }
        }
        return text
    }

    static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = text.firstIndex { !ASCII.isWhiteSpace($0) } ?? text.endIndex
        let end = text.lastIndex { !ASCII.isWhiteSpace($0) }.map { $0 + 1 } ?? start
        return text[start..<end]
    }

    private static func lowercased(_ text: ArraySlice<UInt8>) -> [UInt8] {
        text.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }
}
