/// What ends a request before its view has answered: DRF's `APIException` and its kinds.
///
/// It says what happened; the pipeline makes of it the status, the challenge and the JSON body.
public enum APIError: Error {
    /// A credential was presented and is not good: 401, or 403 where the first scheme has no challenge.
    case authenticationFailed(String)
    /// No credential was presented where one is needed: 401 or 403 likewise.
    case notAuthenticated
    case permissionDenied
    /// A credential came over a connection that is not encrypted.
    case insecureTransport
    case notFound
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
    /// The store or the password hashes cannot be had now; why, for the log.
    case unavailable(String)
    /// The web server's location asks for what we do not understand.
    case misconfigured(PolicyError)

    /// The body of the answer.
    var body: JSONValue {
        if case .invalid(let messages) = self { return messages }
        return .object([("detail", .string(detail))])
    }

    private var detail: String {
        switch self {
        case .authenticationFailed(let text), .parseError(let text): text
        case .notAuthenticated: "Authentication credentials were not provided."
        case .permissionDenied: "You do not have permission to perform this action."
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

    /// The status where no challenge plays a part (RFC 9110, section 15).
    var status: Int {
        switch self {
        case .authenticationFailed, .notAuthenticated: 401
        case .permissionDenied, .insecureTransport: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .contentTooLarge: 413
        case .unsupportedMediaType: 415
        case .parseError, .invalid, .malformedRequest: 400
        case .unavailable: 503
        case .misconfigured: 500
        }
    }
}

extension APIError {
    init(_ error: StoreError) { self = .unavailable(error.description) }

    /// What the log says.
    var reason: String {
        switch self {
        case .misconfigured(let error): error.description
        case .unavailable(let reason): reason
        default: detail
        }
    }
}
