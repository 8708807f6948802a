/// simplejwt's `JWTAuthentication`: `Authorization: Bearer` and an access token. Where the location names a cookie
/// it may carry the token instead, and unsafe methods are then protected as those of a session are.
struct JWTAuthentication: Authenticator {
    let scheme = "JWT"
    let tokens: JSONWebTokens
    let realm: String
    let sessions: SessionSettings
    /// Whether tokens of ours after `Bearer` are left to an authenticator that comes later.
    var leavesOurTokens = false

    var challenge: String? { "Bearer realm=\"\(realm)\"" }

    var cookie: String? { tokens.settings.cookie }

    func authenticate(_ request: APIRequest) throws(APIError) -> Identity? {
        let authorization = request.authorizationWords
        // In this case only, as simplejwt since 5.5.1.
        if authorization.scheme == Self.bearer {
            guard let text = authorization.second, authorization.count == 2 else {
                throw Self.refused(
                    "Authorization header must contain two space-delimited values",
                    "bad_authorization_header"
                )
            }
            if leavesOurTokens, TokenSecret.isOurs(text) { return nil }
            return try identity(of: text)
        }
        guard let name = cookie, let text = request.cookie(name), !text.isEmpty else { return nil }
        let identity = try identity(of: text)
        if case .jwt(let claims) = identity.credential {
            try CSRF(settings: sessions).check(request, bound: CSRFSecret(of: claims.familyID))
        }
        return identity
    }

    private static let bearer = Array("Bearer".utf8)[...]

    private func identity(of text: ArraySlice<UInt8>) throws(APIError) -> Identity {
        do {
            let claims = try tokens.verify(text)
            try claims.check(.access)
            guard try !tokens.isRevoked(claims) else { throw JWTError.blacklisted }
            return Identity(try user(of: claims), by: .jwt(claims))
        } catch let error as JWTError {
            if case .unavailable = error { throw APIError(any: error) }
            throw Self.notValid(error)
        } catch {
            throw APIError(any: error)
        }
    }

    private func user(of claims: JWTClaims) throws -> User {
        guard claims.isForeign || claims.namesUser else {
            throw Self.refused("Token contained no recognizable user identification", "token_not_valid")
        }
        guard let user = try tokens.user(of: claims) else { throw Self.refused("User not found", "user_not_found") }
        guard user.isActive else { throw Self.refused("User is inactive", "user_inactive") }
        guard claims.isOfPassword(of: user) else {
            throw Self.refused("The user's password has been changed.", "password_changed")
        }
        guard !claims.isOutdated(for: user) else { throw JWTError.blacklisted }
        return user
    }

    private static func refused(_ detail: String, _ code: String) -> APIError {
        .credentialRefused(.object([("detail", .string(detail)), ("code", .string(code))]))
    }

    private static func notValid(_ error: JWTError) -> APIError {
        let message: JSONValue = .object([
            ("token_class", .string("AccessToken")), ("token_type", .string("access")),
            ("message", .string(error.message)),
        ])
        let body: JSONValue = .object([
            ("detail", .string("Given token not valid for any token type")), ("code", .string("token_not_valid")),
            ("messages", .array([message])),
        ])
        return if case .expired = error { .credentialExpired(body) } else { .credentialRefused(body) }
    }
}
