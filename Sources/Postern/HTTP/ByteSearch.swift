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

    // MARK: Eight bytes at a time

    /// The lowest, and the highest, bit of each of eight bytes.
    static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// Where the first marked byte is; the end of the text where there is none.
    ///
    /// - Parameter marks: Sets the highest bit of each byte that is marked. It has to be right for the first one: others may
    ///   take a carry from it. What it sets of the other bits means nothing.
    @inline(__always)
    static func end(of text: UnsafeRawBufferPointer, from start: Int, _ marks: (UInt64) -> UInt64) -> Int {
        guard let first = text.baseAddress, start < text.count else { return text.count }
        var place = start
        // No sum of places in a text overflows.
        let last = text.count &- 8
        while place <= last {
            let word = UInt64(littleEndian: (first + place).loadUnaligned(as: UInt64.self))
            let marked = marks(word) & highBits
            guard marked == 0 else { return place &+ marked.trailingZeroBitCount / 8 }
            place &+= 8
        }
        var rest: UInt64 = 0
        for offset in 0..<(text.count - place) { rest |= UInt64(text[place + offset]) << UInt64(8 * offset) }
        // What stands behind the text is no part of it.
        return min(text.count, place + (marks(rest) & highBits).trailingZeroBitCount / 8)
    }

    /// The highest bit of each byte that is another one than this. A byte above 0x7F may carry into the next.
    @inline(__always)
    static func differs(_ word: UInt64, from byte: UInt64) -> UInt64 {
        (word ^ ones &* byte) &+ ones &* 0x7F | word
    }

    /// The highest bit of each byte that is zero, and no other bit: no sum of seven bits reaches the byte beside it.
    @inline(__always)
    static func zeros(_ word: UInt64) -> UInt64 { ~((word & ~highBits &+ ~highBits) | word) & highBits }

    // MARK: Thirty-two bytes at a time

    /// Bytes of a block.
    static let block = 32

    /// Where the first block begins that has a marked byte; the end of the text where there is none. Less than a block from
    /// `start` on is not looked at.
    ///
    /// - Parameter marks: Gets where a byte is, and is not zero where that is marked. It is made of comparisons and has no
    ///   branch, so that the compiler looks at sixteen bytes together.
    @inline(__always)
    static func endOfBlocks(
        of text: UnsafeRawBufferPointer,
        from start: Int,
        _ marks: (UnsafePointer<UInt8>) -> UInt8
    ) -> Int {
        guard let first = text.baseAddress, text.count - start >= block else { return start }
        // Raw memory is bytes. No sum of places in a text overflows.
        let bytes = first.assumingMemoryBound(to: UInt8.self)
        var place = start
        let last = text.count &- block
        while true {
            var marked: UInt8 = 0
            for offset in 0..<block { marked |= marks(bytes + (place &+ offset)) }
            guard marked == 0 else { return place }
            if place == last { return text.count }
            // The last block begins in the one before.
            place = min(place &+ block, last)
        }
    }

    /// Where the first marked byte is; the end of the text where there is none. Most texts end soon; what is
    /// long is looked at in blocks.
    ///
    /// - Parameters:
    ///   - marks: As for ``end(of:from:_:)``.
    ///   - isMarked: The same of one byte, as for ``endOfBlocks(of:from:_:)``.
    @inline(__always)
    static func end(
        of text: UnsafeRawBufferPointer,
        from start: Int,
        _ marks: (UInt64) -> UInt64,
        _ isMarked: (UInt8) -> UInt8
    ) -> Int {
        let near = min(text.count, start + 16)
        let end = end(of: UnsafeRawBufferPointer(start: text.baseAddress, count: near), from: start, marks)
        guard end == near, near < text.count else { return end }
        return Self.end(of: text, from: endOfBlocks(of: text, from: near) { isMarked($0[0]) }, marks)
    }

    // MARK: Counting

    /// How often a byte comes.
    static func count(of byte: UInt8, in text: UnsafeRawBufferPointer) -> Int {
        let pattern = ones &* UInt64(byte)
        return count(in: text, where: { $0 == byte }, marked: { zeros($0 ^ pattern) })
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
        where isCounted: (UInt8) -> Bool,
        marked: (UInt64) -> UInt64
    ) -> Int {
        var (total, place) = (0, 0)
        while text.count &- place >= 8 {
            // A count for each of the eight places, which ends before one is full.
            let end = place &+ min((text.count &- place) & ~7, 8 &* 255)
            var counts: UInt64 = 0
            while place < end {
                counts &+= marked(text.loadUnaligned(fromByteOffset: place, as: UInt64.self)) >> 7
                place &+= 8
            }
            let pairs = (counts & 0x00FF_00FF_00FF_00FF) &+ (counts >> 8 & 0x00FF_00FF_00FF_00FF)
            total += Int((pairs &* 0x0001_0001_0001_0001) >> 48)
        }
        while place < text.count {
            if isCounted(text[place]) { total += 1 }
            place += 1
        }
        return total
    }

    /// What stands behind the last of these bytes; 0 where there is none.
    static func endOfLast(_ byte: UInt8, in text: UnsafeRawBufferPointer) -> Int {
        let pattern = ones &* UInt64(byte)
        var end = text.count
        while end >= 8 {
            let difference = text.loadUnaligned(fromByteOffset: end - 8, as: UInt64.self) ^ pattern
            // Not zero where one of the eight is zero.
            guard (difference &- ones) & ~difference & highBits == 0 else { break }
            end -= 8
        }
        while end > 0, text[end - 1] != byte { end -= 1 }
        return end
    }
}

extension Bool {
    /// 1 or 0, which is what a `Bool` is in memory. There is no branch, which would keep the compiler from comparing sixteen
    /// bytes together.
    @inline(__always)
    var bit: UInt8 { unsafeBitCast(self, to: UInt8.self) }
}
