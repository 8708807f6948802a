/// What Python's `str` says of a text, which is UTF-8 here.
enum PythonText {
    /// `str.strip()`. A text may be all white space, so ASCII is taken eight bytes at a time.
    static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        text.withUnsafeBytes { bytes in
            var (start, end) = (0, bytes.count)
            while start < end {
                if bytes[start] < 0x80 {
                    let next = ByteSearch.end(of: bytes, from: start, notSpaces)
                    guard next > start else { break }
                    start = next
                } else {
                    guard let length = spaceLength(in: bytes, at: start) else { break }
                    start += length
                }
            }
            while start < end {
                if end - start >= 8 {
                    let word = bytes.loadUnaligned(fromByteOffset: end - 8, as: UInt64.self)
                    if notSpaces(word) & ByteSearch.highBits == 0 {
                        end -= 8
                        continue
                    }
                }
                let first = (end - min(3, end - start)..<end).last { bytes[$0] & 0xC0 != 0x80 } ?? end
                guard first < end, let length = spaceLength(in: bytes, at: first), first + length == end else { break }
                end = first
            }
            return text[(text.startIndex + start)..<(text.startIndex + end)]
        }
    }

    /// The highest bit of each byte that is no white space of ASCII. One above 0x7F may carry into the next.
    private static func notSpaces(_ word: UInt64) -> UInt64 {
        func isAtLeast(_ byte: UInt64) -> UInt64 { word &+ ByteSearch.ones &* (0x80 - byte) }
        return ~(isAtLeast(0x09) & ~isAtLeast(0x0E) | isAtLeast(0x1C) & ~isAtLeast(0x21)) | word
    }

    /// How many bytes the white space has that begins here: `str.isspace`, which is Unicode's white space and the four
    /// information separators. nil for anything else.
    private static func spaceLength(in text: UnsafeRawBufferPointer, at place: Int) -> Int? {
        func bits(_ offset: Int) -> UInt32 {
            place + offset < text.count ? UInt32(text[place + offset] & 0x3F) : 0
        }
        let byte = UInt32(text[place])
        switch byte {
        case 0x09...0x0D, 0x1C...0x20: return 1
        case 0xC2: return [0x85, 0xA0].contains(0x80 | bits(1)) ? 2 : nil
        case 0xE1...0xE3:
            switch (byte & 0x0F) << 12 | bits(1) << 6 | bits(2) {
            case 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: return 3
            default: return nil
            }
        default: return nil
        }
    }

    /// Whether `len()` is greater.
    static func isLonger(_ text: ArraySlice<UInt8>, than length: Int) -> Bool {
        // A character has at most four bytes.
        text.count > length
            && (text.count > 4 * length || text.withUnsafeBytes { ByteSearch.characters(in: $0) } > length)
    }
}
