internal import Journal

/// Files that have grown become small again: what was revoked, has ended or was replaced by a later line leaves them.
extension Store {
    /// What became of a journal.
    public struct Compacted: Sendable {
        public let journal: String
        /// Events in it before and after.
        public let before, after: Int
        /// Whether another process did the same meanwhile.
        public let isDoneByOthers: Bool
    }

    /// Compacts all journals, whatever is in them. Others may read and write meanwhile.
    public func compact(progress: @escaping Progress = noProgress) throws(StoreError) -> [Compacted] {
        [
            try compact("users", users, progress), try compact("tokens", tokens, progress),
            try compact("sessions", sessions, progress), try compact("revocations", revocations, progress),
        ]
    }

    /// Looks after the journals in the background, from the next write on: compacts one of which more than half is of no
    /// use, and saves the index of one that has grown. For processes that live long.
    ///
    /// - Parameter events: As few in a file are not worth the trouble.
    public func maintainByItself(beyond events: Int = 8192) {
        watch("users", users, events)
        watch("tokens", tokens, events)
        watch("sessions", sessions, events)
        watch("revocations", revocations, events)
        maintenance.begin(every: Self.lookInterval) { [weak self] in
            (try? self?.compactWhatHasEnded(beyond: events)) != nil
        }
    }

    /// Compacts journals of which more than half is of no use by now: also what has ended, which no event tells of.
    package func compactWhatHasEnded(beyond events: Int) throws(StoreError) {
        let isAlive = try judgeOfEpochs()
        try compactIfWorthIt("tokens", tokens, events, isAlive)
        try compactIfWorthIt("sessions", sessions, events, isAlive)
        try compactIfWorthIt("revocations", revocations, events, isAlive)
    }

    private func compactIfWorthIt<State>(
        _ name: String,
        _ replica: Replica<State>,
        _ events: Int,
        _ isAlive: (User.ID, Int64) -> Bool
    ) throws(StoreError) {
        let load = try replica.load(at: now(), isAlive: isAlive)
        if load.events > events, load.events > 2 * load.needed { _ = try compact(name, replica) }
    }

    /// Seconds between two looks at all that may have ended.
    private static let lookInterval = 4.0 * 3600

    private func watch<State>(_ name: String, _ replica: Replica<State>, _ events: Int) {
        replica.whenInNeed(beyond: events) { [weak self] need in
            self?.maintenance.start { [weak self] in
                // What fails leaves the files as they were, and whole.
                do throws(StoreError) {
                    switch need {
                    case .compaction: _ = try self?.compact(name, replica)
                    case .saving: try replica.save()
                    case .replay: try replica.replay()
                    }
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    /// Whether a credential of a user and an epoch may still be good, by what is on disk: what goes because of it is gone.
    func judgeOfEpochs() throws(StoreError) -> (User.ID, Int64) -> Bool {
        // As they are now: what changes meanwhile is copied by who changes it.
        let users = try users.readSynced { $0.byID }
        // Of an import that is being made, tokens come before users, with an epoch that goes by the clock.
        let recent = now().adding(seconds: -86_400).microseconds
        return { user, epoch in users[user].map { epoch >= $0.epoch } ?? (epoch > recent) }
    }

    private func compact<State>(
        _ name: String,
        _ replica: Replica<State>,
        _ progress: @escaping Progress = noProgress
    ) throws(StoreError) -> Compacted {
        progress(name, 0)
        defer { progress(name, 1) }
        let before = try replica.load().events
        let isDone = try replica.compact(at: now()) { () throws(StoreError) in
            try judgeOfEpochs()
        } progress: {
            progress(name, $0)
        }
        // Beside all others, who have gone on in the new file as they were.
        if isDone { try replica.replay() }
        return Compacted(
            journal: name,
            before: before,
            after: try replica.load().events,
            isDoneByOthers: !isDone
        )
    }
}
