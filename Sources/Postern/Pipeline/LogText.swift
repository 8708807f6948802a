/// Text from outside as it may stand in a log: one line, nothing but visible ASCII, and not endless.
struct LogText: CustomStringConvertible {
    private static let maximumBytes = 512
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>?) { self.bytes = bytes ?? [] }

    init(_ text: String) { bytes = Array(text.utf8)[...] }

    var description: String {
        var text = ""
        for byte in bytes.prefix(Self.maximumBytes) {
            if (0x20..<0x7F).contains(byte), byte != UInt8(ascii: "\\") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return bytes.count > Self.maximumBytes ? text + "…" : text
    }
}
