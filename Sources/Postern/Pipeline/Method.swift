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
    static func isTokenCharacter(_ byte: UInt8) -> Bool { Base62.contains(byte) || tokenPunctuation.contains(byte) }

    /// Whether no byte is above 0x7F: most texts are so, and it is seen eight bytes at a time.
    static func isASCII(_ text: ArraySlice<UInt8>) -> Bool {
        text.withUnsafeBytes { bytes in
            let words = bytes.count / 8
            var all: UInt64 = 0
            for word in 0..<words { all |= bytes.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self) }
            for position in 8 * words..<bytes.count { all |= UInt64(bytes[position]) }
            return all & 0x8080_8080_8080_8080 == 0
        }
    }

    /// Where Python's `bytes.split()` splits, and so DRF an `Authorization` field.
    static func isWhiteSpace(_ byte: UInt8) -> Bool { byte <= 0x20 && (byte == 0x20 || (0x09...0x0D).contains(byte)) }

    /// Whether one of eight bytes is at most 0x20, as all white space is.
    static func mayHaveWhiteSpace(_ bytes: UInt64) -> Bool {
        (bytes &- 0x2121_2121_2121_2121) & ~bytes & 0x8080_8080_8080_8080 != 0
    }

    /// Whether two texts are the same but for the case of ASCII letters.
    static func equalsIgnoringCase(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
        left.elementsEqual(right) { lowercased($0) == lowercased($1) }
    }

    /// Whether a text begins so, whatever its case.
    /// - Parameter name: In lower case.
    static func begins(_ text: ArraySlice<UInt8>, with name: StaticString) -> Bool {
        guard text.count >= name.utf8CodeUnitCount else { return false }
        return text.withUnsafeBufferPointer { text in
            name.withUTF8Buffer { name in
                // The text has as many bytes as the name.
                for position in 0..<name.count where lowercased(text[position]) != name[position] { return false }
                return true
            }
        }
    }

    /// What two hexadecimal digits stand for, in either case; nil for anything else.
    static func byte(hexadecimal digits: ArraySlice<UInt8>) -> UInt8? {
        guard digits.count == 2 else { return nil }
        let (high, low) = (hexadecimalValue(digits[digits.startIndex]), hexadecimalValue(digits[digits.startIndex + 1]))
        return high | low < 16 ? high << 4 | low : nil
    }

    /// Of a hexadecimal digit in either case; 0xFF for anything else.
    static func hexadecimalValue(_ digit: UInt8) -> UInt8 {
        let (number, letter) = (digit &- UInt8(ascii: "0"), (digit | 0x20) &- UInt8(ascii: "a"))
        return number < 10 ? number : letter < 6 ? letter + 10 : 0xFF
    }

    private static let tokenPunctuation: ByteSet = "!#$%&'*+-.^_`|~"

    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }
}
