/// Token revocation (RFC 7009): ends a token or a JSON Web Token, of a refresh token its whole family. Who has a
/// token could use it, so they may end it; one that is not good is as good as revoked.
struct RevocationView: APIView {
    let name = "Token Revocation"
    let methods: [Method] = [.post]
    let needsUnlimitedCredential = true
    let takesSecret = true
    /// It ends what somebody has already, and hands out nothing.
    let handsOutCredentials = false
    let accounts: Accounts
    let tokens: JSONWebTokens

    var actions: JSONValue? { Metadata.actions([.init("token")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        do {
            switch try GoodToken(in: request, tokens) {
            case nil: break
            case .token(let token, _)?: try accounts.revokeToken(token.id, for: request)
            case .jwt(let claims, _)?: try tokens.revoke(claims)
            }
        } catch StoreError.noSuchToken {
            // Another request did it first.
        } catch {
            throw APIError(any: error)
        }
        return APIResponse(status: 200, nil, fields: [APIResponse.noStore])
    }
}
