/// Says who is asking and by which scheme they were recognised, or nulls.
struct WhoAmIView: APIView {
    let name = "Who Am I"
    let methods: [Method] = [.get]

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        APIResponse(Self.body(of: request.user, scheme: request.scheme), fields: [APIResponse.noStore])
    }

    static func body(of user: User?, scheme: String?) -> JSONValue {
        .object([
            ("id", user.map { .integer($0.id) } ?? .null),
            ("username", user.map { .string($0.username.description) } ?? .null),
            ("is_staff", user.map { .bool($0.isStaff) } ?? .null),
            ("is_superuser", user.map { .bool($0.isSuperuser) } ?? .null),
            ("scheme", scheme.map { .string($0) } ?? .null),
        ])
    }
}
