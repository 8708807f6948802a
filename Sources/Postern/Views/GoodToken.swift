internal import Journal

/// What stands as a token in the form of a request (RFC 7662, section 2.1; RFC 7009, section 2.1) and is good.
enum GoodToken {
    case token(Token, User)
    case jwt(JWTClaims, User)

    /// nil for anything that is not good, whyever.
    /// - Throws: ``APIError/invalid(_:)`` in RFC 6749's words when there is none.
    init?(in request: APIRequest, _ tokens: JSONWebTokens) throws(APIError) {
        guard let text = try request.data().text("token"), !text.isEmpty else {
            // RFC 6749, section 5.2.
            throw .invalid(
                .object([("error", .string("invalid_request")), ("error_description", .string("token is missing"))])
            )
        }
        try self.init(text, tokens)
    }

    private init?(_ text: ArraySlice<UInt8>, _ tokens: JSONWebTokens) throws(APIError) {
        let store = tokens.store
        do {
            if TokenSecret.form(of: text) != nil {
                guard let token = try store.token(presentedAs: text), let owner = try store.user(token.user),
                    token.isGood(for: owner, at: store.now())
                else { return nil }
                self = .token(token, owner)
                return
            }
            let (claims, user) = try tokens.owner(of: text, nil)
            self = .jwt(claims, user)
        } catch let error as JWTError {
            guard case .unavailable = error else { return nil }
            throw APIError(any: error)
        } catch {
            throw APIError(any: error)
        }
    }
}
