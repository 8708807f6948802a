/// What whoever administers users may do to them.
///
/// A superuser may do everything, and others nothing to superusers. Others also give and take nothing that they do not have: no
/// flag, no group, no permission, and no password of an account that has more than theirs, for who sets a password can
/// log in with it. Nobody shuts out themselves. Django's admin lets everybody who may change users do all of this.
struct Administrator {
    let user: User

    /// - Throws: ``APIError/denied(_:)`` when `other` is out of reach.
    func checkAccess(to other: User) throws(APIError) {
        guard user.isSuperuser || !other.isSuperuser else { throw .denied("Only a superuser may change a superuser.") }
    }

    /// - Parameters:
    ///   - old: As the user is; for one who is to be made, without any flag, group or permission.
    ///   - new: As the user is to be.
    /// - Throws: ``APIError/denied(_:)``; ``APIError/invalid(_:)`` where somebody would shut out themselves.
    func checkChange(from old: User, to new: User) throws(APIError) {
        try checkAccess(to: old)
        if old.id == user.id { try checkOwnChange(from: old, to: new) }
        guard !user.isSuperuser else { return }
        if new.isSuperuser { throw .denied("Only a superuser may make a superuser.") }
        if new.isStaff, !old.isStaff, !user.isStaff { throw .denied("You cannot make staff, which you are not.") }
        for group in new.groups where !old.groups.contains(group) && !user.groups.contains(group) {
            throw .denied("You cannot give the group \(group), which you are not in.")
        }
        for permission in new.permissions.subtracting(old.permissions).sorted() where !user.has(permission) {
            throw .denied("You cannot give the permission \(permission), which you do not have.")
        }
        // Whom somebody could take rights from, and then the account, gets them back one day; and one may be let in for not
        // being in a group.
        for group in old.groups where !new.groups.contains(group) && (old.id == user.id || !user.groups.contains(group))
        {
            throw .denied("You cannot take the group \(group) from this user.")
        }
        for permission in old.permissions.subtracting(new.permissions).sorted() where !user.has(permission) {
            throw .denied("You cannot take the permission \(permission), which you do not have.")
        }
        // Names may be what an upstream, or IsOwner, goes by.
        if new.username != old.username { try checkTakeover(of: old) }
    }

    /// Whether the administrator may get hold of the account of `other`.
    /// - Throws: ``APIError/denied(_:)``.
    func checkTakeover(of other: User) throws(APIError) {
        try checkAccess(to: other)
        guard !user.isSuperuser, other.id != user.id else { return }
        let hasNothingMore =
            (user.isStaff || !other.isStaff) && other.groups.allSatisfy(user.groups.contains)
            && other.permissions.allSatisfy(user.has)
        guard hasNothingMore else { throw .denied("This user has rights that you do not have.") }
    }

    private func checkOwnChange(from old: User, to new: User) throws(APIError) {
        if !new.isActive { throw .invalid("is_active", "You cannot disable yourself.") }
        if old.isStaff, !new.isStaff { throw .invalid("is_staff", "You cannot take this from yourself.") }
        if old.isSuperuser, !new.isSuperuser { throw .invalid("is_superuser", "You cannot take this from yourself.") }
    }
}
