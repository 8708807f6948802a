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
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\""): bytes += "\\\"".utf8
                case UInt8(ascii: "\\"): bytes += "\\\\".utf8
                case 0x08: bytes += "\\b".utf8
                case 0x09: bytes += "\\t".utf8
                case 0x0A: bytes += "\\n".utf8
                case 0x0C: bytes += "\\f".utf8
                case 0x0D: bytes += "\\r".utf8
                case 0..<0x20: bytes += ("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).utf8
                case 0xA8, 0xA9: appendLast(byte)
                default: bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }

        /// The last byte of U+2028 or U+2029, which are escaped, or of another character.
        private mutating func appendLast(_ byte: UInt8) {
            guard bytes.suffix(2) == [0xE2, 0x80] else { return bytes.append(byte) }
            bytes.removeLast(2)
            bytes += (byte == 0xA8 ? "\\u2028" : "\\u2029").utf8
        }
    }
}
