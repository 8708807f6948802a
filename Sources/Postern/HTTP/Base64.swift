/// Base64 (RFC 4648, section 4) as Python's `base64.b64decode` reads it by default, which is how DRF reads
/// Basic credentials: bytes outside the alphabet are passed over. Never for tokens.
enum Base64 {
    /// nil when the padding is not right, or one character is left over.
    static func decodeLeniently(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var held: UInt8 = 0
        var place = 0
        var padding = 0
        for character in text {
            if character == UInt8(ascii: "=") {
                padding += 1
                if place >= 2, place + padding >= 4 { return bytes }
                continue
            }
            guard let value = value(character) else { continue }
            padding = 0
            switch place {
            case 0: held = value
            case 1:
                bytes.append(held << 2 | value >> 4)
                held = value & 0x0F
            case 2:
                bytes.append(held << 4 | value >> 2)
                held = value & 0x03
            default: bytes.append(held << 6 | value)
            }
            place = (place + 1) % 4
        }
        return place == 0 ? bytes : nil
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

    private static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
