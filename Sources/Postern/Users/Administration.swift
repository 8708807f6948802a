internal import Journal

/// Changes users and groups in the name of whoever sent a request.
///
/// Each change is decided by what the store holds under its lock, the administrator's own rights included, and is
/// written as one event: whole, or not at all. Every method throws ``APIError``, and sends its signals when the change is
/// on disk.
struct Administration {
    let accounts: Accounts
    let request: APIRequest

    /// - Parameter password: nil makes an account that no password opens.
    /// - Returns: The user; a token in clear, for the only time, where the server makes one for each new user.
    func addUser(
        _ username: Username,
        _ draft: UserDraft,
        password: [UInt8]?
    ) throws(APIError) -> (User, TokenSecret?) {
        let hash = try password.map { password throws(APIError) in try self.hash(password, for: username) }
        let named = try greatestNamedUser()
        var added: User?
        try decide { table, administrator throws(APIError) in
            guard table[username] == nil else { throw Self.usernameTaken }
            let blank = User(
                id: table.nextID(beyond: named),
                username: username,
                passwordHash: hash,
                epoch: accounts.store.nextEpoch(in: table),
                created: accounts.store.now()
            )
            var user = blank
            try draft.apply(to: &user, known: table.groups)
            try administrator.checkChange(from: blank, to: user)
            added = user
            return [UserTable.event(.added, user)]
        }
        let user = try reread(added)
        accounts.signals.send(.userCreated(user), for: request)
        guard accounts.issuesTokenWithUser, user.isActive else { return (user, nil) }
        do {
            return (user, try accounts.issueFirstToken(for: user, request: request))
        } catch {
            throw APIError(error)
        }
    }

    func change(_ id: User.ID, _ draft: UserDraft) throws(APIError) -> User {
        var changed: (old: User, new: User)?
        try decide { table, administrator throws(APIError) in
            guard let old = table[id] else { throw .notFound }
            var new = old
            try draft.apply(to: &new, known: table.groups)
            try administrator.checkChange(from: old, to: new)
            if new.username != old.username, table[new.username] != nil { throw Self.usernameTaken }
            // What was issued before is dead, also when the user is enabled again.
            if old.isActive, !new.isActive { new.epoch = accounts.store.nextEpoch(in: table) }
            changed = (old, new)
            guard new != old else { return [] }
            let cause: UserTable.Cause =
                new.isActive == old.isActive ? .granted : new.isActive ? .enabled : .disabled
            return [UserTable.event(cause, new)]
        }
        guard let old = changed?.old else { throw .notFound }
        let new = try reread(changed?.new)
        if new.username != old.username { accounts.signals.send(.userChanged(new, .renamed, from: old), for: request) }
        if new.isActive != old.isActive {
            accounts.signals.send(.userChanged(new, new.isActive ? .enabled : .disabled, from: old), for: request)
        }
        if new.isStaff != old.isStaff || new.isSuperuser != old.isSuperuser || new.groups != old.groups
            || new.permissions != old.permissions
        {
            accounts.signals.send(.userChanged(new, .granted, from: old), for: request)
        }
        return new
    }

    /// Sets a password and raises the epoch: every credential issued before is dead.
    func setPassword(of id: User.ID, to password: [UInt8]) throws(APIError) {
        guard id != request.user?.id else {
            throw Serializer.nonFieldError("Change your own password where the old one is asked for.")
        }
        let known = try user(id)
        let hash = try hash(password, for: known.username)
        try rewrite(id, because: .password, signal: .password) { user, epoch, administrator throws(APIError) in
            try administrator.checkTakeover(of: user)
            // The rules went by the name.
            guard user.username == known.username else { throw .unavailable("The user was renamed at the same time.") }
            user.passwordHash = hash
            user.epoch = epoch
        }
    }

    /// Raises the epoch: every token, session and JSON Web Token that was issued before is dead.
    func revokeAll(of id: User.ID) throws(APIError) {
        try rewrite(id, because: .revoked, signal: .revoked) { user, epoch, administrator throws(APIError) in
            try administrator.checkAccess(to: user)
            user.epoch = epoch
        }
    }

    func deleteUser(_ id: User.ID) throws(APIError) {
        var deleted: User?
        try decide { table, administrator throws(APIError) in
            guard let user = table[id] else { throw .notFound }
            guard id != administrator.user.id else { throw Serializer.nonFieldError("You cannot delete yourself.") }
            // The name is free then.
            try administrator.checkTakeover(of: user)
            deleted = user
            return [UserTable.deletion(of: id)]
        }
        if let deleted { accounts.signals.send(.userChanged(deleted, .deleted, from: deleted), for: request) }
    }

    func user(_ id: User.ID) throws(APIError) -> User {
        do {
            guard let user = try accounts.store.user(id) else { throw APIError.notFound }
            return user
        } catch {
            throw APIError(any: error)
        }
    }

    private func greatestNamedUser() throws(APIError) -> User.ID {
        do {
            return try accounts.store.greatestNamedUser()
        } catch {
            throw APIError(error)
        }
    }

    private static var usernameTaken: APIError { .invalid("username", "A user with that username already exists.") }

    private func hash(_ password: [UInt8], for username: Username) throws(APIError) -> String {
        do throws(PasswordError) {
            return try accounts.hash(password, for: username)
        } catch {
            if case .refused(let reason) = error { throw .invalid("password", reason) }
            throw APIError(any: error)
        }
    }

    private func rewrite(
        _ id: User.ID,
        because cause: UserTable.Cause,
        signal: UserChange,
        _ body: (inout User, _ nextEpoch: Int64, Administrator) throws(APIError) -> Void
    ) throws(APIError) {
        var changed: (old: User, new: User)?
        try decide { table, administrator throws(APIError) in
            guard let old = table[id] else { throw .notFound }
            var user = old
            try body(&user, accounts.store.nextEpoch(in: table), administrator)
            changed = (old, user)
            return [UserTable.event(cause, user)]
        }
        if let changed { accounts.signals.send(.userChanged(changed.new, signal, from: changed.old), for: request) }
    }

    /// A user with the permissions of the groups that they are in now.
    private func reread(_ user: User?) throws(APIError) -> User {
        guard let user else { throw .notFound }
        do {
            return try accounts.store.user(user.id) ?? user
        } catch {
            throw APIError(error)
        }
    }

    /// Lets `body` make events of what the store holds, and writes them.
    ///
    /// - Parameter body: Is given the administrator as they are at that moment.
    private func decide(
        _ body: (borrowing UserTable, Administrator) throws(APIError) -> [Event]
    ) throws(APIError) {
        var refusal: APIError?
        do throws(StoreError) {
            try accounts.store.users.write { table in
                do throws(APIError) {
                    // By what they were, the location let the request in.
                    guard let known = request.user, let user = table[known.id],
                        CredentialFault.of(user, .epoch(known.epoch)) == nil, user.hasRights(of: known)
                    else { throw .permissionDenied }
                    return try body(table, Administrator(user: user))
                } catch {
                    refusal = error
                    return []
                }
            }
        } catch {
            throw APIError(error)
        }
        if let refusal { throw refusal }
    }
}

// MARK: - Groups, which are for superusers to change

extension Administration {
    func addGroup(_ name: GroupName, permissions: Set<PermissionName>) throws(APIError) {
        try change(name, .created) { table throws(APIError) in
            guard table.groups[name] == nil else {
                throw .invalid("name", "group with this name already exists.")
            }
            return UserTable.group(name, permissions)
        }
    }

    func changeGroup(_ name: GroupName, permissions: Set<PermissionName>) throws(APIError) {
        try change(name, .changed) { table throws(APIError) in
            guard table.groups[name] != nil else { throw .notFound }
            return UserTable.group(name, permissions)
        }
    }

    /// Nobody is in it then, also when there is one of the same name later.
    func deleteGroup(_ name: GroupName) throws(APIError) {
        try change(name, .deleted) { table throws(APIError) in
            guard table.groups[name] != nil else { throw .notFound }
            return UserTable.deletion(of: name)
        }
    }

    private func change(
        _ name: GroupName,
        _ change: GroupChange,
        _ event: (borrowing UserTable) throws(APIError) -> Event
    ) throws(APIError) {
        try decide { table, administrator throws(APIError) in
            guard administrator.user.isSuperuser else { throw .denied("Only a superuser may change groups.") }
            return [try event(table)]
        }
        accounts.signals.send(.groupChanged(name, change), for: request)
    }
}
