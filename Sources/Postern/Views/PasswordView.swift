/// Changes one's own password. Every credential that was issued before is dead; who did it in a session goes on in
/// a new one.
struct PasswordView: APIView {
    let name = "Password Change"
    let methods: [Method] = [.post]
    let needsUnlimitedCredential = true
    let takesSecret = true
    let hashesPassword = true
    let accounts: Accounts
    let settings: SessionSettings

    private static let serializer = Serializer(fields: [
        CharField(name: "old_password", trimsWhitespace: false),
        CharField(name: "new_password", trimsWhitespace: false),
    ])

    var actions: JSONValue? { Metadata.actions([.init("old_password"), .init("new_password")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let user = request.user else { throw .notAuthenticated }
        let values = try Self.serializer.validate(try request.data())
        guard let old = values["old_password"], let new = values["new_password"] else { throw .malformedRequest }
        do {
            guard
                let changed = try accounts.changePassword(
                    of: user,
                    from: old,
                    to: new,
                    for: request
                )
            else {
                throw Self.invalid("old_password", "Your old password was entered incorrectly. Please enter it again.")
            }
            var fields = [APIResponse.noStore]
            if case .session? = request.credential {
                fields += try SessionLogin(accounts: accounts, settings: settings).start(for: changed, request)
            }
            return APIResponse(.object([("detail", .string("New password has been saved."))]), fields: fields)
        } catch PasswordError.refused(let reason) {
            throw Self.invalid("new_password", reason)
        } catch {
            throw APIError(any: error)
        }
    }

    private static func invalid(_ field: String, _ text: String) -> APIError {
        .invalid(.object([(field, .array([.string(text)]))]))
    }
}
