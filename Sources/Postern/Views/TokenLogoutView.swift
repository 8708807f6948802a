/// knox's `LogoutView`: revokes the token that the request came with.
struct TokenLogoutView: APIView {
    let name = "Logout"
    let methods: [Method] = [.post]
    let needsUnlimitedCredential = true
    let defaultAuthentication = ["Knox"]
    let accounts: Accounts

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard case .token(let token)? = request.credential else { throw .permissionDenied }
        do {
            try accounts.revokeToken(token.id, for: request)
            accounts.signals.send(.loggedOut(request.user, id: token.user), for: request)
        } catch .noSuchToken {
            // Another request did it first.
        } catch {
            throw APIError(error)
        }
        return APIResponse(status: 204, nil)
    }
}

/// knox's `LogoutAllView`, and beyond it: every token, session and JSON Web Token of the user is dead.
struct TokenLogoutAllView: APIView {
    let name = "Logout All"
    let description = "Log the user out of all sessions\nI.E. deletes all auth tokens for the user"
    let methods: [Method] = [.post]
    let needsUnlimitedCredential = true
    let defaultAuthentication = ["Knox"]
    let accounts: Accounts

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let user = request.user else { throw .notAuthenticated }
        do {
            try accounts.revokeAll(of: user, for: request)
        } catch {
            throw APIError(error)
        }
        return APIResponse(status: 204, nil)
    }
}
