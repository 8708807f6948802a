internal import Glibc
internal import Synchronization

/// How what was appended gets on disk. Writers that wait at the same time, in this process and in others, share one
/// sync: while it runs the next ones append, and the first of them to have the lock syncs for all.
extension Journal {
    /// Brings the caller's state up to date, as ``follow(reset:apply:told:)``, and returns when all that was told is on disk:
    /// for whoever puts what it says into another file. No system call more when it is known to be.
    ///
    /// - Throws: ``JournalError`` when it is not, or nobody knows.
    public func followSynced(reset: Reset, apply: Apply, told: Told = {}) throws(JournalError) {
        try follow(reset: reset, apply: apply, told: told)
        var needed = follower.withLock { $0.everything(of: name, in: folder.system.boot) }
        if isKnownSynced(needed) { return }
        if try !isFollowable(by: needed) {
            try folder.lockFile.withLock { lock throws(JournalError) in try settle(lock, reset, apply, told) }
            // What was told may be gone with a sync that failed: what stands there now counts.
            needed = follower.withLock { $0.everything(of: name, in: folder.system.boot) }
        }
        try waitForSync(of: needed, reset, apply, told)
    }

    private func isFollowable(by needed: SyncRecord) throws(JournalError) -> Bool {
        guard let record = try folder.lockFile.record(of: name) else { return false }
        return record.isAbout(needed) && record.failure == 0 && !hasFailed.load(ordering: .acquiring)
    }

    /// Whether this process has seen a sync of this very file that covers as much. What it remembers may be of the file that
    /// this one took the place of, and says nothing about this one.
    private func isKnownSynced(_ needed: SyncRecord) -> Bool {
        knownSynced.withLock { known in known.map { $0.isAbout(needed) && $0.covers(needed) } ?? false }
    }

    /// Returns when all that `needed` counts as synced is on disk.
    ///
    /// - Throws: ``JournalError`` when it is not, or nobody knows.
    func waitForSync(
        of needed: SyncRecord,
        _ reset: Reset,
        _ apply: Apply,
        _ told: Told
    ) throws(JournalError) {
        if isKnownSynced(needed) { return }
        for _ in 0..<Self.greatestLocks {
            if try share(in: needed, reset, apply, told) { return }
            // Another lock file was put there meanwhile, which says nothing of this journal.
            try folder.lockFile.withLock { lock throws(JournalError) in try settle(lock, reset, apply, told) }
        }
        throw failure(nil)
    }

    /// So many lock files may be put there, one after the other, while somebody waits.
    static let greatestLocks = 16

    /// - Returns: false when nobody knows how much of the file is on disk.
    private func share(
        in needed: SyncRecord,
        _ reset: Reset,
        _ apply: Apply,
        _ told: Told
    ) throws(JournalError) -> Bool {
        var isDone = true
        let isKnown = { self.isKnownSynced(needed) }
        try folder.lockFile.withSyncLock(of: name, unless: isKnown) { lock throws(JournalError) in
            guard !hasFailed.load(ordering: .acquiring) else { throw failure(nil) }
            guard var record = try lock.record(of: name) else {
                isDone = false
                return
            }
            if !record.covers(needed) {
                // Together with all that others have appended by now.
                let end = try follower.withLock { follower throws(JournalError) -> ChainPosition? in
                    _ = try catchUp(&follower, reset, apply, told)
                    guard follower.canFollow(record) else {
                        // Another lock file may say something of another file.
                        guard record.failure == 0 || !record.isAbout(needed) else { throw failure(record) }
                        return nil
                    }
                    if record.isSyncing { try writeAgain(from: record.synced, to: follower.position) }
                    return follower.position
                }
                guard let end else {
                    isDone = false
                    return
                }
                record.isSyncing = true
                try lock.setRecord(record)
                try sync(&record, lock)
                record.synced = end.offset
                try lock.setRecord(record)
                lock.syncNowAndThen()
                guard record.covers(needed) else { throw failure(record) }
            }
            follower.withLock { follower in
                // Of another text than the one that this process has read by now, it would vouch for what was never synced.
                if follower.canFollow(record) { knownSynced.withLock { $0 = record } }
            }
        }
        return isDone
    }

    /// Makes sure that it is known how much of the file is on disk, and that no sync failed.
    func settle(
        _ lock: LockFile,
        _ reset: Reset,
        _ apply: Apply,
        _ told: Told
    ) throws(JournalError) {
        try lock.withSyncLock(of: name) { lock throws(JournalError) in
            try follower.withLock { follower throws(JournalError) in
                var known = try catchUp(&follower, reset, apply, told)
                let hasFailed = hasFailed.load(ordering: .acquiring)
                // Where the note of it is lost, whoever had the failure still knows.
                let noted = known ?? (hasFailed ? follower.everything(of: name, in: folder.system.boot) : nil)
                if let failed = noted, failed.fileID == follower.header.fileID, failed.failure != 0 || hasFailed {
                    try rewrite(failed, follower, lock)
                    known = try catchUp(&follower, reset, apply, told)
                }
                if let known, follower.canFollow(known) { return }
                // The first append after a boot, or to a file that was put there: nobody knows what of it is on disk.
                // Everything that checks is kept, and synced now.
                var record = follower.everything(of: name, in: folder.system.boot)
                try sync(&record, lock, withFolder: true)
                try lock.setRecord(record)
            }
        }
    }

    /// Lets the next sync be one of these groups, whatever became of the sync that nobody noted the end of: pages that the
    /// system gave up count as written, until somebody writes to them.
    private func writeAgain(from start: Int64, to end: ChainPosition) throws(JournalError) {
        let groups = try file.read(Int(end.offset - start), at: start)
        guard groups.isEmpty || groups.withUnsafeBytes(end.ends) else {
            throw .damaged(path: file.path, line: try file.lineNumber(at: start), offset: start)
        }
        try file.write(groups, at: start)
    }

    /// Lets every process know when it fails.
    private func sync(
        _ record: inout SyncRecord,
        _ lock: LockFile,
        withFolder: Bool = false
    ) throws(JournalError) {
        // What is noted next is how it ended.
        record.isSyncing = false
        do {
            try folder.sync(file)
            if withFolder { try Folder.sync(folder.path, folder.system) }
        } catch {
            record.failure = if case .system(_, _, let number) = error { number } else { EIO }
            // Where not even this can be written, this process does not forget it, and others find a sync without an end.
            hasFailed.store(true, ordering: .releasing)
            try? lock.setRecord(record)
            throw error
        }
    }

    /// Why nothing can be acknowledged by this record.
    func failure(_ record: SyncRecord?) -> JournalError {
        .system(call: "fdatasync", path: file.path, errno: record.map(\.failure).flatMap { $0 == 0 ? nil : $0 } ?? EIO)
    }

    /// The way back from a failed sync: the page cache may show lines that the disk does not have, so what
    /// was known to be synced before goes to a new file, which takes the place of the old one. It may have
    /// done so already, and only the sync of the folder failed: then all of that file is taken.
    private func rewrite(_ failed: SyncRecord, _ follower: Follower, _ lock: LockFile) throws(JournalError) {
        let end = follower.synced(by: failed) ?? follower.position.offset
        let new = file.path + ".new"
        do {
            // A leftover. Whoever made it held the lock and is gone.
            folder.system.unlink(new)
            let copy = try CompactedFile(
                FileHeader(new: name, folder.system),
                replacing: try folder.lineages(of: name, follower.lineages),
                path: new,
                folder
            )
            var position = ChainPosition(after: follower.header)
            _ = try file.readGroups(from: &position, to: end) { group, _ throws(JournalError) in
                for line in group { try copy.add(line) }
            }
            guard position.offset == end else {
                let line = try file.lineNumber(at: position.offset)
                throw JournalError.damaged(path: file.path, line: line, offset: position.offset)
            }
            let record = try copy.finish(saying: folder.claims.said(by: name))
            guard folder.system.rename(new, to: file.path, isNew: false) == 0 else { throw File.error("rename", new) }
            folder.changes.increase(at: slot, in: folder)
            try Folder.sync(folder.path, folder.system)
            try lock.setRecord(record)
        } catch {
            throw .poisoned(path: file.path, errno: failed.failure)
        }
    }
}
