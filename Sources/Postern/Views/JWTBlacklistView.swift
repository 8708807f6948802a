internal import Journal

/// simplejwt's `TokenBlacklistView`. Beyond it, the access tokens of the family are dead as well.
struct JWTBlacklistView: JWTView {
    let name = "Token Blacklist"
    let description =
        "Takes a token and blacklists it. Must be used with the\n`rest_framework_simplejwt.token_blacklist` app installed."
    let accounts: Accounts
    let tokens: JSONWebTokens
    let settings: ViewSettings

    var actions: JSONValue? { Metadata.actions([.init("refresh")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let (text, isCookie) = try refreshToken(in: request)
        do {
            let claims = try refreshClaims(in: text)
            if isCookie { try checkCSRF(request, claims, text) }
            // One that was used up is in somebody else's hands as well: its family ends too.
            let isUsedUp = try tokens.isUsedUp(claims)
            try tokens.revoke(claims)
            if let id = claims.userID {
                accounts.signals.send(.loggedOut(try? tokens.store.user(id), id: id), for: request)
            }
            if isUsedUp { throw JWTError.blacklisted }
        } catch let error as JWTError {
            throw refusal(error)
        } catch {
            throw APIError(any: error)
        }
        let now = tokens.store.now()
        let names = [tokens.settings.cookie, tokens.settings.refreshCookie].compactMap { $0 }
        let cookies = names.map {
            SetCookie(name: $0, value: "", maximumAge: 0, isHTTPOnly: true, isSecure: request.isSecure).field(now: now)
        }
        return APIResponse(.object([]), fields: [APIResponse.noStore] + cookies)
    }
}
