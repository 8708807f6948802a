/// Base64url without padding (RFC 7515, section 2), read strictly: no other alphabet, no padding, no white
/// space, and no bit that is not used, so that there is one text for each sequence of bytes.
public enum Base64URL {
    /// nil for what ``encode(_:)`` never writes.
    public static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var held: UInt32 = 0
        var heldBits = 0
        let values = values
        for character in text {
            let value = values[Int(character)]
            guard value != 0xFF else { return nil }
            held = held << 6 | UInt32(value)
            heldBits += 6
            if heldBits >= 8 {
                heldBits -= 8
                bytes.append(UInt8(truncatingIfNeeded: held >> heldBits))
                held &= 1 << heldBits - 1
            }
        }
        return held == 0 ? bytes : nil
    }

    public static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        var held: UInt32 = 0
        var heldBits = 0
        for byte in bytes {
            held = held << 8 | UInt32(byte)
            heldBits += 8
            while heldBits >= 6 {
                heldBits -= 6
                text.append(alphabet[Int(held >> heldBits & 63)])
            }
            held &= 1 << heldBits - 1
        }
        if heldBits > 0 { text.append(alphabet[Int(held << (6 - heldBits) & 63)]) }
        return text
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
}
