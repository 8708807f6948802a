/// simplejwt's `JWTAuthentication`: `Authorization: Bearer`, or another word of the location's, and an access token. Where the
/// location names a cookie it may carry the token instead, and unsafe methods are then protected as those of a session are.
struct JWTAuthentication: Authenticator {
    let scheme = "JWT"
    let tokens: JSONWebTokens
    let realm: String
    let sessions: SessionSettings
    /// Whether our tokens that are no JSON Web Tokens are left to an authenticator that comes later.
    var leavesOurTokens = false

    var challenge: String? { tokens.settings.challenge(realm) }

    var cookie: String? { tokens.settings.cookie }

    func authenticate(_ request: APIRequest) throws(APIError) -> Identity? {
        let authorization = request.authorizationWords
        // In this case only, as simplejwt since 5.5.1.
        if authorization.isScheme(among: tokens.settings.keywords) {
            guard let text = authorization.onlyCredential else {
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
            try CSRF(settings: sessions).check(request, bound: claims.csrfSecret(of: text))
        }
        return identity
    }

    private func identity(of text: ArraySlice<UInt8>) throws(APIError) -> Identity {
        do throws(JWTError) {
            let (claims, user) = try tokens.owner(of: text, .access)
            return Identity(user, by: .jwt(claims))
        } catch {
            throw Self.refusal(error)
        }
    }

    /// simplejwt's answers.
    private static func refusal(_ error: JWTError) -> APIError {
        switch error {
        case .unavailable(let reason): .unavailable(reason)
        case .noUser: refused(error.message, "token_not_valid")
        case .fault(.unknownUser): refused("User not found", "user_not_found")
        case .fault(.inactive): refused("User is inactive", "user_inactive")
        case .fault(.passwordChanged): refused("The user's password has been changed.", "password_changed")
        case .fault(.ended): notValid(.blacklisted)
        default: notValid(error)
        }
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
