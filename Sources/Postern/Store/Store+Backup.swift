internal import Journal

extension Store {
    /// Copies the store as it is at one moment into a folder that is not there yet; servers may run.
    ///
    /// The copy is a store itself: whoever has it has all that the store has, and can go on with it. What is revoked later is
    /// not revoked in it.
    public func backUp(to path: String) throws(StoreError) {
        do {
            try folder.backUp(
                to: path,
                kind: Self.kind,
                version: Self.version,
                journals: Self.journals,
                folders: Self.folders
            )
        } catch {
            throw StoreError(error)
        }
        // As whoever will need it: from the files.
        _ = try Store(opening: path)
    }

    /// What was kept of a journal.
    public struct Repaired: Sendable {
        public let journal: String
        public let events, dropped: Int
        public let sideFile: String?
    }

    /// Makes a damaged store one that can be opened, of every line that can be believed. No server may run.
    public static func repair(at path: String) throws(StoreError) -> [Repaired] {
        var results: [Repaired] = []
        do {
            let folder = try JournalFolder(opening: path, kind: kind, version: version)
            for name in journals {
                let repair = try folder.repair(name)
                results.append(
                    Repaired(journal: name, events: repair.events, dropped: repair.dropped, sideFile: repair.sideFile)
                )
            }
        } catch {
            throw StoreError(error)
        }
        return results
    }

    /// What a journal holds.
    public struct Load: Sendable {
        public let journal: String
        /// Events in it, and those that would be enough.
        public let events, needed: Int
        public let bytes: Int64
    }

    /// Reads all journals to their ends.
    /// - Throws: ``StoreError`` naming file, line and byte of the first damage.
    public func loads() throws(StoreError) -> [Load] {
        [
            try load("users", users), try load("tokens", tokens), try load("sessions", sessions),
            try load("revocations", revocations),
        ]
    }

    private func load<State>(_ name: String, _ replica: Replica<State>) throws(StoreError) -> Load {
        try replica.check()
        let load = try replica.load()
        return Load(journal: name, events: load.events, needed: min(load.needed, load.events), bytes: replica.size)
    }
}
