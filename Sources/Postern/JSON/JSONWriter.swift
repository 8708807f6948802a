internal import Journal

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
            var text = text
            text.withUTF8 { text in
                // As it is up to the next byte that is not plain.
                var start = 0
                for position in 0..<text.count where Self.isSpecial(text[position]) {
                    let byte = text[position]
                    // The last byte of U+2028 or U+2029, which are escaped, or of another character.
                    let isSeparator = byte >= 0x80
                    if isSeparator {
                        guard position >= start + 2, text[position - 1] == 0x80, text[position - 2] == 0xE2 else {
                            continue
                        }
                    }
                    let end = isSeparator ? position - 2 : position
                    bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<end]))
                    start = position + 1
                    if isSeparator {
                        bytes += (byte == 0xA8 ? "\\u2028" : "\\u2029").utf8
                    } else {
                        write(special: byte)
                    }
                }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
            }
            bytes.append(UInt8(ascii: "\""))
        }

        private static func isSpecial(_ byte: UInt8) -> Bool {
            byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0xA8 || byte == 0xA9
        }

        private mutating func write(special byte: UInt8) {
            let letter: UInt8
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): letter = byte
            case 0x08: letter = UInt8(ascii: "b")
            case 0x09: letter = UInt8(ascii: "t")
            case 0x0A: letter = UInt8(ascii: "n")
            case 0x0C: letter = UInt8(ascii: "f")
            case 0x0D: letter = UInt8(ascii: "r")
            default:
                bytes += "\\u00".utf8
                bytes += Hexadecimal.digits(byte)
                return
            }
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(letter)
        }
    }
}
