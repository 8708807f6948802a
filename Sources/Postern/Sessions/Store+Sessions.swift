internal import Journal

extension Store {
    /// Sessions that a user may have at once; with another one, the oldest ends.
    public static let maximumSessions = 64

    package func session(_ digest: SecretDigest) throws(StoreError) -> Session? { try sessions.read { $0[digest] } }

    /// In the order in which they began; those that are over may be among them.
    public func allSessions() throws(StoreError) -> [Session] { try sessions.read { $0.all } }

    /// Likewise those of a user.
    public func sessions(of user: User.ID) throws(StoreError) -> [Session] {
        try sessions.read(about: .of(user)) { $0.sessions(of: user) }
    }

    /// - Parameters:
    ///   - lifetime: Seconds until it is over, whatever happens.
    ///   - idleLimit: Seconds without a use after which it is over.
    ///   - replaced: A session of the same client that ends with this.
    package func startSession(
        _ key: SessionKey,
        for user: User,
        lifetime: Int64,
        idleLimit: Int64,
        replacing replaced: Session.ID? = nil
    ) throws(StoreError) -> Session {
        try confirm(user)
        var started: Session?
        try sessions.write { table in
            let now = folder.now()
            let session = Session(
                id: table.nextID,
                digest: key.digest,
                user: user.id,
                epoch: user.epoch,
                started: now,
                expires: now.adding(seconds: lifetime),
                idleLimit: idleLimit,
                lastUsed: now
            )
            started = session
            let others = table.sessions(of: user.id).filter { $0.id != replaced }
            let ended = others.prefix(max(0, others.count - Self.maximumSessions + 1)).map(\.id)
            let gone = replaced.flatMap { table[$0] }.map { [$0.id] } ?? []
            return (gone + ended).map(SessionTable.end) + [SessionTable.start(session)]
        }
        guard let started else { throw .conflict }
        return started
    }

    /// Writes down that a session is in use. Nothing is waited for: where it is lost the session is over earlier.
    func useSession(_ id: Session.ID) throws(StoreError) {
        try sessions.write(isAwaited: false) { table in
            guard table[id]?.isUseNews(at: folder.now()) ?? false else { return [] }
            return [SessionTable.use(of: id)]
        }
    }

    public func endSession(_ id: Session.ID) throws(StoreError) {
        try sessions.write(about: .session(id)) { table throws(StoreError) in
            guard table[id] != nil else { throw .noSuchSession }
            return [SessionTable.end(of: id)]
        }
    }

    public func endSessions(of user: User.ID) throws(StoreError) {
        try sessions.write(about: .of(user)) { table in table.sessions(of: user).map { SessionTable.end(of: $0.id) } }
    }
}
