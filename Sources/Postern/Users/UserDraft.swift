/// What is asked for of a user who is to be made or changed; nil leaves a field as it is.
struct UserDraft: Sendable {
    var username: Username?
    var isActive, isStaff, isSuperuser: Bool?
    var groups: Set<GroupName>?
    /// The user's own, not those of groups.
    var permissions: Set<PermissionName>?

    /// - Throws: ``APIError/invalid(_:)`` with the messages of `groups` when one of them is not among `known`.
    func apply(
        to user: inout User,
        known: [GroupName: Set<PermissionName>]
    ) throws(APIError) {
        user.username = username ?? user.username
        user.isActive = isActive ?? user.isActive
        user.isStaff = isStaff ?? user.isStaff
        user.isSuperuser = isSuperuser ?? user.isSuperuser
        if let groups {
            for name in groups.sorted() where known[name] == nil {
                throw .invalid("groups", "Object with name=\(name) does not exist.")
            }
            user.groups = groups.sorted()
        }
        user.permissions = permissions ?? user.permissions
    }
}

extension APIError {
    /// DRF's `ValidationError` of one field.
    static func invalid(_ field: String, _ text: String) -> APIError {
        .invalid(.object([(field, .array([.string(text)]))]))
    }
}
