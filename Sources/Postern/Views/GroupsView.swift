/// All groups with their permissions; makes another one. To change them is for superusers.
struct GroupsView: APIView {
    let name = "Group List"
    let methods: [Method] = [.get, .post]
    let defaultPermission: any Permission = IsAdminUser()
    let needsUnlimitedCredential = true
    let accounts: Accounts

    var actions: JSONValue? { Metadata.actions([.init("name"), .init("permissions", isRequired: false)]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        if request.method == .post { return try create(request) }
        let page = try Pagination(request.query)
        let groups: [GroupName: Set<PermissionName>]
        do {
            groups = try accounts.store.groups()
        } catch {
            throw APIError(error)
        }
        let results = groups.keys.sorted().dropFirst(page.offset).prefix(page.size).map {
            Self.value($0, groups[$0] ?? [])
        }
        return APIResponse(
            try page.body(count: groups.count, results, [], for: request),
            fields: [APIResponse.noStore]
        )
    }

    static func value(_ name: GroupName, _ permissions: Set<PermissionName>) -> JSONValue {
        .object([
            ("name", .string(name.description)),
            ("permissions", .array(permissions.sorted().map { .string($0.description) })),
        ])
    }

    private func create(_ request: APIRequest) throws(APIError) -> APIResponse {
        var fields = try BodyFields(request)
        var name: GroupName?
        if let text = fields.text(CharField(name: "name", maximumLength: Username.maximumLength)) {
            do throws(NameError) {
                name = try Self.name(text)
            } catch {
                fields.refuse("name", error.description)
            }
        }
        let permissions = fields.names("permissions") { bytes throws(NameError) in try PermissionName(bytes) }
        try fields.check()
        guard let name else { throw .malformedRequest }
        try Administration(accounts: accounts, request: request).addGroup(name, permissions: permissions ?? [])
        return APIResponse(status: 201, Self.value(name, permissions ?? []), fields: [APIResponse.noStore])
    }

    /// A name that can stand in a path.
    private static func name(_ text: [UInt8]) throws(NameError) -> GroupName {
        guard !text.contains(UInt8(ascii: "/")), text != Array(".".utf8), text != Array("..".utf8) else {
            throw .groupInPath
        }
        guard !text.contains(UTF8Text.replacement) else { throw .group }
        return try GroupName(text)
    }
}

/// One group, whose name is the last part of the path.
struct GroupDetailView: APIView {
    let name = "Group Instance"
    let methods: [Method] = [.get, .put, .patch, .delete]
    let defaultPermission: any Permission = IsAdminUser()
    let needsUnlimitedCredential = true
    let accounts: Accounts

    var actions: JSONValue? {
        Metadata.actions([.init("name", isReadOnly: true), .init("permissions", isRequired: false)], for: .put)
    }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let segment = request.segment(at: 0), let name = try? GroupName(segment) else { throw .notFound }
        let administration = Administration(accounts: accounts, request: request)
        var permissions = try permissions(of: name)
        switch request.method {
        case .delete:
            try administration.deleteGroup(name)
            return APIResponse(status: 204, nil)
        case .put, .patch:
            var fields = try BodyFields(request)
            let wanted = fields.names("permissions") { bytes throws(NameError) in try PermissionName(bytes) }
            try fields.check()
            permissions = wanted ?? permissions
            if wanted != nil { try administration.changeGroup(name, permissions: permissions) }
        default: break
        }
        return APIResponse(GroupsView.value(name, permissions), fields: [APIResponse.noStore])
    }

    private func permissions(of name: GroupName) throws(APIError) -> Set<PermissionName> {
        do {
            guard let permissions = try accounts.store.groups()[name] else { throw APIError.notFound }
            return permissions
        } catch {
            throw APIError(any: error)
        }
    }
}
