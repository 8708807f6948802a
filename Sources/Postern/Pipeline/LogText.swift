internal import Journal

/// Text from outside as it may stand in a log: one line, nothing but visible ASCII, and not endless.
struct LogText: CustomStringConvertible {
    private static let maximumBytes = 512
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>?) { self.bytes = bytes ?? [] }

    /// Of a longer text only so much is copied as tells that there is more.
    init(_ text: String) { bytes = Array(text.utf8.prefix(Self.maximumBytes + 1))[...] }

    var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(Self.maximumBytes)
        for byte in bytes.prefix(Self.maximumBytes) {
            if Self.plain.contains(byte) {
                text.append(byte)
            } else {
                text += "\\x".utf8
                text += Hexadecimal.digits(byte)
            }
        }
        if bytes.count > Self.maximumBytes { text += "…".utf8 }
        return String(decoding: text, as: UTF8.self)
    }

    private static let plain = ByteSet { (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\\") }
}
