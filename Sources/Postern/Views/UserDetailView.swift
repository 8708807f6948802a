internal import Journal

/// One user, whose id is the last part of the path: shows, changes, disables and deletes them.
struct UserDetailView: APIView {
    let name = "User Instance"
    let methods: [Method] = [.get, .put, .patch, .delete]
    let defaultPermission: any Permission = IsAdminUser()
    let needsUnlimitedCredential = true
    let accounts: Accounts

    var actions: JSONValue? {
        Metadata.actions(UserFields.described.filter { $0.name != "password" }, for: .put)
    }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let administration = Administration(accounts: accounts, request: request)
        guard let id = request.number(at: 0) else { throw .notFound }
        let user: User
        switch request.method {
        case .put, .patch:
            // Who there is not is not found, whatever the body.
            let known = try administration.user(id)
            let fields = try UserFields(
                request,
                isPartial: request.method == .patch,
                current: known.username,
                takesPassword: false
            )
            user = try administration.change(id, fields.draft)
        case .delete:
            try administration.deleteUser(id)
            return APIResponse(status: 204, nil)
        default: user = try administration.user(id)
        }
        return APIResponse(.object(UserFields.members(of: user)), fields: [APIResponse.noStore])
    }
}

/// Sets the password of a user, whose id is the last part but one of the path. Every credential that was issued before is
/// dead.
struct UserPasswordView: APIView {
    let name = "User Password"
    let methods: [Method] = [.post]
    let defaultPermission: any Permission = IsAdminUser()
    let needsUnlimitedCredential = true
    let takesSecret = true
    let accounts: Accounts

    private static let serializer = Serializer(fields: [
        CharField(name: "password", trimsWhitespace: false, takesNumbers: false)
    ])

    var actions: JSONValue? { Metadata.actions([.init("password")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let administration = Administration(accounts: accounts, request: request)
        guard let id = request.number(at: 1) else { throw .notFound }
        _ = try administration.user(id)
        let password = try Self.serializer.validate(try request.data())["password"] ?? []
        try administration.setPassword(of: id, to: password)
        return APIResponse(.object([("detail", .string("New password has been saved."))]))
    }
}

/// Ends every token, session and JSON Web Token of a user, whose id is the last part but one of the path.
struct UserRevocationView: APIView {
    let name = "User Revocation"
    let methods: [Method] = [.post]
    let defaultPermission: any Permission = IsAdminUser()
    let needsUnlimitedCredential = true
    let accounts: Accounts

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let id = request.number(at: 1) else { throw .notFound }
        try Administration(accounts: accounts, request: request).revokeAll(of: id)
        return APIResponse(status: 204, nil)
    }
}

extension APIRequest {
    /// A part of the path, counted from its end.
    func segment(at position: Int) -> ArraySlice<UInt8>? {
        let slash = UInt8(ascii: "/")
        var rest = path
        for number in 0...position {
            rest = rest[..<(rest.lastIndex { $0 != slash }.map { $0 + 1 } ?? rest.startIndex)]
            guard let end = rest.last.map({ _ in rest.endIndex }) else { return nil }
            let start = rest.lastIndex(of: slash).map { $0 + 1 } ?? rest.startIndex
            if number == position { return rest[start..<end] }
            rest = rest[..<start]
        }
        return nil
    }

    /// Likewise, where it is an id.
    func number(at position: Int) -> Int64? { segment(at: position).flatMap(Decimal.parse) }
}
