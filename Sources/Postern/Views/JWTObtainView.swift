/// simplejwt's `TokenObtainPairView`.
struct JWTObtainView: JWTView {
    let name = "Token Obtain Pair"
    let description =
        "Takes a set of user credentials and returns an access and refresh JSON web\ntoken pair to prove the authentication of those credentials."
    let hashesPassword = true
    let accounts: Accounts
    let tokens: JSONWebTokens
    let settings: ViewSettings

    private static let serializer = Serializer(fields: [CharField(name: "username"), CharField(name: "password")])

    var actions: JSONValue? { Metadata.actions([.init("username"), .init("password")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        if tokens.settings.cookie != nil {
            try CSRF(settings: settings.session).checkOrigin(of: request, wantsReferer: !request.isJSON)
        }
        let values = try Self.serializer.validate(try request.data())
        guard let name = values["username"], let password = values["password"],
            let user = try accounts.user(
                named: name,
                password: password,
                for: request
            )
        else { throw .passwordRefused("No active account found with the given credentials") }
        do {
            let pair = try tokens.issue(for: user)
            accounts.signals.send(.loggedIn(user), for: request)
            return response(pair, request, familyID: pair.family, beginsWithAccess: false)
        } catch {
            throw refusal(error)
        }
    }
}
