/// The parts of an absolute URL that say where it leads (RFC 3986, section 3).
struct URLParts {
    /// In lower case.
    let scheme: String
    /// Django's `netloc`: with the port, and what else stands before the path.
    let host: ArraySlice<UInt8>
    /// From the path on.
    let rest: ArraySlice<UInt8>

    /// nil for what has no scheme or no host.
    init?(_ text: ArraySlice<UInt8>) {
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")), text[(colon + 1)...].starts(with: "//".utf8),
            let first = text.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first | 0x20),
            text[..<colon].allSatisfy({ Base62.contains($0) || "+-.".utf8.contains($0) })
        else { return nil }
        let start = colon + 3
        let end = text[start...].firstIndex { "/?#\\".utf8.contains($0) } ?? text.endIndex
        let brackets = [UInt8(ascii: "["), UInt8(ascii: "]")].map { text[start..<end].contains($0) }
        guard start < end, brackets[0] == brackets[1] else { return nil }
        scheme = String(decoding: text[..<colon], as: UTF8.self).lowercased()
        host = text[start..<end]
        rest = text[end...]
    }
}
