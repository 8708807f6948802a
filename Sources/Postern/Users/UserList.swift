/// All users as they were at one moment. It holds up nobody: what is looked through here is looked through beside the
/// requests that go on, and writers copy of it what they change.
struct UserList: Sendable {
    private let users: Parted<User.ID, User>
    private let lastID: User.ID

    init(_ table: borrowing UserTable) {
        users = table.byID
        lastID = table.lastID
    }

    /// Which users are asked for.
    struct Filter: Sendable {
        /// Bytes that stand in the username, whatever the case of ASCII letters.
        var search: [UInt8] = []
        var isActive: Bool?

        var isEmpty: Bool { search.isEmpty && isActive == nil }

        func takes(_ user: User) -> Bool {
            if let isActive, user.isActive != isActive { return false }
            return search.isEmpty || Self.contains(search, in: user.username.bytes)
        }

        private static func contains(_ part: [UInt8], in name: [UInt8]) -> Bool {
            guard part.count <= name.count else { return false }
            return (0...(name.count - part.count)).contains { start in
                ASCII.equalsIgnoringCase(name[start..<(start + part.count)], part)
            }
        }
    }

    /// Users in the order of their ids.
    ///
    /// - Parameters:
    ///   - offset: How many of those that are asked for come before the first one.
    ///   - size: How many there are at most.
    /// - Returns: How many are asked for in all; those of the page.
    func page(_ filter: Filter, offset: Int, size: Int) -> (count: Int, users: [User]) {
        guard filter.isEmpty else {
            var (count, page) = (0, [User]())
            for user in inOrder where filter.takes(user) {
                if count >= offset, page.count < size { page.append(user) }
                count += 1
            }
            return (count, page)
        }
        // Where nobody was deleted, the place follows from the id.
        guard users.count != lastID else {
            let first = User.ID(min(offset, users.count))
            return (users.count, (first..<min(first + User.ID(size), lastID)).compactMap { users[$0 + 1] })
        }
        return (users.count, Array(inOrder.dropFirst(offset).prefix(size)))
    }

    private var inOrder: some Sequence<User> {
        // Ids may be far apart, as in a store that was restored.
        lastID / 4 <= User.ID(users.count)
            ? AnySequence((1...max(1, lastID)).lazy.compactMap { users[$0] })
            : AnySequence(users.keys.sorted().lazy.compactMap { users[$0] })
    }
}

extension Store {
    func userList() throws(StoreError) -> UserList { try users.read { UserList($0) } }
}
