internal import Journal

/// All live sessions, as the events of the journal `sessions` add them up:
/// `TIME  started  ID  sha256:DIGEST  USER-ID  EPOCH  STARTED  EXPIRES  IDLE-SECONDS`, `TIME  used  ID`,
/// `TIME  ended  ID` and, when it was compacted, `TIME  last-id  ID`: ids are given once.
struct SessionTable: EventSourced {
    private var byDigest = Parted<SecretDigest, Session>()
    private var digestByID = Parted<Session.ID, SecretDigest>()
    private var idsByUser = Parted<User.ID, [Session.ID]>()
    private var lastID: Session.ID = 0
    /// The greatest id of a user that a session names or named; 0: none does.
    private(set) var greatestUser: User.ID = 0
    /// Which sessions are looked at next to see whether they are over.
    private var sweep = Sweep()
    /// Of which sessions it is.
    private let part: Part

    enum Part {
        case all
        case of(User.ID)
        case session(Session.ID)
        /// Only the ids that were given or named.
        case ids
    }

    static var whole: Part { .all }

    init(_ part: Part) { self.part = part }

    func covers(_ other: Part) -> Bool {
        switch (part, other) {
        case (.all, _), (_, .ids): true
        case (.of(let user), .of(let other)): user == other
        case (.session(let id), .session(let other)): id == other
        default: false
        }
    }

    private func isAsked(about id: Session.ID, of user: User.ID) -> Bool {
        switch part {
        case .all: true
        case .of(let other): user == other
        case .session(let other): id == other
        case .ids: false
        }
    }

    subscript(digest: SecretDigest) -> Session? { byDigest[digest] }

    subscript(id: Session.ID) -> Session? { digestByID[id].flatMap { byDigest[$0] } }

    /// The id that the next session gets.
    var nextID: Session.ID { lastID + 1 }

    /// In the order in which they began.
    var all: [Session] { byDigest.values.sorted { $0.id < $1.id } }

    /// In the order in which they began.
    func sessions(of user: User.ID) -> [Session] { (idsByUser[user] ?? []).compactMap { self[$0] } }

    static func start(_ session: Session) -> Event {
        Event([
            Array("started".utf8),
            Array(String(session.id).utf8),
            session.digest.column,
            Array(String(session.user).utf8),
            Array(String(session.epoch).utf8),
            Array(session.started.rfc3339.utf8),
            Array(session.expires.rfc3339.utf8),
            Array(String(session.idleLimit).utf8),
        ])
    }

    static func use(of id: Session.ID) -> Event { Event([Array("used".utf8), Array(String(id).utf8)]) }

    static func end(of id: Session.ID) -> Event { Event([Array("ended".utf8), Array(String(id).utf8)]) }

    /// Ids are given once.
    static func lastID(_ id: Session.ID) -> Event { Event([Array("last-id".utf8), Array(String(id).utf8)]) }

    static func ends(_ event: Event) -> Bool { [Array("ended".utf8)].contains(event.columns.first) }

    var sessionCount: Int { byDigest.count }

    /// Each with its last use.
    var count: Int { 2 * byDigest.count + 1 }

    func write(
        to file: CompactedFile,
        at now: Timestamp,
        isAlive: (User.ID, Int64) -> Bool
    ) throws(JournalError) {
        for id in digestByID.keys.sorted() {
            guard let session = self[id], now < session.ends, isAlive(session.user, session.epoch) else { continue }
            try file.add(Self.start(session), at: now)
            try file.add(Self.use(of: id), at: session.lastUsed)
        }
        try file.add(Self.lastID(lastID), at: now)
    }

    mutating func apply(_ event: EventLine) throws(EventError) {
        var columns = EventReader(event)
        switch try columns.text() {
        case "started":
            let id = try columns.integer()
            guard id < .max else { throw .malformed }
            let digest = try columns.column()
            let user = try columns.integer()
            lastID = max(lastID, id)
            greatestUser = max(greatestUser, user)
            guard isAsked(about: id, of: user) else { return }
            let session = try Self.session(id, digest, user, &columns)
            // Before it is there: when it was used last may only come with the next line.
            for digest in byDigest.over(&sweep, where: { $1.ends <= event.time }) {
                if let id = byDigest[digest]?.id { remove(id) }
            }
            byDigest[session.digest] = session
            digestByID[session.id] = session.digest
            idsByUser.change(session.user) { ids in
                if ids?.append(session.id) == nil { ids = [session.id] }
            }
        case "used":
            if let digest = digestByID[try columns.integer()] { byDigest.change(digest) { $0?.lastUsed = event.time } }
        case "ended": remove(try columns.integer())
        case "last-id":
            let id = try columns.integer()
            guard id < .max else { throw .malformed }
            lastID = max(lastID, id)
        case let verb: throw .unknown(verb)
        }
    }

    private mutating func remove(_ id: Session.ID) {
        guard let digest = digestByID.replace(id, with: nil), let session = byDigest.replace(digest, with: nil)
        else { return }
        idsByUser.change(session.user) { ids in
            ids?.removeAll { $0 == id }
            if ids?.isEmpty ?? false { ids = nil }
        }
    }

    /// - Parameter columns: What follows on the user.
    private static func session(
        _ id: Session.ID,
        _ digest: UnsafeRawBufferPointer,
        _ user: User.ID,
        _ columns: inout EventReader
    ) throws(EventError) -> Session {
        guard let digest = SecretDigest(column: digest) else { throw .malformed }
        let epoch = try columns.integer()
        let started = try columns.time()
        let expires = try columns.time()
        return Session(
            id: id,
            digest: digest,
            user: user,
            epoch: epoch,
            started: started,
            expires: expires,
            idleLimit: try columns.integer(),
            lastUsed: started
        )
    }
}
