internal import Journal

/// What an import is going to add, after a look at all of it: nothing is written before.
struct ImportPlan {
    private(set) var imported = Store.Imported()
    /// Users to add, with the ids that they bring.
    private(set) var users: [Username: User.ID?] = [:]
    private(set) var ids: Set<User.ID> = []
    private(set) var groups: [GroupName: Set<PermissionName>] = [:]

    private let store: Store
    private let known: UserTable
    private let now: Timestamp
    private var problems: [ImportProblem] = []
    /// Groups that are there with other permissions.
    private var otherGroups: Set<GroupName> = []
    /// Of tokens, and not seen yet among the users.
    private var awaited: [ImportedToken.Owner: (place: String, tokens: Int)] = [:]
    /// Names of users of the file who are there already.
    private var kept: Set<Username> = []

    var isWorthIt: Bool { !users.isEmpty || !groups.isEmpty || imported.revocations > 0 }

    /// The greatest id that a user brings.
    var greatestID: User.ID { ids.max() ?? 0 }

    /// - Throws: ``ImportError/refused(path:problems:)`` when something cannot be taken over.
    init(
        of source: some ImportSource,
        for store: Store,
        _ progress: Store.Progress
    ) throws(ImportError) {
        self.store = store
        now = store.now()
        do throws(StoreError) {
            known = try store.users.read { $0 }
        } catch {
            throw .store(error)
        }
        var reported: Int64 = 0
        try source.eachRecord { record, place throws(ImportError) in
            try look(at: record, place.description)
            guard problems.count < Store.maximumImportProblems else { throw refusal(source) }
            guard place.bytes - reported > 1 << 20 else { return }
            reported = place.bytes
            progress("records", Double(reported) / Double(max(1, source.size)))
        }
        for (owner, token) in awaited { settle(owner, token) }
        guard problems.isEmpty else { throw refusal(source) }
    }

    private func refusal(_ source: some ImportSource) -> ImportError {
        .refused(path: source.path, problems: Array(problems.prefix(Store.maximumImportProblems)))
    }

    private mutating func look(at record: ImportRecord, _ place: String) throws(ImportError) {
        switch record {
        case .group(let name, let permissions): look(at: name, permissions)
        case .user(let user): look(at: user, place)
        case .token(let token): try look(at: token, place)
        case .revocation(let jti, let expires): try look(at: jti, expires)
        case .leftOut(let what): imported.leftOut[what, default: 0] += 1
        case .problem(let reason): problems.append(ImportProblem(place: place, reason: reason))
        }
    }

    private mutating func look(at jti: [UInt8], _ expires: Timestamp) throws(ImportError) {
        do throws(StoreError) {
            let isRevoked = try store.isRevoked(jti)
            if now < expires, !isRevoked { imported.revocations += 1 }
        } catch {
            throw .store(error)
        }
    }

    private mutating func look(at group: GroupName, _ permissions: Set<PermissionName>) {
        guard let here = known.groups[group] else {
            if groups.updateValue(permissions, forKey: group) == nil { imported.groups.added += 1 }
            return
        }
        imported.groups.kept += 1
        if here != permissions { otherGroups.insert(group) }
    }

    private mutating func look(at user: ImportedUser, _ place: String) {
        func refuse(_ reason: String) { problems.append(ImportProblem(place: place, reason: reason)) }
        let name = user.username
        if let here = known[name] {
            guard user.id == nil || user.id == here.id else {
                return refuse("there is a user named \(name) here, with the id \(here.id).")
            }
            imported.users.kept += 1
            kept.insert(name)
            return
        }
        if let id = user.id {
            guard (1..<User.ID.max / 2).contains(id) else { return refuse("\(id) cannot be a user's id.") }
            if let here = known[id] { return refuse("the id \(id) is the one of \(here.username) here.") }
            guard ids.insert(id).inserted else { return refuse("the id \(id) comes twice.") }
            if id <= known.lastID { imported.usersBack += 1 }
        }
        guard users.updateValue(user.id, forKey: name) == nil else { return refuse("the name \(name) comes twice.") }
        for group in user.groups {
            if groups[group] == nil, known.groups[group] == nil { return refuse("there is no group \(group).") }
            if otherGroups.contains(group) {
                return refuse(
                    "\(name) is in the group \(group), which has other permissions here: make them the same with postern group set."
                )
            }
        }
        imported.users.added += 1
        imported.look(at: name)
        if user.passwordHash == nil { imported.usersWithoutPassword += 1 }
        if let kind = user.unknownHash { imported.unknownHashes[kind, default: 0] += 1 }
    }

    private mutating func look(at token: ImportedToken, _ place: String) throws(ImportError) {
        if let expires = token.expires, expires <= now {
            imported.leftOut["tokens that have expired", default: 0] += 1
            return
        }
        do throws(StoreError) {
            if let here = try store.token(token.digest), let owner = known[here.user], !isOwner(owner, of: token) {
                problems.append(ImportProblem(place: place, reason: "the token is one of \(owner.username)'s here."))
                return
            }
        } catch {
            throw .store(error)
        }
        // Most dumps have the users first: nothing is kept of their tokens then.
        switch fate(of: token.owner) {
        case .added: imported.tokens.added += 1
        case .kept: imported.tokens.kept += 1
        case nil: awaited[token.owner, default: (place, 0)].tokens += 1
        }
    }

    private func isOwner(_ user: User, of token: ImportedToken) -> Bool {
        switch token.owner {
        case .id(let id): user.id == id
        case .name(let name): user.username == name
        }
    }

    private mutating func settle(_ owner: ImportedToken.Owner, _ token: (place: String, tokens: Int)) {
        switch fate(of: owner) {
        case .added: imported.tokens.added += token.tokens
        case .kept: imported.tokens.kept += token.tokens
        case nil: problems.append(ImportProblem(place: token.place, reason: "its user is not in the file."))
        }
    }

    private enum Fate {
        case added, kept
    }

    /// nil for a user who was not seen in the file.
    private func fate(of owner: ImportedToken.Owner) -> Fate? {
        switch owner {
        case .id(let id):
            if ids.contains(id) { return .added }
            return known[id].map { kept.contains($0.username) } ?? false ? .kept : nil
        case .name(let name):
            if users[name] != nil { return .added }
            return kept.contains(name) ? .kept : nil
        }
    }
}

extension Store.Imported {
    fileprivate mutating func look(at name: Username) {
        if !name.isComposed { uncomposedNames.count(name) }
        do throws(UsernameError) {
            _ = try Username(new: name.bytes)
        } catch {
            doubtfulNames.count(name, error)
        }
    }
}

extension Store.Names {
    fileprivate mutating func count(_ name: Username, _ fault: UsernameError? = nil) {
        count += 1
        guard first == nil else { return }
        first = name
        self.fault = fault
    }
}
