/// The parts of an absolute URL that say where it leads (RFC 3986, section 3).
struct URLParts {
    /// Bytes of a scheme, and of what stands before the path. A name of DNS has 253.
    private static let maximumScheme = 32
    private static let maximumHost = 512

    /// In lower case.
    let scheme: String
    /// Django's `netloc`: with the port, and what else stands before the path.
    let host: ArraySlice<UInt8>
    /// From the path on.
    let rest: ArraySlice<UInt8>

    private static let schemeBytes = ByteSet(where: Base62.contains).union("+-.")
    private static let hostEnds: ByteSet = "/?#\\"

    /// nil for what has no scheme or no host, or longer ones than anybody has.
    init?(_ text: ArraySlice<UInt8>) {
        guard let first = text.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first | 0x20),
            let colon = text.prefix(Self.maximumScheme + 1).firstIndex(where: { !Self.schemeBytes.contains($0) }),
            text[colon...].starts(with: "://".utf8)
        else { return nil }
        let start = colon + 3
        let room = text[start...].prefix(Self.maximumHost + 1)
        let end = room.firstIndex(where: Self.hostEnds.contains) ?? room.endIndex
        let host = text[start..<end]
        guard start < end, host.count <= Self.maximumHost,
            host.contains(UInt8(ascii: "[")) == host.contains(UInt8(ascii: "]"))
        else { return nil }
        scheme = String(decoding: text[..<colon], as: UTF8.self).lowercased()
        self.host = host
        rest = text[end...]
    }
}
