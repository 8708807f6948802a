package import Journal

extension Store {
    /// Copies the store as it is at one moment into a folder that is not there yet; servers may run.
    ///
    /// The copy is a store itself: whoever has it has all that the store has, and can go on with it. What is revoked later is
    /// not revoked in it.
    ///
    /// - Parameter progress: Called now and then with the name of a journal and which part of it is done; likewise in the
    ///   other methods that may take long.
    public func backUp(to path: String, progress: Progress = noProgress) throws(StoreError) {
        // As whoever will need it: from the files.
        try backUp(to: path, progress: progress) { path throws(StoreError) in
            _ = try Store(opening: path, system: folder.system)
        }
    }

    private func backUp(
        to path: String,
        progress: Progress,
        finish: (_ path: String) throws(StoreError) -> Void
    ) throws(StoreError) {
        do {
            try folder.backUp(
                to: path,
                kind: Self.kind,
                version: Self.version,
                journals: Self.journals,
                folders: Self.folders,
                end: end(of:),
                progress: progress,
                finish: finish
            )
        } catch {
            if let error = error as? JournalError { throw StoreError(error) }
            throw error as? StoreError ?? .conflict
        }
    }

    /// How many bytes of a journal are whole groups now.
    private func end(of journal: String) throws(JournalError) -> Int64 {
        do throws(StoreError) {
            switch journal {
            case "users": return try users.end()
            case "tokens": return try tokens.end()
            case "sessions": return try sessions.end()
            default: return try revocations.end()
            }
        } catch .journal(let error) {
            throw error
        } catch {
            throw .missing(path: folder.path + "/" + journal)
        }
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
        try restore(backup, to: path, revokingAll: revokingAll, Linux(), progress: progress)
    }

    package static func restore(
        _ backup: String,
        to path: String,
        revokingAll: Bool,
        _ system: any System,
        progress: Progress = noProgress
    ) throws(StoreError) {
        try Store(opening: backup, system: system).backUp(to: path, progress: progress) { path throws(StoreError) in
            try Store(opening: path, system: system).begin(revokingAll: revokingAll)
        }
    }
}
