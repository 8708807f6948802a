/// What ends a request before its view has answered: DRF's `APIException` and its kinds.
///
/// It says what happened; the pipeline makes of it the status, the challenge and the JSON body.
public enum APIError: Error {
    /// A credential was presented and is not good: 401, or 403 where the first scheme has no challenge.
    case authenticationFailed(String)
    /// Likewise, with a body of its own: simplejwt's `InvalidToken`.
    case credentialRefused(JSONValue)
    /// Likewise, for one that was good until it expired.
    case credentialExpired(JSONValue)
    /// Likewise, for a password, which was counted when it was tried.
    case passwordRefused(String)
    /// Too much came from this client: DRF's `Throttled`, with the seconds until there is room again.
    case throttled(Int)
    /// Likewise, where too many credentials were refused: this one was not looked at.
    case tooManyFailures(Int)
    /// An unsafe request of a session may not come from where it comes from: Django's reason, and the field that
    /// gives the client another cookie, where it needs one.
    case csrfFailed(String, cookie: (name: String, value: String)?)
    /// No credential was presented where one is needed: 401 or 403 likewise.
    case notAuthenticated
    case permissionDenied
    /// Likewise, with the reason: DRF's `PermissionDenied` with a detail.
    case denied(String)
    /// The credential is good, but not for this: what it is not good for, for the log.
    case outsideLimits(String)
    /// A credential came over a connection that is not encrypted.
    case insecureTransport
    case notFound
    /// Likewise, with what was not found: DRF's `NotFound` with a detail.
    case notFoundBecause(String)
    case methodNotAllowed(Method)
    case notAcceptable
    case contentTooLarge
    case unsupportedMediaType(String)
    /// The body cannot be read as what it says it is.
    case parseError(String)
    /// DRF's `ValidationError`: messages by field, or of the whole.
    case invalid(JSONValue)
    /// The request itself makes no sense, whatever its location.
    case malformedRequest
    /// Whoever acts on it may read it otherwise than it is judged.
    case ambiguous(String)
    /// The store or the password hashes cannot be had now; why, for the log.
    case unavailable(String)
    /// Requests cannot be judged now: a sentence for whoever watches over the service, and why, for the log.
    case notReady(String, reason: String)
    /// The web server's location asks for what we do not understand.
    case misconfigured(PolicyError)

    /// The body of the answer.
    var body: JSONValue {
        switch self {
        case .invalid(let messages), .credentialRefused(let messages), .credentialExpired(let messages): messages
        case .notReady: .object([("status", .string("unavailable")), ("detail", .string(detail))])
        default: .object([("detail", .string(detail))])
        }
    }

    /// One sentence for the client.
    var detail: String {
        switch self {
        case .authenticationFailed(let text), .passwordRefused(let text), .denied(let text), .notFoundBecause(let text),
            .parseError(let text), .ambiguous(let text), .notReady(let text, _):
            text
        case .throttled(let seconds), .tooManyFailures(let seconds):
            "Request was throttled. Expected available in \(seconds) second\(seconds == 1 ? "" : "s")."
        case .csrfFailed(let reason, _): "CSRF Failed: \(reason)"
        case .credentialRefused, .credentialExpired: "The credential is not valid."
        case .notAuthenticated: "Authentication credentials were not provided."
        case .permissionDenied, .outsideLimits: "You do not have permission to perform this action."
        case .insecureTransport: "Credentials are accepted over HTTPS only."
        case .notFound: "Not found."
        case .methodNotAllowed(let method): "Method \"\(method)\" not allowed."
        case .notAcceptable: "Could not satisfy the request Accept header."
        case .contentTooLarge: "Request body too large."
        case .unsupportedMediaType(let type): "Unsupported media type \"\(type)\" in request."
        case .invalid: "Invalid input."
        case .malformedRequest: "Malformed request."
        case .unavailable: "Service temporarily unavailable, try again later."
        case .misconfigured: "The server is not configured to answer this request."
        }
    }

    /// Whether it is about a credential that came and is not good, and not about one that could not be judged.
    var isBadCredential: Bool {
        switch self {
        case .authenticationFailed, .credentialRefused, .credentialExpired, .passwordRefused, .csrfFailed: true
        default: false
        }
    }

    /// Whether it is about a credential that may have been guessed, and is not counted yet.
    var isGuess: Bool {
        switch self {
        case .authenticationFailed, .credentialRefused: true
        default: false
        }
    }

    /// The status where no challenge plays a part (RFC 9110, section 15).
    var status: Int {
        switch self {
        case .authenticationFailed, .credentialRefused, .credentialExpired, .passwordRefused, .notAuthenticated: 401
        case .permissionDenied, .denied, .outsideLimits, .insecureTransport, .csrfFailed: 403
        case .notFound, .notFoundBecause: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .contentTooLarge: 413
        case .unsupportedMediaType: 415
        case .throttled, .tooManyFailures: 429
        case .parseError, .invalid, .malformedRequest, .ambiguous: 400
        case .unavailable, .notReady: 503
        case .misconfigured: 500
        }
    }
}

extension APIError {
    /// In DRF's words.
    static let inactiveUser = APIError.authenticationFailed("User inactive or deleted.")

    init(_ error: StoreError) { self = .unavailable(error.description) }

    /// What a client is told of an error of any kind that nobody has made sense of before.
    init(any error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as StoreError: self.init(error)
        case JWTError.unavailable(let reason): self = .unavailable(reason)
        case PasswordError.unavailable: self = .unavailable("Too many passwords wait to be hashed.")
        default: self = .unavailable("\(error)")
        }
    }

    /// What the log says.
    var reason: String {
        switch self {
        case .misconfigured(let error): error.description
        case .unavailable(let reason), .notReady(_, let reason): reason
        case .outsideLimits(let what): "The credential is not good for \(what)."
        default: detail
        }
    }
}
