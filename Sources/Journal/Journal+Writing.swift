internal import CLinux
internal import Glibc
internal import Synchronization

/// What a writer does under the lock. In every step, bytes that are known to be synced are neither cut off nor written
/// over.
extension Journal {
    /// Appends what `events` decides, as one group, and returns when it was applied and is on disk. So is all that the
    /// decision rests on, also where it is to write nothing.
    ///
    /// Others see the events before they are on disk, and what they append comes after: it stands or falls with them.
    /// - Parameters:
    ///   - isAwaited: With false nothing is waited for: where the lock is not free nothing is written, and what is written
    ///     is on disk when the next sync is done.
    ///   - mayUseReserve: Whether the events are such as may be written with the last room that the folder keeps. Others are not
    ///     written while there is not all of it.
    ///   - events: Called under the lock, when everything that others appended has been applied. Without events nothing is
    ///     written. Their times are set here.
    /// - Throws: ``JournalError``; nothing was acknowledged then.
    public func append(
        isAwaited: Bool = true,
        reset: Reset,
        apply: Apply,
        told: Told = {},
        mayUseReserve: ([Event]) -> Bool = { _ in false },
        events: () -> [Event]
    ) throws(JournalError) {
        if isAwaited { linux_note_wait() }
        var needed: SyncRecord?
        try folder.lockFile.withLock(isAwaited: isAwaited) { lock throws(JournalError) in
            needed = try appendGroup(reset, apply, told, mayUseReserve, events)
            guard needed == nil, isAwaited else { return }
            try settle(lock, reset, apply, told)
            needed = try appendGroup(reset, apply, told, mayUseReserve, events)
        }
        guard isAwaited else { return }
        guard let needed else { throw failure(nil) }
        try waitForSync(of: needed, reset, apply, told)
    }

    /// - Returns: What has to be on disk before anybody is told; nil when nobody knows how much of the file is, so that
    ///   nothing was done.
    private func appendGroup(
        _ reset: Reset,
        _ apply: Apply,
        _ told: Told,
        _ mayUseReserve: ([Event]) -> Bool,
        _ events: () -> [Event]
    ) throws(JournalError) -> SyncRecord? {
        try follower.withLock { follower throws(JournalError) in
            guard let record = try catchUp(&follower, reset, apply, told), follower.canFollow(record),
                !hasFailed.load(ordering: .acquiring)
            else { return nil }
            // Beyond what is synced: `judge` has seen to it.
            if try file.status().size > follower.position.offset {
                try file.truncate(to: follower.position.offset, with: folder.calls)
            }
            // What somebody wrote who was killed before he counted it is acknowledged with this.
            folder.changes.increase(at: slot, in: folder)
            let now = folder.now()
            var lines = UnwrittenLines()
            let events = events()
            for event in events { lines.add(Event(time: now, event.columns)) }
            if lines.count > 0 {
                let mayUseReserve = mayUseReserve(events)
                if !mayUseReserve { try folder.reserve?.fill() }
                let end = try write(lines, follower, record, mayUseReserve)
                _ = try catchUp(&follower, reset, apply, told)
                guard follower.position.offset == end else {
                    // The write said that it was done, and was not.
                    try? file.truncate(to: follower.position.offset, with: folder.calls)
                    throw .system(call: "pwrite", path: file.path, errno: EIO)
                }
            }
            return follower.everything(of: name)
        }
    }

    /// Writes the events as one group.
    /// - Returns: Where the file ends now.
    private func write(
        _ lines: UnwrittenLines,
        _ follower: Follower,
        _ record: SyncRecord,
        _ mayUseReserve: Bool
    ) throws(JournalError) -> Int64 {
        let start = follower.position.offset
        var position = follower.position
        var group: [UInt8] = []
        position.put(lines, synced: record.synced, into: &group)
        while true {
            do {
                try file.write(group, at: start, with: folder.calls)
                break
            } catch {
                // What was written of it is cut off now or, where that fails too, by the next writer.
                try? file.truncate(to: start, with: folder.calls)
                guard mayUseReserve, error.isForRoom, folder.reserve?.giveBack() ?? false else { throw error }
            }
        }
        folder.changes.increase(at: slot, in: folder)
        return position.offset
    }
}
