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
        var position = bytes.firstIndex { !isPlain($0) } ?? bytes.count
        line += bytes[..<position]
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
    static func unescape(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.contains(backslash) else { return Array(text) }
        var bytes: [UInt8] = []
        var rest = text[...]
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

    /// nil for what `escape` never writes, and for what is no UTF-8.
    static func text(_ column: UnsafeRawBufferPointer) -> String? {
        if column.contains(backslash) { return unescape(column).flatMap { String(validating: $0, as: UTF8.self) } }
        // What is no UTF-8 is replaced, and so becomes something else.
        var text = String(decoding: column, as: UTF8.self)
        return text.withUTF8 { column.equals(UnsafeRawBufferPointer($0)) } ? text : nil
    }

    private static let backslash = UInt8(ascii: "\\")

    /// Of ASCII, and stands as it is.
    private static func isPlain(_ byte: UInt8) -> Bool { (0x20..<0x7F).contains(byte) && byte != backslash }

    /// How many bytes from `position` on are one character that may stand as it is; 0: none.
    private static func printableLength(_ bytes: [UInt8], at position: Int) -> Int {
        let byte = bytes[position]
        if byte < 0x80 { return isPlain(byte) ? 1 : 0 }
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

    static func escapeSequence(of byte: UInt8) -> [UInt8] {
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

    /// The bytes that digits stand for, two of them each; nil for anything else.
    package static func bytes(_ digits: some Collection<UInt8>) -> [UInt8]? {
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digits {
            guard let value = value(digit) else { return nil }
            if let first = high { bytes.append(first << 4 | value) }
            high = high == nil ? value : nil
        }
        return bytes
    }

    /// Two digits a byte.
    package static func digits(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 2 * bytes.count) { digits, count in
            for (position, byte) in bytes.enumerated() {
                digits[2 * position] = digit(byte >> 4)
                digits[2 * position + 1] = digit(byte & 15)
            }
            count = 2 * bytes.count
        }
    }

    /// Eight digits.
    static func digits(_ word: UInt32) -> [UInt8] {
        withUnsafeBytes(of: word.bigEndian) { digits($0) }
    }

    static func write(_ word: UInt32, into bytes: inout [UInt8]) {
        for shift in stride(from: 28, through: 0, by: -4) {
            bytes.append(digit(UInt8(truncatingIfNeeded: word >> UInt32(shift)) & 15))
        }
    }

    /// Reads eight digits from `offset` on; nil for anything else.
    static func word(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) -> UInt32? {
        bytesOfWord(bytes, at: offset)?.byteSwapped
    }

    /// Reads eight digits from `offset` on: four bytes, the first of them the lowest; nil for anything else.
    package static func bytesOfWord(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32? {
        guard offset >= 0, bytes.count - offset >= 8 else { return nil }
        // All eight at once, each in a byte of its own. Only of digits is what they are written as what was read.
        let text = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let each: UInt64 = 0x0101_0101_0101_0101
        let values = (text & (0x0F &* each)) &+ 9 &* (text >> 6 & each)
        let letters = (values &+ 0x76 &* each) >> 7 & each
        guard values & (0xF0 &* each) == 0, values &+ 0x30 &* each &+ 0x27 &* letters == text else { return nil }
        var packed = (values << 4 | values >> 8) & 0x00FF_00FF_00FF_00FF
        packed = (packed | packed >> 8) & 0x0000_FFFF_0000_FFFF
        return UInt32(truncatingIfNeeded: packed | packed >> 16)
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
