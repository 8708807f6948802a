/// Percent-encoding (RFC 3986, section 2.1).
enum Percent {
    /// - Parameter kept: Bytes that stay as they are.
    static func encoded(_ bytes: some Collection<UInt8>, keeping kept: ByteSet) -> String {
        // At most three bytes for each.
        String(unsafeUninitializedCapacity: 3 * bytes.count) { text in
            var end = 0
            for byte in bytes {
                if kept.contains(byte) {
                    text[end] = byte
                    end += 1
                } else {
                    text[end] = sign
                    text[end + 1] = digit(byte >> 4)
                    text[end + 2] = digit(byte & 15)
                    end += 3
                }
            }
            return end
        }
    }

    /// What an escape stands for.
    /// - Parameter place: Of its percent sign.
    /// - Returns: nil for one without two hexadecimal digits.
    @inline(__always)
    static func byte(
        in text: UnsafeBufferPointer<UInt8>,
        escapedAt place: Int,
        _ digits: HexadecimalDigits
    ) -> UInt8? {
        guard text.count &- place > 2, let start = text.baseAddress else { return nil }
        let value = digits.two(start + place + 1)
        return value >= 0 ? UInt8(truncatingIfNeeded: value) : nil
    }

    static let sign = UInt8(ascii: "%")

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    /// RFC 3986, section 2.3: `unreserved`.
    static let unreserved = ByteSet(where: Base62.contains).union("-._~")
}
