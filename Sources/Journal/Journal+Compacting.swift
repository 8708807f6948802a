internal import Glibc
internal import Synchronization

/// Puts a file that holds only what still counts in the place of one that has grown.
///
/// What counts is written to a new file while others read and append; under the lock only what they appended meanwhile
/// is added to it before it takes the place of the old one. Who has followed the old one goes on in the new one by a ``Handover``,
/// and waits neither for the reading of it nor for the disk. A crash leaves the old file, or the new one, and perhaps a
/// leftover, which the next compaction removes.
extension Journal {
    /// - Parameters:
    ///   - saysMore: Whether the new file is to say what the old one does not.
    ///   - capture: Called when everything that is there has been applied; what it returns is the state from then on.
    ///   - events: Hands over what makes that state anew, one event after the other, with the times that they are to have.
    ///   - admits: Called under the lock, when everything that others appended meanwhile has been applied.
    ///   - finished: Called with the new file before it takes the place of the old one, and before what others appended
    ///     meanwhile is added to it.
    /// - Returns: false when another file took the place of this one meanwhile, or `admits` said no: nothing was changed.
    /// - Throws: ``JournalError``; the old file is still there then, and whole.
    public func compact<Snapshot>(
        reset: Reset,
        apply: Apply,
        told: Told = {},
        saysMore: Bool = false,
        capture: () -> Snapshot,
        events: (Snapshot, CompactedFile) throws(JournalError) -> Void,
        admits: () -> Bool = { true },
        finished: (JournalSource) -> Void = { _ in }
    ) throws(JournalError) -> Bool {
        let (snapshot, seen) = try follower.withLock { follower throws(JournalError) in
            _ = try catchUp(&follower, reset, apply, told)
            return (capture(), follower)
        }
        let path = Leftovers.name(besides: file.path, folder.system)
        let next = seen.header.compacted(folder.system)
        let copy = try CompactedFile(
            next ?? FileHeader(new: name, folder.system),
            replacing: try folder.lineages(of: name, next == nil ? seen.lineages : seen.replaced),
            path: path,
            folder
        )
        do throws(JournalError) {
            try events(snapshot, copy)
            finished(try copy.source())
            var isReplaced = false
            try folder.lockFile.withLock { lock throws(JournalError) in
                // What is synced of the old file has to be known: the new one is all that will be left of it.
                try settle(lock, reset, apply, told)
                try lock.withSyncLock(of: name) { lock throws(JournalError) in
                    defer { file.unlock() }
                    let end = try follower.withLock { follower throws(JournalError) -> ChainPosition? in
                        let record = try catchUpLocked(&follower, reset, apply, told, lock.patience)
                        guard follower.identity == seen.identity, let record, follower.canFollow(record), admits()
                        else { return nil }
                        return follower.position
                    }
                    guard let end else { return }
                    // Nobody appends while we have the locks. Readers need not wait for the disk.
                    var position = seen.position
                    _ = try file.readGroups(from: &position, to: end.offset) { group, _ throws(JournalError) in
                        for line in group { try copy.add(line) }
                    }
                    // Somebody put other lines in the place of those that were told.
                    guard position == end else { return }
                    try take(copy, saysMore ? nil : (seen.header, end), lock)
                    isReplaced = true
                }
            }
            if !isReplaced { discard(copy) }
            return isReplaced
        } catch {
            discard(copy)
            throw error
        }
    }

    private static let temporarySuffix = ".new-"

    private func discard(_ copy: CompactedFile) {
        // It may have taken its place already.
        guard folder.system.unlink(copy.path) == 0 else { return }
        folder.system.unlink(folder.path + "/" + SavedFile.name(of: copy.header))
    }

    /// Lets the new file take the place of the old one. In every step the name leads to a whole file on disk.
    /// - Parameter old: That file and its end, where those who were told all of it know what the new one says.
    private func take(
        _ copy: CompactedFile,
        _ old: (header: FileHeader, end: ChainPosition)?,
        _ lock: LockFile
    ) throws(JournalError) {
        let record = try copy.finish(saying: folder.claims.said(by: name))
        if let old {
            // Before the new file is there.
            try lock.setHandover(
                Handover(of: name, from: old.header, old.end, to: copy.header, copy.position, events: copy.events)
            )
        }
        // Of others who write what would take the place of the file that goes now, or were killed. Who begins later writes
        // what will take the place of this one.
        let leftovers = folder.names(startingWith: name + Self.temporarySuffix).map { folder.path + "/" + $0 }
        guard folder.system.rename(copy.path, to: file.path, isNew: false) == 0 else {
            throw File.error("rename", copy.path)
        }
        folder.changes.increase(at: slot, in: folder)
        do {
            try Folder.sync(folder.path, folder.system)
            try lock.setRecord(record)
        } catch {
            // Which file a power cut would leave is not known: nobody appends before the journal is rewritten.
            var failed = record
            failed.failure = EIO
            try? lock.setRecord(failed)
            throw error
        }
        for path in leftovers { folder.system.unlink(path) }
        SavedFile.removeAll(of: name, in: folder, but: copy.header)
    }
}
