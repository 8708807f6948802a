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
                guard let start = bytes.baseAddress, let room = text.baseAddress else { return }
                count = write(start, bytes.count, to: room)
            }
        }
    }

    /// What bytes stand for, in the order of memory: one byte of UTF-8, or two. Nobody frees or changes them.
    private static nonisolated(unsafe) let letters: UnsafePointer<UInt16> = {
        let letters = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
        for byte in UInt16(0)..<256 {
            let letter = byte < 0x80 ? byte : 0xC0 | byte >> 6 | (0x80 | byte & 0x3F) << 8
            (letters + Int(byte)).initialize(to: letter.littleEndian)
        }
        return UnsafePointer(letters)
    }()

    /// - Parameter room: For twice as many bytes.
    /// - Returns: How many it got.
    private static func write(_ start: UnsafePointer<UInt8>, _ count: Int, to room: UnsafeMutablePointer<UInt8>) -> Int
    {
        let (last, letters) = (start + count, letters)
        var (from, to) = (start, room)
        while from < last {
            if last - from >= 8 {
                let word = UnsafeRawPointer(from).loadUnaligned(as: UInt64.self)
                if word & ByteSearch.highBits == 0 {
                    UnsafeMutableRawPointer(to).storeBytes(of: word, as: UInt64.self)
                    from += 8
                    to += 8
                    continue
                }
            }
            // One by one, until eight are behind.
            let next = min(from + 8, last)
            while from < next {
                let byte = Int(from[0])
                // The second byte is written over where it is none.
                UnsafeMutableRawPointer(to).storeBytes(of: letters[byte], as: UInt16.self)
                to += 1 &+ byte &>> 7
                from += 1
            }
        }
        return to - room
    }
}
