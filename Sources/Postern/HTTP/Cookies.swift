/// The cookies of a request (RFC 6265, section 4.2), by bytes: nothing is decoded, unquoted or folded, so that no
/// other text than the very name is the name.
enum Cookies {
    /// The value of the cookie of this name. Of several the last one counts, as in Django.
    static func value(of name: String, in field: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var value: ArraySlice<UInt8>?
        for pair in field.split(separator: UInt8(ascii: ";")) {
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { continue }
            if trimmed(pair[..<equals]).elementsEqual(name.utf8) { value = trimmed(pair[(equals + 1)...]) }
        }
        return value
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        let start = text.firstIndex { !isSpace($0) } ?? text.endIndex
        let end = text.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start
        return text[start..<end]
    }
}
