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
        let patience = isAwaited ? folder.lockFile.patience : .zero
        try folder.lockFile.withLock(isAwaited: isAwaited) { lock throws(JournalError) in
            needed = try appendGroup(patience, reset, apply, told, mayUseReserve, events)
            guard isAwaited else { return }
            // Once, but where other lock files are put there meanwhile.
            for _ in 0..<Self.greatestLocks where needed == nil {
                try settle(lock, reset, apply, told)
                needed = try appendGroup(patience, reset, apply, told, mayUseReserve, events)
            }
        }
        guard isAwaited else { return }
        guard let needed else { throw failure(nil) }
        try waitForSync(of: needed, reset, apply, told)
    }

    /// - Returns: What has to be on disk before anybody is told; nil when nobody knows how much of the file is, so that
    ///   nothing was done.
    private func appendGroup(
        _ patience: Duration,
        _ reset: Reset,
        _ apply: Apply,
        _ told: Told,
        _ mayUseReserve: ([Event]) -> Bool,
        _ events: () -> [Event]
    ) throws(JournalError) -> SyncRecord? {
        try follower.withLock { follower throws(JournalError) in
            defer { file.unlock() }
            guard let record = try catchUpLocked(&follower, reset, apply, told, patience),
                follower.canFollow(record), !hasFailed.load(ordering: .acquiring)
            else { return nil }
            // Beyond what is synced: `judge` has seen to it.
            let size = try file.status().size
            if size > follower.position.offset { try cutOff(size, follower) }
            // What somebody wrote who was killed before he counted it is acknowledged with this.
            folder.changes.increase(at: slot, in: folder)
            folder.tellClock()
            let now = folder.now()
            var lines = UnwrittenLines()
            let events = events()
            for event in events { lines.add(Event(time: now, event.columns)) }
            if lines.count > 0 {
                let mayUseReserve = mayUseReserve(events)
                if !mayUseReserve { try folder.reserve?.fill() }
                let news = try news(follower, lines.size)
                if !news.isEmpty { lines.add(.synced(news), at: now) }
                let openings = file.openings.load(ordering: .relaxed)
                let end = try write(lines, follower, record, mayUseReserve)
                _ = try catchUp(&follower, reset, apply, told)
                guard follower.position.offset == end else {
                    // The write said that it was done, and was not. In another file, or without its lock, nothing is cut off.
                    if file.openings.load(ordering: .relaxed) == openings {
                        try? file.truncate(to: follower.position.offset)
                    }
                    throw .system(call: "pwrite", path: file.path, errno: EIO)
                }
            }
            return follower.everything(of: name, in: folder.system.boot)
        }
    }

    /// Brings the state up to date, and holds a lock on the file itself then: where another lock file was put in the place of the
    /// folder's, two writers may each have the lock of one.
    func catchUpLocked(
        _ follower: inout Follower,
        _ reset: Reset,
        _ apply: Apply,
        _ told: Told,
        _ patience: Duration
    ) throws(JournalError) -> SyncRecord? {
        while true {
            let openings = file.openings.load(ordering: .relaxed)
            let isLocked = try file.lock(for: patience)
            let record = try catchUp(&follower, reset, apply, told)
            // A file that was opened once more, be it the same, is not locked any more.
            if isLocked, file.openings.load(ordering: .relaxed) == openings { return record }
        }
    }

    /// Cuts off what stands behind the last whole group. More than what is left of one group may be something else, and is kept.
    private func cutOff(_ size: Int64, _ follower: Follower) throws(JournalError) {
        let start = follower.position.offset
        let beginning = try file.read(Int(min(size - start, File.chunk)), at: start)
        let isUnfinished =
            size - start <= File.chunk && beginning.withUnsafeBytes { follower.position.isUnfinished($0) }
        if !isUnfinished {
            do throws(JournalError) {
                try folder.setAside(file, from: start, to: size)
            } catch {
                guard error.isForRoom, folder.reserve?.giveBack() ?? false else { throw error }
                try folder.setAside(file, from: start, to: size)
            }
        }
        try file.truncate(to: start)
    }

    /// How far other journals are on disk, of those of which this one has not said that yet. Where it is long ago, of all:
    /// whoever goes on from an index reads only what stands shortly before.
    private func news(_ follower: Follower, _ size: Int) throws(JournalError) -> [SyncMark] {
        let said = folder.claims.said(by: name)
        let marks = try folder.lockFile.marks(but: name)
        let isFar = follower.position.offset + Int64(size) - follower.lastMark > File.nearness / 2
        guard isFar else { return marks.filter { !said.contains($0) } }
        let others = said.filter { old in !marks.contains { $0.journal == old.journal } }
        return (marks + others).sorted { $0.journal < $1.journal }
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
                try file.write(group, at: start)
                break
            } catch {
                // What was written of it is cut off now or, where that fails too, by the next writer.
                try? file.truncate(to: start)
                guard mayUseReserve, error.isForRoom, folder.reserve?.giveBack() ?? false else { throw error }
            }
        }
        folder.changes.increase(at: slot, in: folder)
        return position.offset
    }
}
