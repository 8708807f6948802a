internal import Journal

/// All users, as the events of the journal `users` add them up.
///
/// An event carries the whole record, so that the last line of a user says all about them:
/// `TIME  CAUSE  ID  USERNAME  FLAGS  EPOCH  CREATED  PASSWORD-HASH`. The cause is for the reader of
/// the file; only `deleted` (`TIME  deleted  ID`) changes what the line does, and `password` what is said to
/// whoever presents a credential from before.
struct UserTable: EventSourced {
    private var byID: [User.ID: User] = [:]
    private var idByName: [Username: User.ID] = [:]
    private var lastID: User.ID = 0

    /// Why a record was written.
    enum Cause: String {
        case added, password, enabled, disabled, granted, revoked, deleted
    }

    subscript(id: User.ID) -> User? { byID[id] }

    subscript(name: Username) -> User? { idByName[name].flatMap { byID[$0] } }

    /// The id that the next user gets.
    var nextID: User.ID { lastID + 1 }

    /// In the order in which they were added.
    var all: [User] { byID.values.sorted { $0.id < $1.id } }

    static func event(_ cause: Cause, _ user: User) -> Event {
        Event([
            Array(cause.rawValue.utf8),
            Array(String(user.id).utf8),
            user.username.bytes,
            Array(flags(of: user).utf8),
            Array(String(user.epoch).utf8),
            Array(user.created.rfc3339.utf8),
            Array((user.passwordHash ?? "!").utf8),
        ])
    }

    static func deletion(of id: User.ID) -> Event {
        Event([Array(Cause.deleted.rawValue.utf8), Array(String(id).utf8)])
    }

    mutating func apply(_ event: Event) throws(EventError) {
        var columns = EventReader(event)
        let cause = try columns.text()
        let id = try columns.integer()
        if cause == Cause.deleted.rawValue {
            if let user = byID.removeValue(forKey: id) { idByName[user.username] = nil }
            return
        }
        guard Cause(rawValue: cause) != nil else { throw .unknown(cause) }
        var user = try Self.user(id, &columns)
        let known = byID[id]
        user.passwordEpoch =
            cause == Cause.password.rawValue && known?.epoch != user.epoch
            ? user.epoch : known?.passwordEpoch ?? user.epoch
        if let known { user.epochBegan = known.epoch == user.epoch ? known.epochBegan : event.time }
        if let old = known, old.username != user.username { idByName[old.username] = nil }
        byID[id] = user
        idByName[user.username] = id
        lastID = max(lastID, id)
    }

    private static func user(_ id: User.ID, _ columns: inout EventReader) throws(EventError) -> User {
        let name = try columns.bytes()
        guard let username = try? Username(name) else { throw .malformed }
        let flags = try columns.text().split(separator: ",")
        guard flags.allSatisfy({ ["active", "staff", "superuser"].contains($0) }) else { throw .malformed }
        let epoch = try columns.integer()
        let created = try columns.time()
        let hash = try columns.text()
        return User(
            id: id,
            username: username,
            passwordHash: hash == "!" ? nil : hash,
            isActive: flags.contains("active"),
            isStaff: flags.contains("staff"),
            isSuperuser: flags.contains("superuser"),
            epoch: epoch,
            created: created
        )
    }

    private static func flags(of user: User) -> String {
        var flags: [String] = []
        if user.isActive { flags.append("active") }
        if user.isStaff { flags.append("staff") }
        if user.isSuperuser { flags.append("superuser") }
        return flags.joined(separator: ",")
    }
}
