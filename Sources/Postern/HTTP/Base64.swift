/// Base64 (RFC 4648, section 4) as Python's `base64.b64decode` reads it by default, which is how DRF reads
/// Basic credentials: bytes outside the alphabet are passed over. Never for tokens.
enum Base64 {
    /// nil when the padding is not right, or one character is left over.
    static func decodeLeniently(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var isGood = false
        let bytes = text.withUnsafeBufferPointer { text in
            values.withUnsafeBufferPointer { values in
                // Four characters give three bytes at most.
                [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { bytes, count in
                    isGood = decode(text, values, bytes, &count)
                }
            }
        }
        return isGood ? bytes : nil
    }

    private static func decode(
        _ text: UnsafeBufferPointer<UInt8>,
        _ values: UnsafeBufferPointer<UInt8>,
        _ bytes: UnsafeMutableBufferPointer<UInt8>,
        _ count: inout Int
    ) -> Bool {
        var held: UInt32 = 0
        var (position, place, padding, end) = (0, 0, 0, 0)
        defer { count = end }
        while position < text.count {
            // Four characters at once, as long as they are of the alphabet.
            if place == 0, text.count - position >= 4 {
                let (first, second) = (values[Int(text[position])], values[Int(text[position + 1])])
                let (third, fourth) = (values[Int(text[position + 2])], values[Int(text[position + 3])])
                if first | second | third | fourth < 64 {
                    bytes.initializeElement(at: end, to: first << 2 | second >> 4)
                    bytes.initializeElement(at: end + 1, to: second << 4 | third >> 2)
                    bytes.initializeElement(at: end + 2, to: third << 6 | fourth)
                    (position, end, padding) = (position + 4, end + 3, 0)
                    continue
                }
            }
            let next = min(position + 4, text.count)
            while position < next {
                let character = text[position]
                position += 1
                if character == UInt8(ascii: "=") {
                    padding += 1
                    if place >= 2, place + padding >= 4 { return true }
                    continue
                }
                let value = UInt32(values[Int(character)])
                guard value < 64 else { continue }
                padding = 0
                held = held << 6 | value
                if place > 0 {
                    bytes.initializeElement(at: end, to: UInt8(truncatingIfNeeded: held >> UInt32(6 - 2 * place)))
                    end += 1
                }
                place = (place + 1) & 3
            }
        }
        return place == 0
    }

    /// nil for what ``encode(_:)`` never writes.
    static func decode(_ text: String) -> [UInt8]? {
        guard let bytes = decodeLeniently(Array(text.utf8)[...]), encode(bytes) == text else { return nil }
        return bytes
    }

    /// With padding.
    static func encode(_ bytes: [UInt8]) -> String {
        let text = Base64URL.encode(bytes).map { character in
            switch character {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: character
            }
        }
        return String(decoding: text, as: UTF8.self) + String(repeating: "=", count: (4 - text.count % 4) % 4)
    }

    /// Of each character; 0xFF of what is none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, character) in alphabet.utf8.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
}
