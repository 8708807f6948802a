/// Base64url without padding (RFC 7515, section 2), read strictly: no other alphabet, no padding, no white
/// space, and no bit that is not used, so that there is one text for each sequence of bytes.
public enum Base64URL {
    /// nil for what ``encode(_:)`` never writes.
    public static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var isGood = true
        let bytes = [UInt8](unsafeUninitializedCapacity: text.count * 3 / 4) { bytes, count in
            values.withUnsafeBufferPointer { values in
                text.withUnsafeBufferPointer { text in isGood = decode(text, values, bytes) }
            }
            count = isGood ? text.count * 3 / 4 : 0
        }
        return isGood ? bytes : nil
    }

    /// - Parameter bytes: Room for three bytes of each four characters.
    private static func decode(
        _ text: UnsafeBufferPointer<UInt8>,
        _ values: UnsafeBufferPointer<UInt8>,
        _ bytes: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        func value(at position: Int) -> UInt32 { UInt32(values[Int(text[position])]) }
        var (position, end) = (0, 0)
        while text.count - position >= 4 {
            let (first, second, third, fourth) = (
                value(at: position), value(at: position + 1), value(at: position + 2), value(at: position + 3)
            )
            guard first | second | third | fourth < 64 else { return false }
            let word = first << 18 | second << 12 | third << 6 | fourth
            bytes.initializeElement(at: end, to: UInt8(truncatingIfNeeded: word >> 16))
            bytes.initializeElement(at: end + 1, to: UInt8(truncatingIfNeeded: word >> 8))
            bytes.initializeElement(at: end + 2, to: UInt8(truncatingIfNeeded: word))
            position += 4
            end += 3
        }
        let rest = text.count - position
        guard rest > 0 else { return true }
        let third = rest == 3 ? value(at: position + 2) : 0
        guard value(at: position) | value(at: position + 1) | third < 64 else { return false }
        let word = value(at: position) << 18 | value(at: position + 1) << 12 | third << 6
        bytes.initializeElement(at: end, to: UInt8(truncatingIfNeeded: word >> 16))
        if rest == 3 { bytes.initializeElement(at: end + 1, to: UInt8(truncatingIfNeeded: word >> 8)) }
        // The bits that are not used are zero.
        return word & (rest == 3 ? 0xFF : 0xFFFF) == 0
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
