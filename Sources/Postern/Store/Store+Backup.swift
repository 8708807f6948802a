internal import Journal

extension Store {
    /// Copies the store as it is at one moment into a folder that is not there yet; servers may run.
    ///
    /// The copy is a store itself: whoever has it has all that the store has, and can go on with it. What is revoked later is
    /// not revoked in it.
    ///
    /// - Parameter progress: Called now and then with the name of a journal and which part of it is done; likewise in the
    ///   other methods that may take long.
    public func backUp(to path: String, progress: Progress = noProgress) throws(StoreError) {
        do {
            try folder.backUp(
                to: path,
                kind: Self.kind,
                version: Self.version,
                journals: Self.journals,
                folders: Self.folders,
                progress: progress
            )
        } catch {
            throw StoreError(error)
        }
        // As whoever will need it: from the files.
        _ = try Store(opening: path)
    }

    /// Makes a store of a copy, at a path where there is nothing yet.
    ///
    /// Users who are added get ids that none had before: those that were added since the copy was made are gone, and what was
    /// issued to them must not become another's.
    ///
    /// - Parameter revokingAll: Whether to end every credential, of every user. There is no store at the path before
    ///   that is done.
    public static func restore(
        _ backup: String,
        to path: String,
        revokingAll: Bool,
        progress: Progress = noProgress
    ) throws(StoreError) {
        let path = String(path.reversed().drop { $0 == "/" }.reversed())
        let temporary = path + ".new-" + String(UInt64.random(in: .min ... .max), radix: 36)
        try Store(opening: backup).backUp(to: temporary, progress: progress)
        do {
            try Store(opening: temporary).begin(revokingAll: revokingAll)
            try JournalFolder.move(temporary, to: path)
        } catch {
            Folder.removeTree(temporary)
            if let error = error as? JournalError { throw StoreError(error) }
            throw error as? StoreError ?? .conflict
        }
    }

    /// What was kept of a journal.
    public struct Repaired: Sendable {
        public let journal: String
        public let events, dropped: Int
        public let sideFile: String?
        /// Whether it was whole, and stays as it is.
        public let wasWhole: Bool
    }

    /// Makes a damaged store one that can be opened, of every line that can be believed. No server may run.
    public static func repair(at path: String, progress: Progress = noProgress) throws(StoreError) -> [Repaired] {
        var results: [Repaired] = []
        do {
            let folder = try JournalFolder(opening: path, kind: kind, version: version)
            for name in journals {
                progress(name, 0)
                let repair = try folder.repair(name) { progress(name, $0) }
                results.append(
                    Repaired(
                        journal: name,
                        events: repair.events,
                        dropped: repair.dropped,
                        sideFile: repair.sideFile,
                        wasWhole: repair.wasWhole
                    )
                )
            }
        } catch {
            throw StoreError(error)
        }
        return results
    }
}
