internal import Glibc
internal import Synchronization

/// Puts a file that holds only what still counts in the place of one that has grown.
///
/// What counts is written to a new file while others read and append; under the lock only what they appended meanwhile
/// is added to it before it takes the place of the old one. A crash leaves the old file, or the new one, and perhaps a
/// leftover, which the next compaction removes.
extension Journal {
    /// - Parameters:
    ///   - capture: Called when everything that is there has been applied; what it returns is the state from then on.
    ///   - events: Hands over what makes that state anew, one event after the other, with the times that they are to have.
    /// - Returns: false when another file took the place of this one meanwhile: nothing was changed.
    /// - Throws: ``JournalError``; the old file is still there then, and whole.
    public func compact<Snapshot>(
        reset: Reset,
        apply: Apply,
        told: Told = {},
        capture: () -> Snapshot,
        events: (Snapshot, (Event) throws(JournalError) -> Void) throws(JournalError) -> Void
    ) throws(JournalError) -> Bool {
        let (snapshot, seen) = try follower.withLock { follower throws(JournalError) in
            _ = try catchUp(&follower, reset, apply, told)
            return (capture(), follower)
        }
        let path = file.path + Self.temporarySuffix + String(UInt64.random(in: .min ... .max), radix: 36)
        let copy = try CompactedFile(seen.header.compacted, path: path, folder)
        do throws(JournalError) {
            try events(snapshot) { event throws(JournalError) in try copy.add(event) }
            var isReplaced = false
            try folder.lockFile.withLock { lock throws(JournalError) in
                // What is synced of the old file has to be known: the new one is all that will be left of it.
                try settle(lock, reset, apply, told)
                try lock.withSyncLock(of: name) { lock throws(JournalError) in
                    try follower.withLock { follower throws(JournalError) in
                        let record = try catchUp(&follower, reset, apply, told)
                        guard follower.identity == seen.identity, let record, follower.canFollow(record) else { return }
                        var position = seen.position
                        _ = try file.readGroups(from: &position, to: follower.position.offset) {
                            events,
                            _ throws(JournalError) in
                            for event in events { try copy.add(event) }
                        }
                        // Somebody put other lines in the place of those that were told.
                        guard position == follower.position else { return }
                        try take(copy, lock)
                        isReplaced = true
                    }
                }
            }
            if !isReplaced { unlink(path) }
            return isReplaced
        } catch {
            unlink(path)
            throw error
        }
    }

    private static let temporarySuffix = ".new-"

    /// Lets the new file take the place of the old one. In every step the name leads to a whole file on disk.
    private func take(_ copy: CompactedFile, _ lock: LockFile) throws(JournalError) {
        let record = try copy.finish()
        guard rename(copy.path, file.path) == 0 else { throw File.error("rename", copy.path) }
        do {
            try File.syncFolder(folder.path)
            try lock.setRecord(record)
        } catch {
            // Which file a power cut would leave is not known: nobody appends before the journal is rewritten.
            var failed = record
            failed.failure = EIO
            try? lock.setRecord(failed)
            throw error
        }
        // Of others who wrote what would have taken the place of the file that is gone now, or were killed.
        for name in folder.names(startingWith: name + Self.temporarySuffix) { unlink(folder.path + "/" + name) }
    }
}

/// The file that is to take the place of another one, while it is written.
final class CompactedFile {
    let path: String
    private let file: File
    private let folder: JournalFolder
    private let header: FileHeader
    private var position: ChainPosition
    private var written: Int64 = 0
    private var group: [Event] = []
    private var waiting: [UInt8] = []

    /// Events of a group: as many are lost at most with one damaged line.
    private static let groupSize = 64

    init(_ header: FileHeader, path: String, _ folder: JournalFolder) throws(JournalError) {
        self.header = header
        self.path = path
        self.folder = folder
        position = ChainPosition(after: header)
        file = try File(creating: path, owner: folder.owner, group: folder.group)
        waiting = header.line
    }

    func add(_ event: Event) throws(JournalError) {
        group.append(event)
        if group.count == Self.groupSize { try endGroup() }
    }

    private func endGroup() throws(JournalError) {
        guard !group.isEmpty else { return }
        // All before it is on disk when this file is in its place.
        let bytes = position.group(of: group, synced: position.offset)
        guard position.take(bytes[...]) != nil else { throw .system(call: "compact", path: path, errno: EIO) }
        group = []
        waiting += bytes
        if waiting.count >= File.chunk { try flush() }
    }

    /// Syncs it.
    func finish() throws(JournalError) -> SyncRecord {
        try endGroup()
        try flush()
        try file.sync(with: folder.calls)
        let status = try file.status()
        guard status.size == position.offset else { throw .system(call: "pwrite", path: path, errno: EIO) }
        return SyncRecord(of: header.name, header, status.identity, synced: position.offset)
    }

    private func flush() throws(JournalError) {
        try file.write(waiting, at: written, with: folder.calls)
        written += Int64(waiting.count)
        waiting = []
    }
}
