internal import Glibc

/// The cookies of a request (RFC 6265, section 4.2), by bytes: nothing is decoded or folded, so that no other text than the very
/// name is the name. Quotes around a value are none of it, as in Django.
enum Cookies {
    /// Bytes and pairs of the longest field that is read. Browsers keep 180 cookies of a site, and web servers take 8 KiB
    /// of them by default. There is no cookie in a longer one.
    static let maximumLength = 16 * 1024
    static let maximumPairs = 200

    private static let maximumSpaces = 32

    /// The value of the cookie of this name. Of several the last one counts, as in Django.
    static func value(of name: String, in field: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let semicolon = UInt8(ascii: ";")
        guard field.count <= maximumLength, !ByteSearch.isMore(than: maximumPairs - 1, of: semicolon, in: field)
        else { return nil }
        var name = name
        let place = field.withUnsafeBytes { field in name.withUTF8 { lastPlace(of: $0, in: field) } }
        return place.map { field[(field.startIndex + $0.lowerBound)..<(field.startIndex + $0.upperBound)] }
    }

    private static func lastPlace(of name: UnsafeBufferPointer<UInt8>, in field: UnsafeRawBufferPointer) -> Range<Int>?
    {
        var (first, last) = (-1, -1)
        var start = 0
        while start < field.count {
            let end = ByteSearch.place(of: UInt8(ascii: ";"), in: field, from: start)
            while start < end, isSpace(field[start]) { start += 1 }
            if end - start > name.count, let wanted = name.baseAddress, let text = field.baseAddress,
                memcmp(text + start, wanted, name.count) == 0
            {
                var position = start + name.count
                while position < end, isSpace(field[position]) { position += 1 }
                if position < end, field[position] == UInt8(ascii: "=") { (first, last) = (position + 1, end) }
            }
            start = end + 1
        }
        guard first >= 0 else { return nil }
        // What has more white space around it is no value that anybody set.
        for _ in 0..<maximumSpaces where first < last && isSpace(field[first]) { first += 1 }
        for _ in 0..<maximumSpaces where first < last && isSpace(field[last - 1]) { last -= 1 }
        let quote = UInt8(ascii: "\"")
        if last - first >= 2, field[first] == quote, field[last - 1] == quote { return first + 1..<last - 1 }
        return first..<last
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
