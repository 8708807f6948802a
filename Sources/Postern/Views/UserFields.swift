internal import Journal

/// A user as the views for administration read and show them, by Django's names. No password nor hash is ever shown.
struct UserFields {
    private(set) var draft = UserDraft()
    private(set) var password: [UInt8]?

    /// What OPTIONS says of them.
    static let described: [Metadata.Field] =
        [.init("id", isReadOnly: true), .init("username")]
        + ["password", "is_active", "is_staff", "is_superuser", "groups", "user_permissions"].map {
            .init($0, isRequired: false)
        } + [.init("date_joined", isReadOnly: true)]

    static func members(of user: User) -> [(name: String, value: JSONValue)] {
        [
            ("id", .integer(user.id)), ("username", .string(user.username.description)),
            ("is_active", .bool(user.isActive)), ("is_staff", .bool(user.isStaff)),
            ("is_superuser", .bool(user.isSuperuser)),
            ("groups", .array(user.groups.map { .string($0.description) })),
            ("user_permissions", .array(user.permissions.sorted().map { .string($0.description) })),
            ("date_joined", .string(user.created.rfc3339)),
        ]
    }

    /// - Parameters:
    ///   - isPartial: Whether the username may be missing, as in a PATCH.
    ///   - current: The username that may stay, also where a new user could not have it; nil: of a new user.
    ///   - takesPassword: Otherwise a password is refused, for one that is passed over would be taken for set.
    /// - Throws: ``APIError`` with the messages of all fields.
    init(
        _ request: APIRequest,
        isPartial: Bool,
        current: Username? = nil,
        takesPassword: Bool
    ) throws(APIError) {
        var fields = try BodyFields(request)
        if let text = fields.text(
            CharField(name: "username", isRequired: !isPartial, maximumLength: Username.maximumLength)
        ) {
            do throws(UsernameError) {
                // What a form holds that is no UTF-8 has become U+FFFD.
                guard !text.contains(UTF8Text.replacement) else { throw .notUTF8 }
                let typed = try Username(text)
                draft.username = typed == current ? typed : try Username(new: typed.bytes)
            } catch {
                fields.refuse("username", error.description)
            }
        }
        if takesPassword {
            let field = CharField(name: "password", trimsWhitespace: false, isRequired: false)
            password = fields.text(field)
        } else if fields.has("password") {
            fields.refuse("password", "A password is set by a POST to set-password/ below this address.")
        }
        draft.isActive = fields.boolean("is_active")
        draft.isStaff = fields.boolean("is_staff")
        draft.isSuperuser = fields.boolean("is_superuser")
        draft.groups = fields.names("groups") { bytes throws(NameError) in try GroupName(bytes) }
        draft.permissions = fields.names("user_permissions") { bytes throws(NameError) in try PermissionName(bytes) }
        try fields.check()
    }
}
