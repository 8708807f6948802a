internal import Dispatch
internal import Journal
internal import Synchronization

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
    public func compact(progress: Progress = noProgress) throws(StoreError) -> [Compacted] {
        [
            try compact("users", users, progress), try compact("tokens", tokens, progress),
            try compact("sessions", sessions, progress), try compact("revocations", revocations, progress),
        ]
    }

    /// Compacts a journal in the background when more than half of it is of no use, from then on after each write. For
    /// processes that live long.
    ///
    /// - Parameter events: As few in a file are not worth the trouble.
    public func compactByItself(beyond events: Int = 8192) {
        watch("users", users, events)
        watch("tokens", tokens, events)
        watch("sessions", sessions, events)
        watch("revocations", revocations, events)
    }

    private func watch<State>(_ name: String, _ replica: Replica<State>, _ events: Int) {
        replica.whenGrown(beyond: events) { [weak self] in
            guard let self, !isCompacting.exchange(true, ordering: .acquiring) else { return }
            DispatchQueue.global(qos: .utility).async {
                // Where it fails the old file is there, and a write after a minute tries again.
                let isDone = (try? self.compact(name, replica)) != nil
                DispatchQueue.global(qos: .utility).asyncAfter(deadline: isDone ? .now() : .now() + 60) {
                    self.isCompacting.store(false, ordering: .releasing)
                }
            }
        }
    }

    private func compact<State>(
        _ name: String,
        _ replica: Replica<State>,
        _ progress: Progress = noProgress
    ) throws(StoreError) -> Compacted {
        progress(name, 0)
        defer { progress(name, 1) }
        let before = try replica.load().events
        let isDone = try replica.compact(at: now()) { () throws(StoreError) in
            let epochs = try users.read { table in Dictionary(table.all.map { ($0.id, $0.epoch) }) { $1 } }
            return { user, epoch in epochs[user].map { epoch >= $0 } ?? false }
        }
        return Compacted(
            journal: name,
            before: before,
            after: try replica.load().events,
            isDoneByOthers: !isDone
        )
    }
}
