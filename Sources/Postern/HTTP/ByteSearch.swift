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

    // MARK: Counting

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080
    /// Eight of one byte.
    static let spaces = ones &* 0x20
    static let newlines = ones &* 0x0A

    /// How often a byte comes.
    static func count(of byte: UInt8, in text: UnsafeRawBufferPointer) -> Int {
        let pattern = ones &* UInt64(byte)
        // The highest bit of each byte that is zero: no sum of seven bits reaches the byte beside it.
        return count(
            in: text,
            where: { $0 == byte },
            marked: { word in
                let difference = word ^ pattern
                return ~((difference & ~highBits &+ ~highBits) | difference) & highBits
            }
        )
    }

    /// How many characters a text of UTF-8 has: its bytes but for those that go on with one (RFC 3629, section 3).
    static func characters(in text: UnsafeRawBufferPointer) -> Int {
        text.count - count(in: text, where: { $0 & 0xC0 == 0x80 }, marked: { $0 & ~($0 << 1) & highBits })
    }

    /// Eight bytes at a time, then one by one.
    ///
    /// - Parameter marked: The highest bit of each byte that counts.
    @inline(__always)
    private static func count(
        in text: UnsafeRawBufferPointer,
        where counts: (UInt8) -> Bool,
        marked: (UInt64) -> UInt64
    ) -> Int {
        var (total, place) = (0, 0)
        while text.count - place >= 8 {
            total += marked(text.loadUnaligned(fromByteOffset: place, as: UInt64.self)).nonzeroBitCount
            place += 8
        }
        while place < text.count {
            if counts(text[place]) { total += 1 }
            place += 1
        }
        return total
    }

    /// What stands behind the last of these bytes; 0 where there is none.
    static func endOfLast(_ byte: UInt8, in text: UnsafeRawBufferPointer) -> Int {
        text.lastIndex(of: byte).map { $0 + 1 } ?? 0
    }
}
