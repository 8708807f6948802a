/// Turns a credential into a user: DRF's `BaseAuthentication`.
public protocol Authenticator: Sendable {
    /// The name by which `whoami` and logs call it, as `POSTERN_AUTHENTICATION` does.
    var scheme: String { get }

    /// What stands in `WWW-Authenticate` when this is the location's first authenticator; nil makes every
    /// 401 of the location a 403, as in DRF.
    var challenge: String? { get }

    /// The name of the cookie in which it looks for a credential; nil when it looks in none.
    var cookie: String? { get }

    /// - Returns: Who is asking; nil when the request carries no credential of this kind, so that the next
    ///   authenticator is asked.
    /// - Throws: ``APIError/authenticationFailed(_:)`` when it carries one that is not good. That ends the
    ///   request, also where everybody is allowed.
    func authenticate(_ request: APIRequest) throws(APIError) -> Identity?

    /// Header fields that the answer has to have, whatever it will be.
    /// - Parameter identity: What ``authenticate(_:)`` returned.
    func fields(for request: APIRequest, _ identity: Identity?) -> [(name: String, value: String)]
}

extension Authenticator {
    public var cookie: String? { nil }
    public func fields(for request: APIRequest, _ identity: Identity?) -> [(name: String, value: String)] { [] }
}

/// The words of an `Authorization` field, split as Python's `bytes.split()` does.
struct AuthorizationWords {
    /// nil when there is none.
    let scheme: ArraySlice<UInt8>?
    /// The second word.
    let second: ArraySlice<UInt8>?
    /// How many there are; more than three are not told apart.
    let count: Int

    init(_ field: ArraySlice<UInt8>?) {
        let text = field ?? []
        let (scheme, second, hasMore) = text.withUnsafeBytes { text in
            var position = 0
            let (first, second) = (Self.nextWord(text, &position), Self.nextWord(text, &position))
            // What stands behind much white space counts as more.
            return (first, second, Self.nextWord(text, &position) != nil || position < text.count)
        }
        func slice(_ word: Range<Int>) -> ArraySlice<UInt8> {
            text[text.startIndex + word.lowerBound..<text.startIndex + word.upperBound]
        }
        self.scheme = scheme.map(slice)
        self.second = second.map(slice)
        count = (scheme == nil ? 0 : 1) + (second == nil ? 0 : 1) + (hasMore ? 1 : 0)
    }

    /// Behind more white space than this there is no word.
    private static let maximumSpaces = 128

    /// Where the next word stands, counted from the beginning of the field; nil: there is none.
    private static func nextWord(_ text: UnsafeRawBufferPointer, _ position: inout Int) -> Range<Int>? {
        let limit = min(text.count, position + maximumSpaces)
        while position < limit, ASCII.isWhiteSpace(text[position]) { position += 1 }
        let start = position
        // A token has hundreds of bytes that are none: eight at a time, then one by one.
        while position + 8 <= text.count,
            !ASCII.mayHaveWhiteSpace(text.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        {
            position += 8
        }
        while position < text.count, !ASCII.isWhiteSpace(text[position]) { position += 1 }
        return start < position ? start..<position : nil
    }

    /// Whether the first word is `scheme`, in any case (RFC 9110, section 11.1).
    func isScheme(_ scheme: some Collection<UInt8>) -> Bool {
        self.scheme.map { ASCII.equalsIgnoringCase($0, scheme) } ?? false
    }

    /// Whether the first word is one of these, in this case.
    func isScheme(among schemes: [ArraySlice<UInt8>]) -> Bool { scheme.map { schemes.contains($0) } ?? false }

    /// The second word of two.
    var onlyCredential: ArraySlice<UInt8>? { count == 2 ? second : nil }

    /// The one word after the scheme.
    /// - Throws: With DRF's text, when there is none or there are several.
    func credential(_ scheme: CredentialTexts) throws(APIError) -> ArraySlice<UInt8> {
        guard let second else { throw .authenticationFailed(scheme.missing) }
        guard count == 2 else { throw .authenticationFailed(scheme.spaces) }
        return second
    }
}

/// DRF's texts for an `Authorization` field with too few or too many words.
enum CredentialTexts {
    case token, basic

    var missing: String {
        switch self {
        case .token: "Invalid token header. No credentials provided."
        case .basic: "Invalid basic header. No credentials provided."
        }
    }

    var spaces: String {
        switch self {
        case .token: "Invalid token header. Token string should not contain spaces."
        case .basic: "Invalid basic header. Credentials string should not contain spaces."
        }
    }
}
