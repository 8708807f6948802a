/// Writes JSON as DRF's `JSONRenderer` does: UTF-8, compact, U+2028 and U+2029 escaped.
public enum JSONWriter {
    /// - Parameter indent: Spaces of one level, as `Accept: application/json; indent=4` asks for; nil: compact.
    public static func bytes(of value: JSONValue, indent: Int? = nil) -> [UInt8] {
        var writer = Writer(indent: indent)
        writer.write(value, level: 0)
        return writer.bytes
    }

    private struct Writer {
        let indent: Int?
        var bytes: [UInt8] = []

        mutating func write(_ value: JSONValue, level: Int) {
            switch value {
            case .null: bytes += "null".utf8
            case .bool(let value): bytes += (value ? "true" : "false").utf8
            case .integer(let value): bytes += String(value).utf8
            case .bigInteger(let digits): bytes += digits.utf8
            case .number(let value): bytes += (value.isFinite ? value.description : "null").utf8
            case .string(let text), .brokenString(_, let text): write(text)
            case .array(let elements):
                list(elements, "[", "]", level) { writer, element in writer.write(element, level: level + 1) }
            case .object(let members):
                list(members, "{", "}", level) { writer, member in
                    writer.write(member.name)
                    writer.bytes += (writer.indent == nil ? ":" : ": ").utf8
                    writer.write(member.value, level: level + 1)
                }
            }
        }

        private mutating func list<Element>(
            _ elements: [Element],
            _ opening: String,
            _ closing: String,
            _ level: Int,
            _ writeElement: (inout Self, Element) -> Void
        ) {
            bytes += opening.utf8
            for (position, element) in elements.enumerated() {
                if position > 0 { bytes.append(UInt8(ascii: ",")) }
                newLine(level + 1)
                writeElement(&self, element)
            }
            if !elements.isEmpty { newLine(level) }
            bytes += closing.utf8
        }

        private mutating func newLine(_ level: Int) {
            guard let indent else { return }
            bytes.append(0x0A)
            bytes += repeatElement(0x20, count: indent * level)
        }

        private mutating func write(_ text: String) {
            bytes.append(UInt8(ascii: "\""))
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"": bytes += "\\\"".utf8
                case "\\": bytes += "\\\\".utf8
                case "\n": bytes += "\\n".utf8
                case "\r": bytes += "\\r".utf8
                case "\t": bytes += "\\t".utf8
                case "\u{8}": bytes += "\\b".utf8
                case "\u{C}": bytes += "\\f".utf8
                case "\u{0}"..."\u{1F}":
                    bytes += ("\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)).utf8
                case "\u{2028}": bytes += "\\u2028".utf8
                case "\u{2029}": bytes += "\\u2029".utf8
                default: bytes += UTF8.encode(scalar).map(Array.init) ?? []
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }
    }
}
