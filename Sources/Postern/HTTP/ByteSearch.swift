internal import Glibc

/// Looks for bytes as `memchr` does, which takes many at a time.
enum ByteSearch {
    /// Where a byte comes next; the end of the text where it does not.
    static func place(of byte: UInt8, in text: UnsafeRawBufferPointer, from start: Int = 0) -> Int {
        // Of bytes that are there.
        guard let first = text.baseAddress, let found = memchr(first + start, Int32(byte), text.count - start)
        else { return text.count }
        return UnsafeRawPointer(found) - first
    }

    static func place(of byte: UInt8, in text: ArraySlice<UInt8>) -> Int? {
        let place = text.withUnsafeBytes { Self.place(of: byte, in: $0) }
        return place < text.count ? text.startIndex + place : nil
    }

    /// Whether a byte comes more often than it may. The rest of a text in which it does is not looked at.
    static func isMore(than limit: Int, of byte: UInt8, in text: ArraySlice<UInt8>) -> Bool {
        text.withUnsafeBytes { text in
            var (count, place) = (0, Self.place(of: byte, in: text))
            while place < text.count {
                count += 1
                if count > limit { return true }
                place = Self.place(of: byte, in: text, from: place + 1)
            }
            return false
        }
    }
}
