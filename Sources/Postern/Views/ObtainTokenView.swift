/// DRF's `ObtainAuthToken`: a token for a username and a password.
///
/// The store keeps no token in clear, so unlike DRF's it cannot give the same one again: each answer is a
/// new token, and the older ones stay good.
struct ObtainTokenView: APIView {
    let name = "Obtain Auth Token"
    let methods: [Method] = [.post]
    let defaultPermission: any Permission = AllowAny()
    let parses = ["application/x-www-form-urlencoded", "multipart/form-data", "application/json"]
    let takesSecret = true
    let accounts: Accounts

    /// Bytes of a body. A username and a password of the greatest length fit, however they are written.
    private static let maximumBody = 64 * 1024

    private static let serializer = Serializer(fields: [
        CharField(name: "username", trimsWhitespace: true), CharField(name: "password", trimsWhitespace: false),
    ])

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let body = try request.body(limit: Self.maximumBody)
        let data: JSONValue
        do {
            data = try BodyParser.parse(body, contentType: request.contentType)
        } catch {
            throw APIError(error)
        }
        let values = try Self.serializer.validate(data)
        guard let name = values["username"], let password = values["password"],
            let user = try accounts.user(
                named: Array(name.utf8),
                password: Array(password.utf8),
                waiting: request.willWait
            )
        else { throw Serializer.nonFieldError("Unable to log in with provided credentials.") }
        do {
            let (_, secret) = try accounts.logIn(user)
            return APIResponse(.object([("token", .string(secret.text))]), fields: [APIResponse.noStore])
        } catch {
            throw APIError(error)
        }
    }

    /// What `SimpleMetadata` says of DRF's `AuthTokenSerializer`.
    var actions: JSONValue? {
        func field(_ label: String, isRequired: Bool) -> JSONValue {
            .object([
                ("type", .string("string")), ("required", .bool(isRequired)), ("read_only", .bool(!isRequired)),
                ("label", .string(label)),
            ])
        }
        return .object([
            (
                "POST",
                .object([
                    ("username", field("Username", isRequired: true)),
                    ("password", field("Password", isRequired: true)),
                    ("token", field("Token", isRequired: false)),
                ])
            )
        ])
    }
}
