internal import Journal

/// All users and groups, as the events of the journal `users` add them up.
///
/// An event carries the whole record, so that the last line of a user says all about them:
/// `TIME  CAUSE  ID  USERNAME  FLAGS  EPOCH  CREATED  PASSWORD-HASH  GROUPS  PERMISSIONS`. The cause is for the
/// reader of the file; only `deleted` (`TIME  deleted  ID`) changes what the line does, and `password` what is said to
/// whoever presents a credential from before. Lists are separated by commas; lines of older versions have none.
///
/// `TIME  group  NAME  PERMISSIONS` says all about a group. After `TIME  group-deleted  NAME` nobody is in it.
/// `TIME  last-id  ID  EPOCH` says which ids and epochs were given away.
struct UserTable: EventSourced {
    private(set) var byID = Parted<User.ID, User>()
    private var idByName = Parted<Username, User.ID>()
    private var members: [GroupName: Set<User.ID>] = [:]
    /// Ids of those who have a password, or had one before they went.
    private var withHash: [User.ID] = []
    private(set) var lastID: User.ID = 0
    /// The greatest that a user has had.
    private(set) var lastEpoch: Int64 = 0
    private(set) var groups: [GroupName: Set<PermissionName>] = [:]
    /// Of which users it is; it has all groups.
    private let part: Part
    /// Whether somebody got the name of whom it is who had another one: what was said of them before was passed over.
    private var hasNamesake = false

    enum Part {
        case all
        case named(Username)
        case user(User.ID)
        /// Only what was given away, and groups.
        case groups
    }

    static var whole: Part { .all }

    init(_ part: Part) { self.part = part }

    func covers(_ other: Part) -> Bool {
        switch (part, other) {
        case (.all, _), (_, .groups): true
        case _ where hasNamesake: false
        case (.named(let name), .named(let other)): name == other
        case (.user(let id), .user(let other)): id == other
        case (_, .user(let id)): byID[id] != nil
        default: false
        }
    }

    /// - Parameter line: From the name on.
    private func isAsked(about id: User.ID, _ line: EventReader) throws(EventError) -> Bool {
        switch part {
        case .all: return true
        case .named(let other):
            if byID.count > 0, byID[id] != nil { return true }
            var line = line
            let (start, name) = (line, try line.column())
            // One that is longer may have escapes.
            guard name.count > other.bytes.count else { return name.elementsEqual(other.bytes) }
            line = start
            return name.contains(UInt8(ascii: "\\")) ? try line.bytes() == other.bytes : false
        case .user(let other): return id == other
        case .groups: return false
        }
    }

    /// Why a record was written.
    enum Cause: String {
        case added, password, enabled, disabled, granted, revoked, deleted
        /// Written when the journal was compacted, and for users of an import, with two columns more: the epoch of the password, and when the epoch
        /// began.
        case kept
    }

    subscript(id: User.ID) -> User? { byID[id] }

    subscript(name: Username) -> User? { idByName[name].flatMap { byID[$0] } }

    /// The id that the next user gets.
    /// - Parameter named: The greatest that is known from elsewhere.
    func nextID(beyond named: User.ID) -> User.ID { max(lastID, min(named, .max - 1)) + 1 }

    var userCount: Int { byID.count }

    /// The hash of a user that `number` leads to, always the same one as far as users stay; nil where nobody has one.
    func hash(near number: UInt64) -> String? {
        let start = Self.bucket(of: number, among: withHash.count)
        for step in withHash.indices {
            // Some of them may be gone.
            if let hash = byID[withHash[(start + step) % withHash.count]]?.passwordHash { return hash }
        }
        return nil
    }

    /// Jump consistent hashing (Lamping and Veach, 2014): with some buckets more, as small a part of all numbers gets
    /// another one.
    private static func bucket(of number: UInt64, among count: Int) -> Int {
        var (state, bucket, next) = (number, 0, 0.0)
        while next < Double(count) {
            bucket = Int(next)
            state = state &* 2_862_933_555_777_941_757 &+ 1
            next = (Double(bucket + 1) * (0x1p31 / Double(state >> 33 + 1))).rounded(.down)
        }
        return bucket
    }

    /// In the order in which they were added.
    var all: [User] { byID.values.sorted { $0.id < $1.id } }

    static func event(_ cause: Cause, _ user: User) -> Event {
        Event([
            Array(cause.rawValue.utf8),
            Array(String(user.id).utf8),
            user.username.bytes,
            flags(of: user),
            Array(String(user.epoch).utf8),
            Array(user.created.rfc3339.utf8),
            Array((user.passwordHash ?? "!").utf8),
            list(user.groups.map(\.bytes)),
            list(user.permissions.sorted().map(\.bytes)),
        ])
    }

    /// Says all about a user, also what else follows from the lines before.
    static func kept(_ user: User, at now: Timestamp) -> Event {
        // No later than now, also where a wrong clock has said so.
        let began = min(user.epochBegan, now)
        let times = [Array(String(user.passwordEpoch).utf8), Array(began.rfc3339.utf8)]
        return Event(event(.kept, user).columns + times)
    }

    static func deletion(of id: User.ID) -> Event {
        Event([Array(Cause.deleted.rawValue.utf8), Array(String(id).utf8)])
    }

    static func group(_ name: GroupName, _ permissions: Set<PermissionName>) -> Event {
        Event([Array(groupCause.utf8), name.bytes, list(permissions.sorted().map(\.bytes))])
    }

    static func deletion(of group: GroupName) -> Event {
        Event([Array(groupDeletedCause.utf8), group.bytes])
    }

    /// A new password ends what was issued before.
    static func ends(_ event: Event) -> Bool {
        let causes = [Cause.password, .disabled, .revoked, .deleted].map(\.rawValue) + [groupDeletedCause]
        return causes.contains { event.columns.first == Array($0.utf8) }
    }

    private static let groupCause = "group"
    private static let groupDeletedCause = "group-deleted"

    var count: Int { byID.count + groups.count + 1 }

    func write(
        to file: CompactedFile,
        at now: Timestamp,
        isAlive: (User.ID, Int64) -> Bool
    ) throws(JournalError) {
        for (name, permissions) in groups.sorted(by: { $0.key < $1.key }) {
            try file.add(Self.group(name, permissions), at: now)
        }
        for id in byID.keys.sorted() {
            guard let user = byID[id] else { continue }
            try file.add(Self.kept(user, at: now), at: now)
        }
        try file.add(Self.lastID(lastID, epoch: lastEpoch), at: now)
    }

    /// Ids and epochs are given once, also those of users who are gone.
    static func lastID(_ id: User.ID, epoch: Int64) -> Event {
        Event([Array(lastIDCause.utf8), Array(String(id).utf8), Array(String(epoch).utf8)])
    }

    /// What is written when users may be gone: their ids and epochs are not given again.
    ///
    /// - Parameters:
    ///   - named: The greatest id of a user that is known from elsewhere.
    ///   - revokingAll: Whether to end every credential, of every user, too.
    func eventsAfterLoss(named: User.ID, revokingAll: Bool, at now: Timestamp, _ random: UInt64) -> [Event] {
        let epoch = Store.epoch(after: lastEpoch, at: now, random)
        let revoked = (revokingAll ? all : []).map { user in
            var user = user
            user.epoch = epoch
            return Self.event(.revoked, user)
        }
        return revoked + [Self.lastID(Store.idAfterLoss(max(lastID, named), random), epoch: epoch)]
    }

    private static let lastIDCause = "last-id"

    mutating func apply(_ event: EventLine) throws(EventError) {
        var columns = EventReader(event)
        let cause = try columns.text()
        if cause == Self.groupCause || cause == Self.groupDeletedCause {
            guard let name = try? GroupName(try columns.bytes()) else { throw .malformed }
            return change(name, to: cause == Self.groupCause ? try Self.permissions(&columns) : nil)
        }
        let id = try columns.integer()
        guard id < .max else { throw .malformed }
        if cause == Self.lastIDCause {
            lastID = max(lastID, id)
            // Lines of older versions have none.
            if !columns.isAtEnd { lastEpoch = max(lastEpoch, try columns.integer()) }
            return
        }
        if cause == Cause.deleted.rawValue {
            if let user = byID.replace(id, with: nil) {
                idByName[user.username] = nil
                for group in user.groups { members[group]?.remove(id) }
                if withHash.count > 2 * byID.count + 64 { withHash.removeAll { byID[$0] == nil } }
            }
            return
        }
        guard Cause(rawValue: cause) != nil else { throw .unknown(cause) }
        guard try isAsked(about: id, columns) else {
            _ = try columns.column()
            _ = try columns.column()
            lastID = max(lastID, id)
            lastEpoch = max(lastEpoch, try Self.epoch(&columns))
            return
        }
        var user = try Self.user(id, &columns)
        let known = byID[id]
        user.passwordEpoch =
            cause == Cause.password.rawValue && known?.epoch != user.epoch
            ? user.epoch : known?.passwordEpoch ?? user.epoch
        user.groups.removeAll { groups[$0] == nil }
        user.groupPermissions = permissions(of: user.groups)
        if cause == Cause.kept.rawValue {
            user.passwordEpoch = try columns.integer()
            user.epochBegan = try columns.time()
        } else if let known {
            user.epochBegan = known.epoch == user.epoch ? known.epochBegan : event.time
        } else if cause != Cause.added.rawValue {
            hasNamesake = true
            // The line that added them was lost, or passed over.
            user.epochBegan = event.time
        }
        if let old = known, old.username != user.username { idByName[old.username] = nil }
        for group in known?.groups ?? [] where !user.groups.contains(group) { members[group]?.remove(id) }
        for group in user.groups { members[group, default: []].insert(id) }
        if user.passwordHash != nil, known?.passwordHash == nil { withHash.append(id) }
        byID[id] = user
        idByName[user.username] = id
        lastID = max(lastID, id)
        lastEpoch = max(lastEpoch, user.epoch)
    }

    private static func user(_ id: User.ID, _ columns: inout EventReader) throws(EventError) -> User {
        let name = try columns.bytes()
        guard let username = try? Username(name) else { throw .malformed }
        let flags = try elements(&columns)
        guard flags.allSatisfy({ Self.flags.contains(Array($0)) }) else { throw .malformed }
        let epoch = try epoch(&columns)
        let created = try columns.time()
        let hash = try columns.text()
        var user = User(
            id: id,
            username: username,
            passwordHash: hash == "!" ? nil : hash,
            isActive: flags.contains(active[...]),
            isStaff: flags.contains(staff[...]),
            isSuperuser: flags.contains(superuser[...]),
            epoch: epoch,
            created: created
        )
        guard !columns.isAtEnd else { return user }
        for bytes in try elements(&columns) {
            guard let name = try? GroupName(bytes) else { throw .malformed }
            user.groups.append(name)
        }
        user.permissions = try permissions(&columns)
        return user
    }

    private static func epoch(_ columns: inout EventReader) throws(EventError) -> Int64 {
        let epoch = try columns.integer()
        guard epoch < .max - 1 << 40 else { throw .malformed }
        return epoch
    }

    /// - Parameter permissions: nil: there is no such group any more.
    private mutating func change(_ name: GroupName, to permissions: Set<PermissionName>?) {
        groups[name] = permissions
        for id in members[name] ?? [] {
            guard var user = byID[id] else { continue }
            if permissions == nil { user.groups.removeAll { $0 == name } }
            user.groupPermissions = self.permissions(of: user.groups)
            byID[id] = user
        }
        if permissions == nil { members[name] = nil }
    }

    private func permissions(of names: [GroupName]) -> Set<PermissionName> {
        names.reduce(into: []) { $0.formUnion(groups[$1] ?? []) }
    }

    private static func permissions(_ columns: inout EventReader) throws(EventError) -> Set<PermissionName> {
        var permissions: Set<PermissionName> = []
        for bytes in try elements(&columns) {
            guard let name = try? PermissionName(bytes) else { throw .malformed }
            permissions.insert(name)
        }
        return permissions
    }

    private static func elements(_ columns: inout EventReader) throws(EventError) -> [ArraySlice<UInt8>] {
        try columns.bytes().split(separator: UInt8(ascii: ","))
    }

    private static func list(_ names: [[UInt8]]) -> [UInt8] { Array(names.joined(separator: [UInt8(ascii: ",")])) }

    private static let active = Array("active".utf8)
    private static let staff = Array("staff".utf8)
    private static let superuser = Array("superuser".utf8)
    private static let flags = [active, staff, superuser]

    private static func flags(of user: User) -> [UInt8] {
        list(zip(flags, [user.isActive, user.isStaff, user.isSuperuser]).filter(\.1).map(\.0))
    }
}
