/// Why a request was not answered by its view, in words that metrics and the audit log use: so many and no more.
enum Refusal: Int, CaseIterable {
    /// Nobody, where somebody is asked for.
    case notAuthenticated
    /// A credential that is not good.
    case badCredential
    /// One that was good until it expired.
    case expiredCredential
    case wrongPassword
    /// A credential that was not looked at: too many were refused before.
    case tooManyFailures
    /// What the location lets a client ask is used up.
    case throttled
    case csrf
    case permissionDenied
    /// The credential is good for less than this.
    case outsideLimits
    case insecureTransport
    case notFound
    case methodNotAllowed
    case notAcceptable
    case tooLarge
    case unsupportedMediaType
    /// The body, or the request as a whole, makes no sense.
    case invalid
    case unavailable
    case misconfigured

    /// `bad-credential`, and so on.
    var name: String { Self.names[rawValue] }

    private static let names = allCases.map { reason in
        "\(reason)".reduce(into: "") { $0 += $1.isUppercase ? "-" + $1.lowercased() : String($1) }
    }

    /// Whether it is about somebody whom the web server's location does not let in, which the audit log tells of. Who
    /// presents nothing is not told of, nor what is wrong with a body.
    var isAudited: Bool {
        switch self {
        case .badCredential, .expiredCredential, .tooManyFailures, .csrf, .permissionDenied, .outsideLimits,
            .insecureTransport:
            true
        default: false
        }
    }
}

extension APIError {
    var refusal: Refusal {
        switch self {
        case .authenticationFailed, .credentialRefused: .badCredential
        case .credentialExpired: .expiredCredential
        case .passwordRefused: .wrongPassword
        case .tooManyFailures: .tooManyFailures
        case .throttled: .throttled
        case .csrfFailed: .csrf
        case .notAuthenticated: .notAuthenticated
        case .permissionDenied, .denied: .permissionDenied
        case .outsideLimits: .outsideLimits
        case .insecureTransport: .insecureTransport
        case .notFound, .notFoundBecause: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .notAcceptable: .notAcceptable
        case .contentTooLarge: .tooLarge
        case .unsupportedMediaType: .unsupportedMediaType
        case .parseError, .invalid, .malformedRequest, .ambiguous: .invalid
        case .unavailable, .notReady: .unavailable
        case .misconfigured: .misconfigured
        }
    }
}
