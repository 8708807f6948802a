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
    let words: [ArraySlice<UInt8>]

    /// - Parameter maximum: More words than this are not told apart.
    init(_ field: ArraySlice<UInt8>?, maximum: Int = 3) {
        words = (field ?? []).split(maxSplits: maximum, whereSeparator: ASCII.isWhiteSpace)
    }

    /// Whether the first word is `scheme`, in any case (RFC 9110, section 11.1).
    func isScheme(_ scheme: some Collection<UInt8>) -> Bool {
        words.first.map { ASCII.equalsIgnoringCase($0, scheme) } ?? false
    }

    /// The one word after the scheme.
    /// - Throws: With DRF's text, when there is none or there are several.
    func credential(_ scheme: CredentialTexts) throws(APIError) -> ArraySlice<UInt8> {
        guard words.count > 1 else { throw .authenticationFailed(scheme.missing) }
        guard words.count == 2 else { throw .authenticationFailed(scheme.spaces) }
        return words[1]
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
