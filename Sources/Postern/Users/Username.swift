/// A name to log in with: 1 to 150 code points of UTF-8 (Django's limit), compared byte by byte.
///
/// There is no colon in it (RFC 7617, section 2, ends the user-id there), no control or formatting
/// character that could end a header field or turn a log line around, and no white space at either end,
/// because DRF's login trims what it is given. ``init(new:)`` asks more of the name of a new user.
public struct Username: Sendable, Hashable, CustomStringConvertible {
    public static let maximumLength = 150

    public let bytes: [UInt8]

    /// - Throws: ``UsernameError`` with the rule that `bytes` break.
    public init(_ bytes: some Sequence<UInt8>) throws(UsernameError) {
        let bytes = Array(bytes)
        guard !bytes.isEmpty else { throw .empty }
        if bytes.count <= Self.maximumLength, bytes.allSatisfy(Self.isPlain) {
            self.bytes = bytes
            return
        }
        guard bytes.count <= 4 * Self.maximumLength else { throw .tooLong }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        let scalars = text.unicodeScalars
        guard scalars.count <= Self.maximumLength else { throw .tooLong }
        for scalar in scalars where Self.isForbidden(scalar) { throw .forbidden(scalar) }
        guard let first = scalars.first, let last = scalars.last,
            !first.properties.isWhitespace, !last.properties.isWhitespace
        else { throw .whiteSpaceAtEnd }
        self.bytes = bytes
    }

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Visible ASCII, as nearly all names are of: no further look is needed.
    private static func isPlain(_ byte: UInt8) -> Bool { (0x21..<0x7F).contains(byte) && byte != UInt8(ascii: ":") }

    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
        default: scalar == ":"
        }
    }
}

/// The rule that a text breaks which should have been a ``Username``.
public enum UsernameError: Error, Equatable, CustomStringConvertible {
    case empty
    case tooLong
    case notUTF8
    case forbidden(Unicode.Scalar)
    case whiteSpaceAtEnd
    // The rules on new names, see ``Username/init(new:)``.
    /// Unicode's Default_Ignorable_Code_Point.
    case invisible(Unicode.Scalar)
    /// Outside of PRECIS's IdentifierClass (RFC 8264, section 4.2), or of a script that UAX 31 does not recommend.
    case unusual(Unicode.Scalar)
    /// UTS 39, section 5.2.
    case mixedScripts(Unicode.Scalar)
    /// UTS 39, section 5.3.
    case mixedDigits(Unicode.Scalar)
    /// A mark without a letter or twice, or a rule of RFC 5892, appendix A.
    case misplaced(Unicode.Scalar)
    /// RFC 5893, section 2.
    case openEnd(Unicode.Scalar)

    public var description: String {
        switch self {
        case .empty: "A username cannot be empty."
        case .tooLong: "A username has at most \(Username.maximumLength) characters."
        case .notUTF8: "A username has to be valid UTF-8."
        case .forbidden(let scalar):
            "A username cannot hold the character \(name(scalar)): colons, control and invisible formatting characters are refused."
        case .whiteSpaceAtEnd: "A username cannot begin or end with white space."
        case .invisible(let scalar):
            "A username cannot hold the character \(name(scalar)), which is invisible: leave it out."
        case .unusual(let scalar):
            "A username cannot hold the character \(name(scalar)): use ASCII, or letters and digits of a script that is widely used."
        case .mixedScripts(let scalar):
            "A username cannot mix scripts, and the character \(name(scalar)) is of another one than others: write the name in one script."
        case .mixedDigits(let scalar):
            "A username cannot mix kinds of digits, and \(name(scalar)) is of another one than those before: use one kind."
        case .misplaced(let scalar):
            "The character \(name(scalar)) does not belong to those beside it in this username: leave it out."
        case .openEnd(let scalar):
            "A username that is written from right to left cannot begin or end with \(name(scalar)): begin with a letter, and end with a letter or a digit."
        }
    }

    /// As Unicode writes it.
    private func name(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
