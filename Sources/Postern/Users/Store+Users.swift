internal import Journal

extension Store {
    public func user(_ id: User.ID) throws(StoreError) -> User? { try users.read(about: .user(id)) { $0[id] } }

    public func user(named name: Username) throws(StoreError) -> User? {
        try users.read(about: .named(name)) { $0[name] }
    }

    /// Returns when what the caller has seen of a user is on disk: what is written down or handed out in their name rests on
    /// that.
    /// - Throws: ``StoreError/conflict`` when they are gone, or what was seen was lost with a failed sync.
    func confirm(_ user: User) throws(StoreError) {
        guard let known = try users.readSynced(about: .user(user.id), { $0[user.id] }), known.username == user.username,
            known.epoch >= user.epoch
        else { throw .conflict }
    }

    /// The hash of some user, for a name that has none: always the same user's for the same name, as far as users stay. So
    /// how long a password check takes says nothing about who exists, also where some hashes came from elsewhere and take
    /// another time than ours. nil: nobody has one.
    func decoyHash(for name: [UInt8]) throws(StoreError) -> String? {
        // What only this store knows, so that nobody can tell which names lead to the same user.
        let number = SecretDigest(of: (users.lineage + name)[...]).firstWord
        return try users.read { $0.hash(near: number) }
    }

    /// In the order in which they were added.
    public func allUsers() throws(StoreError) -> [User] { try users.read { $0.all } }

    /// Adds a user by the name as it is: ``Accounts/addUser(_:password:isStaff:isSuperuser:withToken:for:)`` checks it.
    /// - Throws: ``StoreError/usernameTaken(_:)``.
    public func addUser(
        _ username: Username,
        passwordHash: String?,
        isStaff: Bool = false,
        isSuperuser: Bool = false
    ) throws(StoreError) -> User {
        let named = try greatestNamedUser()
        var added: User?
        try users.write(about: .named(username)) { table throws(StoreError) in
            guard table[username] == nil else { throw .usernameTaken(username) }
            let user = User(
                id: table.nextID(beyond: named),
                username: username,
                passwordHash: passwordHash,
                isStaff: isStaff,
                isSuperuser: isSuperuser,
                epoch: nextEpoch(in: table),
                created: folder.now()
            )
            added = user
            return [UserTable.event(.added, user)]
        }
        guard let added else { throw .conflict }
        return added
    }

    /// Sets a password and raises the epoch: every credential issued before is dead.
    ///
    /// - Parameter old: The hash that is to be replaced; nil: whichever there is.
    /// - Returns: The user as they are now.
    /// - Throws: ``StoreError/conflict`` when `old` is not the user's hash any more.
    @discardableResult
    public func setPassword(
        of id: User.ID,
        to hash: String,
        replacing old: String? = nil
    ) throws(StoreError) -> User {
        var changed: User?
        try users.write(about: .user(id)) { table throws(StoreError) in
            guard var user = table[id] else { throw .noSuchUser }
            guard old == nil || user.passwordHash == old else { throw .conflict }
            user.passwordHash = hash
            user.epoch = nextEpoch(in: table)
            changed = user
            return [UserTable.event(.password, user)]
        }
        guard let changed else { throw .conflict }
        return changed
    }

    /// Puts a better hash of the same password in the place of `old`, if that is still the user's hash.
    func replaceHash(of id: User.ID, _ old: String, by new: String) throws(StoreError) {
        try change(id, because: .password, mayUseReserve: false) { user, _ in
            if user.passwordHash == old { user.passwordHash = new }
        }
    }

    /// Enables or disables a user. Disabling raises the epoch, so that enabling again revives nothing.
    public func setActive(_ id: User.ID, _ isActive: Bool) throws(StoreError) {
        try change(id, because: isActive ? .enabled : .disabled) { user, epoch in
            if user.isActive, !isActive { user.epoch = epoch }
            user.isActive = isActive
        }
    }

    /// Raises the epoch: every token, session and JSON Web Token that was issued before is dead.
    public func revokeAll(of id: User.ID) throws(StoreError) {
        try change(id, because: .revoked) { $0.epoch = $1 }
    }

    /// What follows on a restore and on a repair: ids that may have been given away by what is gone are not given again, so
    /// that what was issued to those users is nobody's.
    /// - Parameter revokingAll: Whether to end every credential, of every user, too.
    func begin(revokingAll: Bool) throws(StoreError) {
        let named = try greatestNamedUser()
        try users.write { table in
            table.eventsAfterLoss(named: named, revokingAll: revokingAll, at: now(), random())
        }
        try tokens.write { table in [TokenTable.lastID(Self.idAfterLoss(table.nextID - 1, random()))] }
        try sessions.write { table in [SessionTable.lastID(Self.idAfterLoss(table.nextID - 1, random()))] }
    }

    /// More than any site gives between two copies, and a random number more: what is gone may have followed on a loss as well.
    static func idAfterLoss(_ last: Int64, _ random: UInt64) -> Int64 {
        let lost = 1_000_000 + Int64(random % (1 << 28))
        return min(last, .max - 1 - lost) + lost
    }

    /// For what nobody else is to draw.
    func random() -> UInt64 { folder.system.random() }

    /// Gives or takes flags; nil leaves one as it is.
    public func grant(_ id: User.ID, staff: Bool? = nil, superuser: Bool? = nil) throws(StoreError) {
        try change(id, because: .granted) { user, _ in
            user.isStaff = staff ?? user.isStaff
            user.isSuperuser = superuser ?? user.isSuperuser
        }
    }

    /// Puts a user into groups, and gives permissions, or takes them away.
    /// - Throws: ``StoreError/noSuchGroup(_:)``; nothing is changed then.
    public func grant(
        _ id: User.ID,
        addingGroups: [GroupName] = [],
        removingGroups: [GroupName] = [],
        addingPermissions: [PermissionName] = [],
        removingPermissions: [PermissionName] = []
    ) throws(StoreError) {
        try users.write(about: .user(id)) { table throws(StoreError) in
            guard let old = table[id] else { throw .noSuchUser }
            for group in addingGroups + removingGroups where table.groups[group] == nil { throw .noSuchGroup(group) }
            var new = old
            new.groups = Set(old.groups).union(addingGroups).subtracting(removingGroups).sorted()
            new.permissions = old.permissions.union(addingPermissions).subtracting(removingPermissions)
            return new == old ? [] : [UserTable.event(.granted, new)]
        }
    }

    /// All groups with their permissions.
    public func groups() throws(StoreError) -> [GroupName: Set<PermissionName>] {
        try users.read(about: .groups) { $0.groups }
    }

    /// Makes a group, or gives the one of this name other permissions.
    public func setGroup(_ name: GroupName, permissions: Set<PermissionName>) throws(StoreError) {
        try users.write(about: .groups) { table throws(StoreError) in
            table.groups[name] == permissions ? [] : [UserTable.group(name, permissions)]
        }
    }

    /// Deletes a group. Nobody is in it then, also when there is one of the same name later.
    public func deleteGroup(_ name: GroupName) throws(StoreError) {
        try users.write(about: .groups) { table throws(StoreError) in
            guard table.groups[name] != nil else { throw .noSuchGroup(name) }
            return [UserTable.deletion(of: name)]
        }
    }

    /// Deletes a user. Their tokens are dead with them.
    public func deleteUser(_ id: User.ID) throws(StoreError) {
        try users.write(about: .user(id)) { table throws(StoreError) in
            guard table[id] != nil else { throw .noSuchUser }
            return [UserTable.deletion(of: id)]
        }
    }

    /// An epoch that no user has had: in microseconds of the store's clock, and greater than all that are known. So one that
    /// was lost, with a sync that failed or the end of a file, does not come again, and what was issued under it stays dead.
    /// To be called under the lock of whoever writes.
    ///
    /// Where the clock is behind the last one, as after one that was ahead, the next is a random number later: what two copies of
    /// a store go on with is not the same.
    func nextEpoch(in table: borrowing UserTable) -> Int64 {
        Self.epoch(after: table.lastEpoch, at: now(), random())
    }

    static func epoch(after last: Int64, at now: Timestamp, _ random: UInt64) -> Int64 {
        now.microseconds > last ? now.microseconds : last &+ 1 &+ Int64(random % (1 << 32))
    }

    /// The greatest id of a user that a credential names: the journal of users may have lost them, and nobody gets their id.
    func greatestNamedUser() throws(StoreError) -> User.ID {
        max(
            try tokens.read { table throws(StoreError) in try table.greatestUser },
            try sessions.read(about: .ids) { $0.greatestUser }
        )
    }

    /// Writes nothing when `body` leaves the record as it is.
    private func change(
        _ id: User.ID,
        because cause: UserTable.Cause,
        mayUseReserve: Bool = true,
        _ body: (inout User, _ nextEpoch: Int64) -> Void
    ) throws(StoreError) {
        try users.write(about: .user(id), mayUseReserve: mayUseReserve) { table throws(StoreError) in
            guard let old = table[id] else { throw .noSuchUser }
            var new = old
            body(&new, nextEpoch(in: table))
            return new == old ? [] : [UserTable.event(cause, new)]
        }
    }
}
