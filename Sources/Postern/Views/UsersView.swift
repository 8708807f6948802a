internal import Journal

/// All users, for whoever administers them: lists them, in pages, and makes another one.
struct UsersView: APIView {
    let name = "User List"
    let methods: [Method] = [.get, .post]
    let defaultPermission: any Permission = IsAdminUser()
    let needsUnlimitedCredential = true
    let takesSecret = true
    let accounts: Accounts

    var actions: JSONValue? { Metadata.actions(UserFields.described) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        request.method == .post ? try create(request) : try list(request)
    }

    private func list(_ request: APIRequest) throws(APIError) -> APIResponse {
        let page = try Pagination(request.query)
        var filter = UserList.Filter()
        var query: [(name: String, value: String)] = []
        if let text = Form.lastValue(of: "search", in: request.query), !text.isEmpty {
            filter.search = Array(text.utf8)
            query.append(("search", text))
        }
        if let text = Form.lastValue(of: "is_active", in: request.query), !text.isEmpty {
            guard let isActive = Boolean.parse(text) else { throw .invalid("is_active", "Must be a valid boolean.") }
            filter.isActive = isActive
            query.append(("is_active", isActive ? "true" : "false"))
        }
        try request.willWait()
        let list: UserList
        do {
            list = try accounts.store.userList()
        } catch {
            throw APIError(error)
        }
        let (count, users) = list.page(filter, offset: page.offset, size: page.size)
        let results = users.map { JSONValue.object(UserFields.members(of: $0)) }
        return APIResponse(try page.body(count: count, results, query, for: request), fields: [APIResponse.noStore])
    }

    private func create(_ request: APIRequest) throws(APIError) -> APIResponse {
        let fields = try UserFields(request, isPartial: false, takesPassword: true)
        guard let username = fields.draft.username else { throw .malformedRequest }
        let (user, secret) = try Administration(accounts: accounts, request: request)
            .addUser(username, fields.draft, password: fields.password)
        let token = secret.map { [(name: "token", value: JSONValue.string($0.text))] } ?? []
        return APIResponse(
            status: 201,
            .object(UserFields.members(of: user) + token),
            fields: [APIResponse.noStore]
        )
    }
}
