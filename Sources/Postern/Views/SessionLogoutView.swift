/// Django's `LogoutView`.
struct SessionLogoutView: APIView {
    let name = "Logout"
    let methods: [Method] = [.post]
    let defaultPermission: any Permission = AllowAny()
    let defaultAuthentication: [String] = []
    let rendersHTML = true
    let login: SessionLogin

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        do {
            let secret = try login.current(request)?.secret
            // Without a session there is nothing that a forged request could end.
            if secret != nil || !request.isJSON {
                try CSRF(settings: login.settings).check(request, bound: secret)
            }
        } catch {
            throw APIError(any: error)
        }
        let cookies = try login.end(request)
        guard Negotiation.prefersHTML(request) else {
            return APIResponse(status: 204, nil, fields: [APIResponse.noStore] + cookies)
        }
        return .redirect(to: SessionLogin.path(try request.text("next")), cookies)
    }
}
