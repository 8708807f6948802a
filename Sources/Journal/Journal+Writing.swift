internal import Glibc

/// What a writer does while it holds the lock. In every step, bytes that are known to be synced are neither
/// cut off nor written over.
extension Journal {
    /// Makes sure that the file ends with a whole group and that it is known how much of it is on disk.
    func prepare(_ follower: Follower, _ known: SyncRecord?, _ lock: LockFile) throws(JournalError) -> SyncRecord {
        let end = follower.position.offset
        // Beyond what is synced: `judge` has seen to it.
        if try file.status().size > end { try file.truncate(to: end, with: folder.calls) }
        if let known, follower.synced(by: known) != nil { return known }

        // The first append after a boot, or to a file that was put there: nobody knows what of it is on disk.
        // Everything that checks is kept, and synced now.
        let record = SyncRecord(of: name, follower.header, follower.identity, synced: end)
        do {
            try file.sync(with: folder.calls)
            try File.syncFolder(folder.path)
        } catch {
            throw poison(record, lock, because: error)
        }
        try lock.setRecord(record)
        return record
    }

    /// Writes the events as one group and syncs them.
    /// - Returns: Where the file ends now.
    func write(
        _ events: [Event],
        _ follower: Follower,
        _ record: SyncRecord,
        _ lock: LockFile
    ) throws(JournalError) -> Int64 {
        let start = follower.position.offset
        let group = follower.position.group(of: events, synced: record.synced)
        do {
            try file.write(group, at: start, with: folder.calls)
        } catch {
            // What was written of it is cut off now or, where that fails too, by the next writer.
            try? file.truncate(to: start, with: folder.calls)
            throw error
        }
        do {
            try file.sync(with: folder.calls)
        } catch {
            throw poison(record, lock, because: error)
        }
        return start + Int64(group.count)
    }

    /// Records that the file is synced up to `end`, where the group that was written has been read back.
    func acknowledge(
        _ end: Int64,
        _ follower: Follower,
        _ record: SyncRecord,
        _ lock: LockFile
    ) throws(JournalError) {
        guard follower.position.offset == end else {
            // The write said that it was done, and was not.
            try? file.truncate(to: follower.position.offset, with: folder.calls)
            throw .system(call: "pwrite", path: file.path, errno: EIO)
        }
        var record = record
        record.synced = end
        try lock.setRecord(record)
    }

    /// The way back from a failed sync: the page cache may show lines that the disk does not have, so what
    /// was known to be synced before goes to a new file, which takes the place of the old one. It may have
    /// done so already, and only the sync of the folder failed: then all of that file is taken.
    func rewrite(_ failed: SyncRecord, _ follower: Follower, _ lock: LockFile) throws(JournalError) {
        let end = follower.synced(by: failed) ?? follower.position.offset
        do {
            let new = file.path + ".new"
            // A leftover. Whoever made it held the lock and is gone.
            unlink(new)
            let copy = try File(creating: new, owner: folder.owner, group: folder.group)
            var offset: Int64 = 0
            while offset < end {
                let chunk = try file.read(Int(min(end - offset, File.chunk)), at: offset)
                guard !chunk.isEmpty else { break }
                try copy.write(chunk, at: offset, with: folder.calls)
                offset += Int64(chunk.count)
            }
            let copied = try Follower(copy, name: name)
            var position = copied.position
            _ = try copy.readGroups(from: &position, to: end) { _, _ in }
            guard position.offset == end else {
                let line = try file.lineNumber(at: position.offset)
                throw JournalError.damaged(path: file.path, line: line, offset: position.offset)
            }
            try copy.sync(with: folder.calls)
            guard rename(new, file.path) == 0 else { throw File.error("rename", new) }
            try File.syncFolder(folder.path)
            try lock.setRecord(SyncRecord(of: name, copied.header, copied.identity, synced: end))
        } catch {
            throw .poisoned(path: file.path, errno: failed.failure)
        }
    }

    /// Lets every process know that a sync failed.
    /// - Returns: Why it failed.
    private func poison(_ record: SyncRecord, _ lock: LockFile, because error: JournalError) -> JournalError {
        var record = record
        record.failure = if case .system(_, _, let number) = error { number } else { EIO }
        // Where not even this can be written, nobody gets past the first write under the lock either.
        try? lock.setRecord(record)
        return error
    }
}
