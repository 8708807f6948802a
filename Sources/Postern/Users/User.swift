public import Journal

/// Somebody who may present credentials. What the web server's locations ask for is judged against
/// these fields; they are read anew for every request, so a change counts from the next one on.
public struct User: Sendable, Equatable {
    /// Given once, never reused, so that a credential of a deleted user can never become another's.
    public typealias ID = Int64

    public let id: ID
    public var username: Username
    /// A PHC string, or nil where no password opens the account.
    public var passwordHash: String?
    public var isActive: Bool
    /// DRF's `is_staff`: what `IsAdminUser` asks for.
    public var isStaff: Bool
    public var isSuperuser: Bool
    /// In the order of their names.
    public var groups: [GroupName] = []
    /// The user's own.
    public var permissions: Set<PermissionName> = []
    /// Those of all of the user's groups together.
    var groupPermissions: Set<PermissionName> = []
    /// A credential that was issued under another epoch is dead. No two users ever have the same one.
    public var epoch: Int64
    /// The epoch that began with the last change of the password.
    var passwordEpoch: Int64
    /// When the epoch began; 1970 for a user's first one, which ended nothing.
    var epochBegan: Timestamp
    public let created: Timestamp

    public init(
        id: ID,
        username: Username,
        passwordHash: String?,
        isActive: Bool = true,
        isStaff: Bool = false,
        isSuperuser: Bool = false,
        epoch: Int64 = 1,
        created: Timestamp
    ) {
        self.id = id
        self.username = username
        self.passwordHash = passwordHash
        self.isActive = isActive
        self.isStaff = isStaff
        self.isSuperuser = isSuperuser
        self.epoch = epoch
        passwordEpoch = epoch
        epochBegan = Timestamp(seconds: 0)
        self.created = created
    }

    /// When an epoch of theirs ended the last time; nil: none has.
    var lastEpochEnd: Timestamp? { epoch > 1 && epochBegan.seconds > 0 ? epochBegan : nil }

    /// Whether both are let in by the same.
    func hasRights(of other: User) -> Bool {
        isStaff == other.isStaff && isSuperuser == other.isSuperuser && groups == other.groups
            && permissions == other.permissions && groupPermissions == other.groupPermissions
    }

    /// Django's `has_perm`: a superuser has every permission.
    public func has(_ permission: PermissionName) -> Bool {
        isSuperuser || permissions.contains(permission) || groupPermissions.contains(permission)
    }
}
