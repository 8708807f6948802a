/// A line of a journal: when it was written, and columns of any bytes.
public struct Event: Sendable, Equatable {
    /// Set by the journal when the event is written.
    public internal(set) var time: Timestamp
    public let columns: [[UInt8]]

    public init(_ columns: [[UInt8]]) { self.init(time: Timestamp(microseconds: 0), columns) }

    package init(time: Timestamp, _ columns: [[UInt8]]) {
        self.time = time
        self.columns = columns
    }
}

/// Columns as they stand in a line: printable UTF-8 stays as it is, everything that could end a column or a
/// line, turn text around on a terminal, or is no UTF-8 is written as `\t`, `\n`, `\r`, `\\` or `\xHH`.
enum Column {
    static func escape(_ bytes: [UInt8], into line: inout [UInt8]) {
        var position = 0
        while position < bytes.count {
            let length = printableLength(bytes, at: position)
            if length > 0 {
                line += bytes[position..<position + length]
                position += length
            } else {
                line += escapeSequence(of: bytes[position])
                position += 1
            }
        }
    }

    /// nil for what `escape` never writes.
    static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.contains(backslash) else { return Array(text) }
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == backslash else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case backslash: bytes.append(backslash)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "x"):
                guard let high = rest.popFirst().flatMap(Hexadecimal.value),
                    let low = rest.popFirst().flatMap(Hexadecimal.value)
                else { return nil }
                bytes.append(high << 4 | low)
            default: return nil
            }
        }
        return bytes
    }

    private static let backslash = UInt8(ascii: "\\")

    /// How many bytes from `position` on are one character that may stand as it is; 0: none.
    private static func printableLength(_ bytes: [UInt8], at position: Int) -> Int {
        let byte = bytes[position]
        if byte < 0x80 { return byte >= 0x20 && byte != 0x7F && byte != backslash ? 1 : 0 }
        let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
        guard position + length <= bytes.count,
            let text = String(validating: bytes[position..<position + length], as: UTF8.self),
            let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1
        else { return 0 }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return 0
        default: return length
        }
    }

    private static func escapeSequence(of byte: UInt8) -> [UInt8] {
        switch byte {
        case backslash: Array("\\\\".utf8)
        case 0x09: Array("\\t".utf8)
        case 0x0A: Array("\\n".utf8)
        case 0x0D: Array("\\r".utf8)
        default: Array("\\x".utf8) + Hexadecimal.digits(byte)
        }
    }
}

/// Hexadecimal digits in lower case.
package enum Hexadecimal {
    package static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    package static func digits(_ byte: UInt8) -> [UInt8] { [digit(byte >> 4), digit(byte & 15)] }

    /// Eight digits.
    static func digits(_ word: UInt32) -> [UInt8] {
        (0..<4).flatMap { digits(UInt8(truncatingIfNeeded: word >> (24 - 8 * $0))) }
    }

    /// Reads eight digits; nil for anything else.
    static func word(_ digits: ArraySlice<UInt8>) -> UInt32? {
        guard digits.count == 8 else { return nil }
        var word: UInt32 = 0
        for digit in digits {
            guard let value = value(digit) else { return nil }
            word = word << 4 | UInt32(value)
        }
        return word
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
