/// The encodings that `charset` of a body may name, by the names of Python's codecs, among which Django looks them up. One that it
/// does not know is none, as here those that no client of an API has.
enum Charset {
    case utf8
    /// Without the mark that may stand before it.
    case markedUTF8
    case latin1
    case ascii
    /// A mark says in which order the bytes are.
    case utf16
    case utf16LittleEndian
    case utf16BigEndian

    private static let names: [(names: Set<String>, charset: Charset)] = [
        (["utf_8", "utf8", "u8", "utf", "cp65001"], .utf8), (["utf_8_sig"], .markedUTF8),
        (
            [
                "latin_1", "latin1", "latin", "l1", "iso_8859_1", "iso8859_1", "iso_8859_1_1987", "iso8859", "8859",
                "cp819", "ibm819",
            ],
            .latin1
        ),
        (["ascii", "us_ascii", "646", "us"], .ascii), (["utf_16", "utf16", "u16"], .utf16),
        (["utf_16_le", "utf_16le"], .utf16LittleEndian), (["utf_16_be", "utf_16be"], .utf16BigEndian),
    ]

    /// UTF-8 where there is none that is known.
    init(of type: MediaType) {
        guard let name = type.parameter("charset") else {
            self = .utf8
            return
        }
        // As Python's `encodings.normalize_encoding`.
        let known = String(
            decoding: name.prefix(32).map { byte in
                Base62.contains(byte) ? (0x41...0x5A).contains(byte) ? byte | 0x20 : byte : UInt8(ascii: "_")
            },
            as: UTF8.self
        )
        self = Self.names.first { $0.names.contains(known) }?.charset ?? .utf8
    }

    /// The same text in UTF-8; what is UTF-8 already is not looked at.
    /// - Throws: ``ParseError/malformed(_:)`` with CPython's words. A text that is cut off in the middle of a letter ends before it,
    ///   as CPython's stream readers have it.
    func utf8(_ body: [UInt8]) throws(ParseError) -> [UInt8] {
        switch self {
        case .utf8: return body
        case .markedUTF8: return body.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(body[3...]) : body
        case .latin1: return Latin1.utf8(body[...])
        case .ascii:
            guard let place = body.firstIndex(where: { $0 >= 0x80 }) else { return body }
            let byte = String(body[place], radix: 16)
            throw .malformed(
                "'ascii' codec can't decode byte 0x\(byte) in position \(place): ordinal not in range(128)"
            )
        case .utf16LittleEndian: return try Self.utf16(body[...], "utf-16-le") { UInt16($1) << 8 | UInt16($0) }
        case .utf16BigEndian: return try Self.utf16(body[...], "utf-16-be") { UInt16($0) << 8 | UInt16($1) }
        case .utf16:
            if body.starts(with: [0xFF, 0xFE]) {
                return try Self.utf16(body[2...], "utf-16-le") { UInt16($1) << 8 | UInt16($0) }
            }
            if body.starts(with: [0xFE, 0xFF]) {
                return try Self.utf16(body[2...], "utf-16-be") { UInt16($0) << 8 | UInt16($1) }
            }
            guard body.count < 2 else { throw .malformed("UTF-16 stream does not start with BOM") }
            return []
        }
    }

    private static func utf16(
        _ bytes: ArraySlice<UInt8>,
        _ name: String,
        _ unit: (UInt8, UInt8) -> UInt16
    ) throws(ParseError) -> [UInt8] {
        var units = stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2).map { unit(bytes[$0], bytes[$0 + 1]) }
        // The second half of the last letter has not come.
        if let last = units.last, UTF16.isLeadSurrogate(last) { units.removeLast() }
        var text: [UInt8] = []
        text.reserveCapacity(3 * units.count)
        let isGood = !transcode(
            units.makeIterator(),
            from: UTF16.self,
            to: UTF8.self,
            stoppingOnError: true,
            into: { text.append($0) }
        )
        guard isGood else { throw .malformed("'\(name)' codec can't decode bytes: illegal UTF-16 surrogate") }
        return text
    }
}
