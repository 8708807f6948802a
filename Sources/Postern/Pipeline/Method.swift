internal import Journal

/// A request method (RFC 9110, section 9): known ones and any other token.
public struct Method: Sendable, Hashable, CustomStringConvertible {
    public let name: String

    public static let get = Method(known: "GET")
    public static let head = Method(known: "HEAD")
    public static let options = Method(known: "OPTIONS")
    public static let post = Method(known: "POST")
    public static let put = Method(known: "PUT")
    public static let patch = Method(known: "PATCH")
    public static let delete = Method(known: "DELETE")

    private init(known name: String) { self.name = name }

    /// The ones that nearly all requests have.
    private static let common: [(method: Method, bytes: [UInt8])] = [get, post, put, patch, delete, head, options].map {
        ($0, Array($0.name.utf8))
    }

    /// - Returns: nil for what is no token (RFC 9110, section 5.6.2) or has more than 64 bytes.
    public init?(_ bytes: ArraySlice<UInt8>) {
        for known in Self.common where known.bytes[...] == bytes {
            self = known.method
            return
        }
        guard !bytes.isEmpty, bytes.count <= 64, bytes.allSatisfy(ASCII.isTokenCharacter) else { return nil }
        name = String(decoding: bytes, as: UTF8.self)
    }

    /// DRF's `SAFE_METHODS`.
    public var isSafe: Bool { self == .get || self == .head || self == .options }

    /// What Django's `CsrfViewMiddleware` lets through (RFC 9110, section 9.2.1).
    var isCSRFSafe: Bool { isSafe || name == "TRACE" }

    public var description: String { name }
}

/// Classes of bytes, as RFC 9110 and Python's `bytes` define them.
enum ASCII {
    /// RFC 9110, section 5.6.2: `tchar`.
    static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: tokenPunctuation.contains(byte)
        }
    }

    /// Where Python's `bytes.split()` splits, and so DRF an `Authorization` field.
    static func isWhiteSpace(_ byte: UInt8) -> Bool { byte <= 0x20 && (byte == 0x20 || (0x09...0x0D).contains(byte)) }

    /// Whether one of eight bytes is at most 0x20, as all white space is. May say so of others above 0x7F, too.
    static func mayHaveWhiteSpace(_ bytes: UInt64) -> Bool {
        (bytes &- 0x2121_2121_2121_2121 | bytes) & 0x8080_8080_8080_8080 != 0
    }

    /// Whether two texts are the same but for the case of ASCII letters.
    static func equalsIgnoringCase(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
        left.elementsEqual(right) { lowercased($0) == lowercased($1) }
    }

    /// What two hexadecimal digits stand for, in either case; nil for anything else.
    static func byte(hexadecimal digits: ArraySlice<UInt8>) -> UInt8? {
        guard digits.count == 2 else { return nil }
        var value: UInt8 = 0
        for digit in digits {
            guard let nibble = Hexadecimal.value(lowercased(digit)) else { return nil }
            value = value << 4 | nibble
        }
        return value
    }

    private static let tokenPunctuation = Set("!#$%&'*+-.^_`|~".utf8)

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
