/// The first bytes of a text that are not UTF-8, described as CPython's decoder does.
struct UTF8Error: CustomStringConvertible {
    let description: String

    /// nil when there are none. A sequence that is cut off by the end of the text is none: CPython's stream
    /// reader waits for its rest.
    init?(in bytes: [UInt8]) {
        let found = bytes.withUnsafeBytes { text in
            UTF8Text.startOfError(in: text).map { ($0, UTF8Text.piece(of: text, at: $0)) }
        }
        guard let (position, piece) = found, piece.kind != .cutOff else { return nil }
        let reason = piece.kind == .badStart ? "invalid start byte" : "invalid continuation byte"
        description =
            piece.length == 1
            ? "'utf-8' codec can't decode byte 0x\(String(bytes[position], radix: 16)) in position \(position): \(reason)"
            : "'utf-8' codec can't decode bytes in position \(position)-\(position + piece.length - 1): \(reason)"
    }
}
