/// simplejwt's `TokenRefreshView`.
struct JWTRefreshView: JWTView {
    let name = "Token Refresh"
    let description =
        "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is valid."
    let accounts: Accounts
    let tokens: JSONWebTokens
    let settings: ViewSettings

    var actions: JSONValue? { Metadata.actions([.init("refresh"), .init("access", isReadOnly: true)]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let (text, isCookie) = try refreshToken(in: request)
        let claims: JWTClaims
        let owner: User?
        do {
            claims = try refreshClaims(in: text)
            owner = try tokens.user(of: claims)
        } catch {
            throw refusal(error)
        }
        let fault = CredentialFault.of(owner, claims.issuance)
        guard let owner, fault != .inactive else {
            throw .authenticationFailed("No active account found for the given token.")
        }
        if isCookie { try checkCSRF(request, claims, text) }
        do throws(JWTError) {
            guard fault == nil else { throw JWTError.blacklisted }
            let pair = try tokens.refresh(claims, for: owner, address: request.remoteAddress)
            return response(pair, request, familyID: claims.familyID, beginsWithAccess: true)
        } catch {
            if error == .reused { accounts.signals.send(.refreshTokenReused(owner), for: request) }
            throw refusal(error)
        }
    }
}
