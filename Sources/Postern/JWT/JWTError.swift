/// Why a token is not taken, in simplejwt's words.
enum JWTError: Error, Equatable {
    case invalid
    case expired
    case noExpiry
    case noID
    case noType
    case wrongType
    case blacklisted
    /// It does not say whose it is.
    case noUser
    /// Its user, or the epoch in which it was issued, is gone.
    case fault(CredentialFault)
    /// A refresh token that was used up before, by somebody else or long ago: its family is dead now.
    case reused
    /// The store, a key or a file cannot be had: nothing is known about the token.
    case unavailable(String)

    var message: String {
        switch self {
        case .invalid, .fault: "Token is invalid"
        case .expired: "Token is expired"
        case .noExpiry: "Token has no 'exp' claim"
        case .noID: "Token has no id"
        case .noType: "Token has no type"
        case .wrongType: "Token has wrong type"
        case .noUser: "Token contained no recognizable user identification"
        case .blacklisted, .reused: "Token is blacklisted"
        case .unavailable(let reason): reason
        }
    }
}
