/// ISO 8859-1, as WSGI hands header fields to Django.
enum Latin1 {
    /// Bytes of a client's text that an answer repeats.
    static let maximumExcerpt = 512

    /// A client's text for an answer: whole, unless it is longer than anybody means it to be.
    static func excerpt(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: utf8(bytes.prefix(maximumExcerpt)), as: UTF8.self)
            + (bytes.count > maximumExcerpt ? "…" : "")
    }

    static func utf8(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        bytes.withUnsafeBufferPointer { bytes in
            // At most two bytes for each.
            [UInt8](unsafeUninitializedCapacity: 2 * bytes.count) { text, count in
                for byte in bytes {
                    if byte >= 0x80 {
                        text.initializeElement(at: count, to: 0xC0 | byte >> 6)
                        count += 1
                    }
                    text.initializeElement(at: count, to: byte < 0x80 ? byte : 0x80 | byte & 0x3F)
                    count += 1
                }
            }
        }
    }
}
