/// DRF's `ObtainAuthToken`: a token for a username and a password.
///
/// The store keeps no token in clear, so unlike DRF's it cannot give the same one again: each answer is a
/// new token, and the older ones stay good, up to a number.
struct ObtainTokenView: APIView {
    let name = "Obtain Auth Token"
    let methods: [Method] = [.post]
    let defaultPermission: any Permission = AllowAny()
    let parses: [BodyFormat] = [.form, .multipart, .json]
    let takesSecret = true
    let hashesPassword = true
    let accounts: Accounts
    let settings: TokenSettings

    private static let serializer = Serializer(fields: [
        CharField(name: "username"), CharField(name: "password", trimsWhitespace: false),
    ])

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let values = try Self.serializer.validate(try request.data(parses))
        guard let name = values["username"], let password = values["password"],
            let user = try accounts.user(
                named: name,
                password: password,
                for: request
            )
        else { throw Serializer.nonFieldError("Unable to log in with provided credentials.") }
        return try TokenLoginView.response(.obtain, settings, accounts, user, request, lifetime: .never) { _, secret in
            .object([("token", .string(secret.text))])
        }
    }

    var actions: JSONValue? {
        Metadata.actions([.init("username"), .init("password"), .init("token", isReadOnly: true)])
    }
}
