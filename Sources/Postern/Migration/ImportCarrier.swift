internal import Journal

/// Writes an import down so that all of it counts at one moment, or nothing.
///
/// First the ids of its users are reserved. Then tokens and revocations are appended: as long as there is no user of their
/// ids they open nothing. The users come last, in a file that takes the place of the journal by one rename. Whatever ends it
/// before leaves tokens of nobody: the users of an import have an epoch of their own, so that such tokens never become those
/// of another one.
struct ImportCarrier<Source: ImportSource> {
    private let plan: ImportPlan
    private let source: Source
    private let store: Store
    private let now: Timestamp
    /// Later than that of all imports before.
    private var epoch: Int64 = 0
    private var nextID: User.ID = 0
    /// Of users who bring no id.
    private var givenIDs: [Username: User.ID] = [:]
    private var tokens: [(token: ImportedToken, owner: User.ID)] = []
    private var revocations: [(jti: [UInt8], expires: Timestamp)] = []

    /// Events that are synced together.
    private static var batch: Int { 4096 }

    init(_ plan: ImportPlan, _ source: Source, _ store: Store) {
        self.plan = plan
        self.source = source
        self.store = store
        now = store.now()
    }

    mutating func carry(_ progress: @escaping Store.Progress) throws(ImportError) {
        // What the source throws the second time, on its way through the store.
        var failure: ImportError?
        do throws(StoreError) {
            try reserveIDs()
            let isDone = try store.users.compact(at: now, saysMore: true) { () throws(StoreError) in
                { _, _ in true }
            } adding: { file throws(StoreError) in
                do throws(ImportError) {
                    try add(to: file, progress)
                } catch {
                    failure = error
                    throw .conflict
                }
            } admits: { table in
                plan.users.allSatisfy { name, id in table[name] == nil && id.map { table[$0] == nil } ?? true }
                    && plan.groups.allSatisfy { name, permissions in
                        table.groups[name].map { $0 == permissions } ?? true
                    }
            }
            guard isDone else { throw .conflict }
        } catch {
            throw failure ?? .store(error)
        }
    }

    /// And an epoch, so that no two imports have the same.
    private mutating func reserveIDs() throws(StoreError) {
        let withoutID = plan.users.values.count { $0 == nil }
        let named = try store.greatestNamedUser()
        var reserved: (id: User.ID, epoch: Int64) = (0, 0)
        try store.users.write { table in
            // A project has deleted users, whose ids its tokens may still name.
            let first = plan.greatestID > 0 ? Store.idAfterLoss(plan.greatestID, 0) + 1 : 1
            reserved = (max(table.nextID(beyond: named), first), store.nextEpoch(in: table))
            return [UserTable.lastID(reserved.id + User.ID(withoutID) - 1, epoch: reserved.epoch)]
        }
        (nextID, epoch) = reserved
    }

    private mutating func add(to file: CompactedFile, _ progress: Store.Progress) throws(ImportError) {
        var reported: Int64 = 0
        for (name, permissions) in plan.groups.sorted(by: { $0.key < $1.key }) {
            try add(UserTable.group(name, permissions), to: file)
        }
        try source.eachRecord { record, place throws(ImportError) in
            switch record {
            case .user(let user): try add(user, to: file)
            case .token(let token): try add(token)
            case .revocation(let jti, let expires):
                guard now < expires else { break }
                revocations.append((jti, expires))
                if revocations.count == Self.batch { try writeRevocations() }
            case .group, .leftOut, .problem: break
            }
            guard place.bytes - reported > 1 << 20 else { return }
            reported = place.bytes
            progress("import", Double(reported) / Double(max(1, source.size)))
        }
        try writeTokens()
        try writeRevocations()
    }

    private mutating func add(_ user: ImportedUser, to file: CompactedFile) throws(ImportError) {
        guard let bringsID = plan.users[user.username] else { return }
        let id = bringsID ?? id(of: user.username)
        var added = User(
            id: id,
            username: user.username,
            passwordHash: user.passwordHash,
            isActive: user.isActive,
            isStaff: user.isStaff,
            isSuperuser: user.isSuperuser,
            epoch: epoch,
            created: min(user.created ?? now, now)
        )
        added.groups = user.groups
        added.permissions = user.permissions
        try add(UserTable.kept(added, at: now), to: file)
    }

    private func add(_ event: Event, to file: CompactedFile) throws(ImportError) {
        do throws(JournalError) {
            try file.add(event, at: now)
        } catch {
            throw .store(StoreError(error))
        }
    }

    /// Of a user who brings none.
    private mutating func id(of name: Username) -> User.ID {
        if let known = givenIDs[name] { return known }
        defer { nextID += 1 }
        givenIDs[name] = nextID
        return nextID
    }

    private mutating func add(_ token: ImportedToken) throws(ImportError) {
        let owner: User.ID?
        switch token.owner {
        case .id(let id): owner = plan.ids.contains(id) ? id : nil
        case .name(let name): owner = plan.users[name].map { $0 ?? id(of: name) }
        }
        guard let owner, token.expires.map({ now < $0 }) ?? true else { return }
        tokens.append((token, owner))
        if tokens.count == Self.batch { try writeTokens() }
    }

    /// Tokens that an import before left behind are revoked: they are of another epoch, and nobody's.
    private mutating func writeTokens() throws(ImportError) {
        let batch = tokens
        tokens.removeAll(keepingCapacity: true)
        guard !batch.isEmpty else { return }
        do throws(StoreError) {
            let owners = try store.users.read { $0 }
            try store.tokens.write { table throws(StoreError) in
                var events: [Event] = []
                var written: Set<SecretDigest> = []
                var id = table.nextID
                for (token, owner) in batch where written.insert(token.digest).inserted {
                    if let known = try table[token.digest] {
                        if known.user == owner, known.epoch == epoch { continue }
                        guard known.epoch < epoch, owners[known.user] == nil else { throw .conflict }
                        events.append(TokenTable.revocation(of: known.id))
                    }
                    events.append(issued(token, to: owner, id).issued)
                    id += 1
                }
                return events
            }
            // Where nobody looks after the index, every token would be held.
            let isFar = try store.tokens.read {
                $0.tokenCount - $0.indexedCount > max(Self.unindexed, $0.indexedCount / 8)
            }
            // Without it they are held, no more.
            if isFar { try? store.tokens.save() }
        } catch {
            throw .store(error)
        }
    }

    /// Tokens that are held before they go to the index. For each time the journal is read once more.
    private static var unindexed: Int { 1 << 16 }

    private func issued(_ token: ImportedToken, to owner: User.ID, _ id: Token.ID) -> Token {
        Token(
            id: id,
            digest: token.digest,
            user: owner,
            epoch: epoch,
            label: token.label,
            created: min(token.created ?? now, now),
            expires: token.expires,
            renewal: nil,
            limits: nil
        )
    }

    private mutating func writeRevocations() throws(ImportError) {
        let batch = revocations
        revocations.removeAll(keepingCapacity: true)
        guard !batch.isEmpty else { return }
        do throws(StoreError) {
            try store.revocations.write { table in
                batch.compactMap { jti, expires in
                    let known = table[jti]?.expires
                    if table.isRevoked(jti), let known, known >= expires { return nil }
                    return RevocationTable.revocation(of: jti, expires: max(expires, known ?? expires))
                }
            }
        } catch {
            throw .store(error)
        }
    }
}
