internal import Journal

/// One of a user's own tokens, whose id is the last part of the path. Another's looks like one that is not there.
struct TokenDetailView: APIView {
    let name = "Token Instance"
    let methods: [Method] = [.get, .delete]
    let needsUnlimitedCredential = true
    let accounts: Accounts

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let user = request.user else { throw .notAuthenticated }
        let segment = request.segment(at: 0) ?? []
        do {
            guard let id = Decimal.parse(segment),
                let token = try accounts.store.token(id), token.user == user.id,
                token.isGood(for: user, at: accounts.store.now())
            else { throw APIError.notFound }
            guard request.method == .delete else {
                return APIResponse(.object(TokensView.members(of: token, request)), fields: [APIResponse.noStore])
            }
            try accounts.revokeToken(id, for: request)
            return APIResponse(status: 204, nil)
        } catch StoreError.noSuchToken {
            throw .notFound
        } catch {
            throw APIError(any: error)
        }
    }
}
