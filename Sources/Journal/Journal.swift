internal import Glibc
internal import Synchronization

/// One append-only file of events, followed by many processes and appended to by one at a time.
///
/// A reader takes no lock: it looks whether the file grew, and is told what was added. A writer takes the
/// folder's lock, is told what others added, decides on that state, appends one group with one write and
/// returns after the sync. A group that is not whole is not told to anybody: the next writer cuts it off.
public final class Journal: Sendable {
    public typealias Reset = () -> Void
    public typealias Apply = (Event) throws(EventError) -> Void

    private let name: String
    private let folder: JournalFolder
    /// Its descriptor stays the same when another file takes the place of this one.
    private let file: File
    private let follower: Mutex<Follower>
    /// The size of the file when all of it has been told; -1 while there is something left to look at.
    private let settledSize = Atomic<Int64>(-1)
    /// Which file that was. It cannot be given to another one while we have it open.
    private let settledInode = Atomic<UInt>(0)

    /// How far this process has read.
    private struct Follower {
        var header: FileHeader
        var position: ChainPosition
        /// Whether an event was refused in the middle of a group, so that the caller's state is no whole one.
        var needsReset = false
    }

    /// - Throws: ``JournalError/foreignFile(path:)`` when the file is not the journal of this name.
    public init(opening name: String, in folder: JournalFolder) throws(JournalError) {
        self.name = name
        self.folder = folder
        file = try File(opening: folder.path + "/" + name, owner: folder.owner)
        let header = try Self.header(of: file, name: name)
        follower = Mutex(Follower(header: header, position: ChainPosition(after: header)))
    }

    /// Brings the caller's state up to date. One system call when nothing was added.
    ///
    /// Calls of one journal's `reset` and `apply` never overlap.
    /// - Parameters:
    ///   - reset: Called when the file was replaced: everything is told again from the beginning.
    ///   - apply: Called with each event, in order.
    /// - Throws: ``JournalError``; the state holds then whole groups up to some point, and is not to be
    ///   trusted for a decision.
    public func follow(reset: Reset, apply: Apply) throws(JournalError) {
        let status = try file.statusAtPath()
        if status.size == settledSize.load(ordering: .acquiring), status.inode == settledInode.load(ordering: .relaxed)
        {
            return
        }
        try follower.withLock { follower throws(JournalError) in
            try catchUp(&follower, reset, apply)
        }
    }

    /// Appends what `events` decides, as one group, and returns when it is on disk and was applied.
    ///
    /// - Parameter events: Called under the lock, when everything that others appended has been applied.
    ///   Without events nothing is written. Their times are set here.
    /// - Throws: ``JournalError``; nothing was acknowledged then.
    public func append(reset: Reset, apply: Apply, events: () -> [Event]) throws(JournalError) {
        try folder.lockFile.withLock { lock throws(JournalError) in
            try follower.withLock { follower throws(JournalError) in
                try catchUp(&follower, reset, apply)
                var record = try prepare(&follower, lock, reset, apply)
                let now = folder.now()
                let dated = events().map { Event(time: now, $0.columns) }
                guard !dated.isEmpty else { return }
                try write(dated, &follower, &record, lock)
                try catchUp(&follower, reset, apply)
            }
        }
    }

    // MARK: Reading

    private func catchUp(_ follower: inout Follower, _ reset: Reset, _ apply: Apply) throws(JournalError) {
        let isReplaced = try isReplaced(follower)
        if follower.needsReset || isReplaced { try reopen(&follower, reset) }
        settledSize.store(-1, ordering: .releasing)
        let status = try file.status()
        let size = status.size
        var tail: [UInt8] = []
        var offset = follower.position.offset
        while offset < size {
            let chunk = try file.read(Int(min(size - offset, Self.chunk)), at: offset)
            if chunk.isEmpty { break }
            offset += Int64(chunk.count)
            tail += chunk
            try tell(&tail, &follower, apply)
        }
        guard tail.isEmpty else { return try judge(tail, follower) }
        settledInode.store(status.inode, ordering: .relaxed)
        settledSize.store(size, ordering: .releasing)
    }

    /// Takes whole groups from the beginning of `tail`.
    private func tell(_ tail: inout [UInt8], _ follower: inout Follower, _ apply: Apply) throws(JournalError) {
        var consumed = 0
        while let group = follower.position.take(tail[consumed...]) {
            consumed += group.length
            for event in group.events {
                do throws(EventError) {
                    try apply(event)
                } catch {
                    follower.needsReset = true
                    let line = try lineNumber(at: follower.position.offset) - 1
                    throw .notUnderstood(path: file.path, line: line, error)
                }
                folder.saw(event.time)
            }
        }
        tail.removeFirst(consumed)
    }

    /// Bytes that are no whole group, at the end of the file. Beyond the greatest mark of what was synced they
    /// are the work of a writer that is not done or was killed; before it they are damage.
    private func judge(_ tail: [UInt8], _ follower: Follower) throws(JournalError) {
        let start = follower.position.offset
        if follower.position.greatestMark(in: tail[...]) > start {
            throw .damaged(path: file.path, line: try lineNumber(at: start), offset: start)
        }
    }

    /// Whether the file at the path is another one than ours, or ours has become shorter than what was told.
    private func isReplaced(_ follower: Follower) throws(JournalError) -> Bool {
        let (status, ours) = (try file.statusAtPath(), try file.status())
        return status.inode != ours.inode || status.device != ours.device || ours.size < follower.position.offset
    }

    private func reopen(_ follower: inout Follower, _ reset: Reset) throws(JournalError) {
        let other = try File(opening: file.path, owner: folder.owner)
        let header = try Self.header(of: other, name: name)
        settledSize.store(-1, ordering: .releasing)
        try file.become(other)
        reset()
        follower = Follower(header: header, position: ChainPosition(after: header))
    }

    // MARK: Writing

    /// Makes sure that the file ends with a whole group, that it is known how much of it is on disk, and
    /// that no sync of it has failed.
    private func prepare(
        _ follower: inout Follower,
        _ lock: LockFile,
        _ reset: Reset,
        _ apply: Apply
    ) throws(JournalError) -> SyncRecord {
        let known = try lock.record(of: name)
        guard let record = known, record.fileID == follower.header.fileID, record.synced <= follower.position.offset
        else {
            return try recover(follower, lock)
        }
        guard record.failure == 0 else {
            return try rewrite(record, &follower, lock, reset, apply)
        }
        try cutTail(follower)
        return record
    }

    /// The first append after a boot, or to a file that was put there: nobody knows what of it is on disk.
    /// Everything that checks is kept, and synced now.
    private func recover(_ follower: Follower, _ lock: LockFile) throws(JournalError) -> SyncRecord {
        try cutTail(follower)
        var record = SyncRecord(journal: name, fileID: follower.header.fileID, synced: follower.position.offset)
        try sync(upTo: record.synced, &record, lock)
        return record
    }

    /// Tells the next writer how far the file is on disk, or that a sync of it has failed.
    private func sync(upTo end: Int64, _ record: inout SyncRecord, _ lock: LockFile) throws(JournalError) {
        do {
            try file.sync(with: folder.calls)
        } catch {
            record.failure = Self.number(of: error)
            try lock.setRecord(record)
            throw error
        }
        record.synced = end
        try lock.setRecord(record)
    }

    private func cutTail(_ follower: Follower) throws(JournalError) {
        guard try file.status().size > follower.position.offset else { return }
        try file.truncate(to: follower.position.offset, with: folder.calls)
    }

    private func write(
        _ events: [Event],
        _ follower: inout Follower,
        _ record: inout SyncRecord,
        _ lock: LockFile
    ) throws(JournalError) {
        let start = follower.position.offset
        let group = follower.position.group(of: events, synced: record.synced)
        do {
            try file.write(group, at: start, with: folder.calls)
        } catch {
            // What was written of it is cut off now or, where that fails too, by the next writer.
            try? file.truncate(to: start, with: folder.calls)
            throw error
        }
        try sync(upTo: start + Int64(group.count), &record, lock)
    }

    /// The way back from a failed sync: the page cache may show lines that the disk does not have, so what
    /// was known to be synced before goes to a new file, which takes the place of the old one.
    private func rewrite(
        _ failed: SyncRecord,
        _ follower: inout Follower,
        _ lock: LockFile,
        _ reset: Reset,
        _ apply: Apply
    ) throws(JournalError) -> SyncRecord {
        do {
            let new = file.path + ".new"
            unlink(new)
            let copy = try File(creating: new, owner: folder.owner, group: folder.group)
            var offset: Int64 = 0
            while offset < failed.synced {
                let chunk = try file.read(Int(min(failed.synced - offset, Self.chunk)), at: offset)
                guard !chunk.isEmpty else { throw JournalError.damaged(path: file.path, line: 0, offset: offset) }
                try copy.write(chunk, at: offset, with: folder.calls)
                offset += Int64(chunk.count)
            }
            try copy.sync(with: folder.calls)
            guard rename(new, file.path) == 0 else { throw File.error("rename", new) }
            try File.syncFolder(folder.path)
        } catch {
            throw .poisoned(path: file.path, errno: failed.failure)
        }
        var record = failed
        record.failure = 0
        try lock.setRecord(record)
        try catchUp(&follower, reset, apply)
        return record
    }

    // MARK: Details

    private static let chunk: Int64 = 1 << 20

    private static func header(of file: File, name: String) throws(JournalError) -> FileHeader {
        guard let header = FileHeader(name: name, parsing: try file.read(256, at: 0)[...]) else {
            throw .foreignFile(path: file.path)
        }
        return header
    }

    private static func number(of error: JournalError) -> Int32 {
        if case .system(_, _, let number) = error { number } else { EIO }
    }

    /// The number of the line that begins at `offset`, counted from 1.
    private func lineNumber(at offset: Int64) throws(JournalError) -> Int {
        var line = 1
        var position: Int64 = 0
        while position < offset {
            let chunk = try file.read(Int(min(offset - position, Self.chunk)), at: position)
            if chunk.isEmpty { break }
            line += chunk.count { $0 == 0x0A }
            position += Int64(chunk.count)
        }
        return line
    }
}
