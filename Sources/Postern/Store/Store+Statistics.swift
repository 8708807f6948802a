public import Journal

extension Store {
    /// What a journal holds.
    public struct Load: Sendable {
        public let journal: String
        /// Users, tokens, sessions, or families of refresh tokens that are used up or revoked.
        public let live: Int
        /// Events in it, and those that would be enough.
        public let events, needed: Int
        public let bytes: Int64
        /// When its first and its last event were written; nil: there is none.
        public let oldest, newest: Timestamp?

        /// Of the events, in percent, those that are of no use.
        public var deadPercent: Int { events == 0 ? 0 : (events - needed) * 100 / events }
    }

    /// Reads every line of all journals once more, whatever is saved of them.
    /// - Throws: ``StoreError`` naming file, line and byte of the first damage.
    public func check(progress: Progress = noProgress) throws(StoreError) {
        try check("users", users, progress)
        try check("tokens", tokens, progress)
        try check("sessions", sessions, progress)
        try check("revocations", revocations, progress)
    }

    private func check<State>(
        _ name: String,
        _ replica: Replica<State>,
        _ progress: Progress
    ) throws(StoreError) {
        try replica.check { progress(name, $0) }
    }

    /// Follows all journals to their ends.
    /// - Throws: ``StoreError`` naming file, line and byte of the first damage.
    public func loads() throws(StoreError) -> [Load] {
        let isAlive = try judgeOfEpochs()
        return [
            try load("users", users, live: try users.read { $0.userCount }, isAlive),
            try load("tokens", tokens, live: try tokenCount(), isAlive),
            try load("sessions", sessions, live: try sessions.read { $0.sessionCount }, isAlive),
            try load("revocations", revocations, live: try revocations.read { $0.count }, isAlive),
        ]
    }

    private func load<State>(
        _ name: String,
        _ replica: Replica<State>,
        live: Int,
        _ isAlive: (User.ID, Int64) -> Bool
    ) throws(StoreError) -> Load {
        let load = try replica.load(at: now(), isAlive: isAlive)
        let times: (first: Timestamp, last: Timestamp)?
        do {
            times = try folder.times(of: name)
        } catch {
            throw StoreError(error)
        }
        return Load(
            journal: name,
            live: live,
            events: load.events,
            needed: min(load.needed, load.events),
            bytes: replica.size,
            oldest: times?.first,
            newest: times?.last
        )
    }
}

extension Store {
    /// What a journal holds, without a look at each entry.
    struct Size {
        let journal: String
        /// As in ``Load``.
        let live: Int
        let events: Int
        let bytes: Int64
    }

    /// Of those journals that can be read.
    func sizes() -> [Size] {
        func size<State>(
            _ name: String,
            _ replica: Replica<State>,
            _ live: (borrowing State) -> Int
        ) -> Size? {
            do throws(StoreError) {
                let events = try replica.load().events
                return Size(journal: name, live: try replica.read(live), events: events, bytes: replica.size)
            } catch {
                return nil
            }
        }
        return [
            size("users", users) { $0.userCount }, size("tokens", tokens) { $0.tokenCount },
            size("sessions", sessions) { $0.sessionCount }, size("revocations", revocations) { $0.count },
        ].compactMap { $0 }
    }
}
