/// The first bytes of a text that are not UTF-8, described as CPython's decoder does.
struct UTF8Error: CustomStringConvertible {
    let description: String

    /// nil when there are none. A sequence that is cut off by the end of the text is none: CPython's stream
    /// reader waits for its rest.
    init?(in bytes: [UInt8]) {
        if ASCII.isASCII(bytes[...]) || String(validating: bytes, as: UTF8.self) != nil { return nil }
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte < 0x80 {
                position += 1
                continue
            }
            guard let (length, second) = Self.sequence(byte) else {
                description = Self.text(bytes, position, 1, "invalid start byte")
                return
            }
            var valid = 1
            while valid < length, position + valid < bytes.count,
                (valid == 1 ? second : 0x80...0xBF).contains(bytes[position + valid])
            {
                valid += 1
            }
            if valid == length {
                position += length
            } else if position + valid == bytes.count {
                return nil
            } else {
                description = Self.text(bytes, position, valid, "invalid continuation byte")
                return
            }
        }
        return nil
    }

    /// The length of the sequence that a byte begins, and what its second byte may be (RFC 3629, section 4).
    private static func sequence(_ first: UInt8) -> (length: Int, second: ClosedRange<UInt8>)? {
        switch first {
        case 0xC2...0xDF: (2, 0x80...0xBF)
        case 0xE0: (3, 0xA0...0xBF)
        case 0xED: (3, 0x80...0x9F)
        case 0xE1...0xEF: (3, 0x80...0xBF)
        case 0xF0: (4, 0x90...0xBF)
        case 0xF1...0xF3: (4, 0x80...0xBF)
        case 0xF4: (4, 0x80...0x8F)
        default: nil
        }
    }

    private static func text(_ bytes: [UInt8], _ position: Int, _ count: Int, _ reason: String) -> String {
        count == 1
            ? "'utf-8' codec can't decode byte 0x\(String(bytes[position], radix: 16)) in position \(position): \(reason)"
            : "'utf-8' codec can't decode bytes in position \(position)-\(position + count - 1): \(reason)"
    }
}
