public import Journal

/// The users and tokens in a folder of journals, which any number of processes share.
///
/// Reading never waits for a lock of another process and sees what was acknowledged anywhere before the
/// call. Every method that writes returns after its events are on disk.
public final class Store: Sendable {
    static let kind = "postern"
    static let version = 1

    private let folder: JournalFolder
    private let users: Replica<UserTable>
    private let tokens: Replica<TokenTable>

    /// Makes the folder of an empty store: mode 0700, and no account in it.
    public static func create(at path: String) throws(JournalError) {
        try JournalFolder.create(at: path, kind: kind, version: version, journals: ["users", "tokens"])
    }

    public init(opening path: String) throws(StoreError) {
        do {
            folder = try JournalFolder(opening: path, kind: Self.kind, version: Self.version)
            users = try Replica(of: "users", in: folder)
            tokens = try Replica(of: "tokens", in: folder)
        } catch {
            throw StoreError(error)
        }
        try checkReadable()
    }

    /// Whether both journals can be followed to their end.
    public func checkReadable() throws(StoreError) {
        try users.read { _ in }
        try tokens.read { _ in }
    }

    /// The clock by which expiry is judged: never behind the greatest time that the store has seen.
    public func now() -> Timestamp { folder.now() }
}

// MARK: - Users

extension Store {
    public func user(_ id: User.ID) throws(StoreError) -> User? { try users.read { $0[id] } }

    public func user(named name: Username) throws(StoreError) -> User? { try users.read { $0[name] } }

    /// In the order in which they were added.
    public func allUsers() throws(StoreError) -> [User] { try users.read { $0.all } }

    /// - Throws: ``StoreError/usernameTaken(_:)``.
    public func addUser(
        _ username: Username,
        passwordHash: String?,
        isStaff: Bool = false,
        isSuperuser: Bool = false
    ) throws(StoreError) -> User {
        var added: User?
        try users.write { table throws(StoreError) in
            guard table[username] == nil else { throw .usernameTaken(username) }
            let user = User(
                id: table.nextID,
                username: username,
                passwordHash: passwordHash,
                isStaff: isStaff,
                isSuperuser: isSuperuser,
                created: folder.now()
            )
            added = user
            return [UserTable.event(.added, user)]
        }
        guard let added else { throw .conflict }
        return added
    }

    /// Sets a password and raises the epoch: every credential issued before is dead.
    public func setPassword(of id: User.ID, to hash: String) throws(StoreError) {
        try change(id, because: .password) { user in
            user.passwordHash = hash
            user.epoch &+= 1
        }
    }

    /// Puts a better hash of the same password in the place of `old`, if that is still the user's hash.
    func replaceHash(of id: User.ID, _ old: String, by new: String) throws(StoreError) {
        try change(id, because: .password) { user in
            if user.passwordHash == old { user.passwordHash = new }
        }
    }

    /// Enables or disables a user. Disabling raises the epoch, so that enabling again revives nothing.
    public func setActive(_ id: User.ID, _ isActive: Bool) throws(StoreError) {
        try change(id, because: isActive ? .enabled : .disabled) { user in
            if user.isActive, !isActive { user.epoch &+= 1 }
            user.isActive = isActive
        }
    }

    /// Gives or takes flags; nil leaves one as it is.
    public func grant(_ id: User.ID, staff: Bool? = nil, superuser: Bool? = nil) throws(StoreError) {
        try change(id, because: .granted) { user in
            user.isStaff = staff ?? user.isStaff
            user.isSuperuser = superuser ?? user.isSuperuser
        }
    }

    /// Deletes a user. Their tokens are dead with them.
    public func deleteUser(_ id: User.ID) throws(StoreError) {
        try users.write { table throws(StoreError) in
            guard table[id] != nil else { throw .noSuchUser }
            return [UserTable.deletion(of: id)]
        }
    }

    /// Writes nothing when `body` leaves the record as it is.
    private func change(
        _ id: User.ID,
        because cause: UserTable.Cause,
        _ body: (inout User) -> Void
    ) throws(StoreError) {
        try users.write { table throws(StoreError) in
            guard let old = table[id] else { throw .noSuchUser }
            var new = old
            body(&new)
            return new == old ? [] : [UserTable.event(cause, new)]
        }
    }
}

// MARK: - Tokens

extension Store {
    public func token(_ digest: TokenDigest) throws(StoreError) -> Token? { try tokens.read { $0[digest] } }

    /// In the order in which they were issued.
    public func allTokens() throws(StoreError) -> [Token] { try tokens.read { $0.all } }

    /// - Parameter expires: The first moment at which it is no longer good; nil: never.
    public func issueToken(
        _ secret: TokenSecret,
        for user: User,
        label: String = "",
        expires: Timestamp? = nil
    ) throws(StoreError) -> Token {
        var issued: Token?
        try tokens.write { table throws(StoreError) in
            let token = Token(
                id: table.nextID,
                digest: secret.digest,
                user: user.id,
                epoch: user.epoch,
                label: label,
                created: folder.now(),
                expires: expires
            )
            issued = token
            return [TokenTable.issue(token)]
        }
        guard let issued else { throw .conflict }
        return issued
    }

    /// - Returns: The token that is now dead.
    @discardableResult
    public func revokeToken(_ id: Token.ID) throws(StoreError) -> Token {
        var revoked: Token?
        try tokens.write { table throws(StoreError) in
            guard let token = table[id] else { throw .noSuchToken }
            revoked = token
            return [TokenTable.revocation(of: id)]
        }
        guard let revoked else { throw .conflict }
        return revoked
    }
}
