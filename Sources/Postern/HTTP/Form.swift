/// `application/x-www-form-urlencoded` as Django's `QueryDict` reads it.
enum Form {
    /// Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS`.
    static let maximumFields = 1000

    /// Names and values in order.
    /// - Throws: ``ParseError/malformed(_:)`` for more than ``maximumFields``.
    static func fields(in body: [UInt8]) throws(ParseError) -> [(name: String, value: JSONValue)] {
        // Django reads what is not UTF-8 as Latin-1.
        let text = String(validating: body, as: UTF8.self) == nil ? Latin1.utf8(body) : body
        guard text.count(where: { $0 == UInt8(ascii: "&") }) < maximumFields else {
            throw .malformed("The number of GET/POST parameters exceeded settings.DATA_UPLOAD_MAX_NUMBER_FIELDS.")
        }
        return pairs(in: text[...]).map { (unquoted($0.name), .string(unquoted($0.value))) }
    }

    /// The value that the last field of this name has.
    static func lastValue(of name: String, in query: ArraySlice<UInt8>) -> String? {
        pairs(in: query).last { unquoted($0.name) == name }.map { unquoted($0.value) }
    }

    private static func pairs(in text: ArraySlice<UInt8>) -> [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] {
        text.split(separator: UInt8(ascii: "&")).map { pair in
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            return (pair[..<equals], pair[equals...].dropFirst())
        }
    }

    /// Without `+` and `%XX`; bytes that are no UTF-8 become U+FFFD.
    private static func unquoted(_ text: ArraySlice<UInt8>) -> String {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                bytes.append(0x20)
            } else if byte == UInt8(ascii: "%"), let value = ASCII.byte(hexadecimal: rest.prefix(2)) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// ISO 8859-1.
enum Latin1 {
    /// As WSGI hands header fields to Django.
    static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: utf8(Array(bytes)), as: UTF8.self) }

    static func utf8(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { $0 < 0x80 ? [$0] : [0xC0 | $0 >> 6, 0x80 | $0 & 0x3F] }
    }
}
