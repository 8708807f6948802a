/// Percent-encoding (RFC 3986, section 2.1).
enum Percent {
    /// - Parameter isKept: Whether a byte stays as it is; it has to be one of ASCII then.
    static func encoded(_ bytes: some Sequence<UInt8>, keeping isKept: (UInt8) -> Bool) -> String {
        bytes.reduce(into: "") { text, byte in
            if isKept(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }

    /// RFC 3986, section 2.3: `unreserved`.
    static func isUnreserved(_ byte: UInt8) -> Bool { Base62.contains(byte) || "-._~".utf8.contains(byte) }
}
