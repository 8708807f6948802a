internal import Synchronization

/// One append-only file of events, followed by many processes and appended to by one at a time.
///
/// A reader takes no lock: it looks whether anything was counted, and is told what was added. A writer takes the
/// folder's lock, is told what others added, decides on that state, appends one group with one write and lets
/// the next one in. It returns when a sync has covered its group, its own or another's. A group that is not whole
/// is not told to anybody: the next writer cuts it off.
public final class Journal: Sendable {
    public typealias Reset = (inout JournalSource) throws(JournalError) -> Void
    public typealias Apply = (EventLine) throws(EventError) -> Void
    public typealias Told = () -> Void

    let name: String
    let folder: JournalFolder
    /// Its descriptor stays the same when another file takes the place of this one.
    let file: File
    let follower: Mutex<Follower>
    /// Where its changes are counted.
    let slot: Int
    /// What was counted before a look at the file all of which has been told since; 0: there is something left to look at.
    private let settledCount = Atomic<UInt64>(0)
    /// The size of that file; -1 while there is something left to look at.
    private let settledSize = Atomic<Int64>(-1)
    /// Which file that was. It cannot be given to another one while we have it open.
    private let settledInode = Atomic<UInt>(0)
    /// When it had been changed last. A file whose times are the same has been changed within the same tick at most.
    private let settledChange = Atomic<Int64>(0)
    /// When to look at the path again, by the coarse clock in milliseconds, for what is changed by hand. Writers look each
    /// time.
    private let nextLook = Atomic<Int64>(0)
    /// Up to where the file may not become shorter any more, as ``Follower/end``.
    private let standing = Atomic<Int64>(0)
    /// Whether a sync of the file that is open has failed in this process.
    let hasFailed = Atomic(false)
    /// What this process has last seen of how far the file is on disk, since it reads this text of it: somebody may write
    /// another one into the same file. Set under the lock of ``follower``.
    let knownSynced = Mutex<SyncRecord?>(nil)

    /// How far this process has read.
    struct Follower {
        let header: FileHeader
        let identity: File.Identity
        let replaced: [[UInt8]]
        var position: ChainPosition
        /// Whether the caller has to begin again: nothing was told yet, or an event was refused in the middle of a group.
        var needsReset = true
        /// Whether the caller's state is one that another file was told to, and that went on in this one.
        var hasGoneOn = false
        /// What is wrong with the rest of the file.
        var verdict: Verdict?
        /// Where it has said last how far others are on disk; 0: not yet, or far back.
        var lastMark: Int64 = 0
        /// What has to be in a file, whatever the lock file says or has lost.
        var standing: Standing?

        init(_ source: JournalSource) throws(JournalError) {
            header = source.header
            replaced = source.replaced
            identity = try source.file.status().identity
            position = source.position
        }

        /// Up to where the file may not become shorter again: a file that does was cut in place.
        var end: Int64 {
            guard let standing, standing.fileID == header.fileID, standing.identity == identity else { return 0 }
            return standing.end
        }

        /// Notes that all was told, and that so much of it is on disk.
        mutating func stand(by record: SyncRecord?, at elapsed: Int64) {
            // Without a record nobody has appended since the boot, or since the file was put there: all of it stays.
            let synced = synced(by: record) ?? position.offset
            standing = Standing(
                fileID: header.fileID,
                identity: identity,
                end: max(end, min(synced, position.offset)),
                noted: elapsed
            )
        }

        /// What this process has seen itself counts as long as nobody has repaired the folder since.
        mutating func heed(repair: Int64?) {
            if let repair, let standing, repair >= standing.noted { self.standing = nil }
        }

        /// Of this file, and of all that it stands in the place of.
        var lineages: [[UInt8]] { replaced + [Array(header.lineage)] }

        /// Bytes of the file that `record` knows to be on disk; nil when it is about another file.
        func synced(by record: SyncRecord?) -> Int64? {
            guard let record, record.fileID == header.fileID, record.inode == identity.inode else { return nil }
            return record.synced
        }

        /// Whether `record` is about this file, and no sync of it failed.
        func canFollow(_ record: SyncRecord) -> Bool { synced(by: record) != nil && record.failure == 0 }

        /// What the record has to say when all that was told is on disk.
        func everything(of name: String, in boot: [UInt8]) -> SyncRecord {
            SyncRecord(of: name, header, identity, synced: position.offset, in: boot)
        }
    }

    /// So many bytes of a file stay there as long as it does.
    struct Standing {
        let fileID: [UInt8]
        let identity: File.Identity
        let end: Int64
        /// When it was, in microseconds since the boot.
        let noted: Int64
    }

    /// Why the file was refused, and what it was like then: until something changes nobody has to read it again.
    struct Verdict {
        let error: JournalError
        let status: File.Status
        private let record: SyncRecord?
        private let repaired: Int64?

        /// nil for a file that had been changed just before: by the clock of its times the next change may be at the same
        /// time.
        /// - Parameter now: When `status` was asked for.
        init?(_ error: JournalError, _ status: File.Status, _ known: Knowledge, now: Timestamp) {
            guard now.microseconds &* 1000 &- status.changed > 2_000_000_000 else { return nil }
            self.error = error
            self.status = status
            record = known.record
            repaired = known.repaired
        }

        /// Whether nobody knows more now.
        func stands(_ look: LockFile.Look) -> Bool { record == look.record && repaired == look.repaired }
    }

    /// - Throws: ``JournalError/foreignFile(path:)`` when the file is not the journal of this name.
    public init(opening name: String, in folder: JournalFolder) throws(JournalError) {
        self.name = name
        self.folder = folder
        file = try folder.open(folder.path + "/" + name)
        slot = ChangeMemory.slot(of: name)
        folder.look()
        follower = Mutex(try Follower(try JournalSource(file, name: name, folder)))
    }

    /// Brings the caller's state up to date. No system call when nothing was added and it was looked just before.
    ///
    /// Calls of one journal's `reset`, `apply` and `told` never overlap. Another thread may read the caller's
    /// state between them: a state that must be whole is put in place by `told`.
    /// - Parameters:
    ///   - reset: Called at first, and when the file was replaced: everything is told from the beginning, or from
    ///     where the caller has got to when it was saved, or behind what the caller knows of the file that was compacted.
    ///   - apply: Called with each event, in order.
    ///   - told: Called when everything that is there has been applied.
    /// - Throws: ``JournalError``; the state holds then whole groups up to some point, and is not to be
    ///   trusted for a decision.
    public func follow(reset: Reset, apply: Apply, told: Told = {}) throws(JournalError) {
        let now = folder.system.coarseTime()
        let known = settledCount.load(ordering: .acquiring)
        if known != 0, now < nextLook.load(ordering: .relaxed), known == folder.changes.count(at: slot) { return }
        folder.look()
        let count = folder.changes.count(at: slot) ?? 0
        let status = try file.statusAtPath()
        // Where nothing was known before but could be, a closer look makes it known.
        if known != 0 || count == 0, status.size == settledSize.load(ordering: .acquiring),
            status.identity.inode == settledInode.load(ordering: .relaxed),
            status.changed == settledChange.load(ordering: .relaxed)
        {
            // Unless another thread has begun to look closer.
            if known != 0 { _ = settledCount.compareExchange(expected: known, desired: count, ordering: .releasing) }
            nextLook.store(now &+ folder.lookInterval, ordering: .relaxed)
            if standing.load(ordering: .relaxed) < status.size { noteSynced() }
            return
        }
        try follower.withLock { follower throws(JournalError) in
            _ = try catchUp(&follower, reset, apply, told)
        }
        nextLook.store(now &+ folder.lookInterval, ordering: .relaxed)
    }

    /// As ``follow(reset:apply:told:)``, whatever was looked at before: others that were read since may say that the file was
    /// once longer.
    package func followAnew(reset: Reset, apply: Apply, told: Told = {}) throws(JournalError) {
        try follower.withLock { follower throws(JournalError) in _ = try catchUp(&follower, reset, apply, told) }
    }

    /// What was told is seen before it is on disk. When it is, it has to stay there.
    private func noteSynced() {
        // Nobody waits for that: it is tried again.
        _ = follower.withLockIfAvailable { follower in
            guard let record = try? folder.lockFile.record(of: name) else { return }
            guard follower.verdict == nil, !follower.needsReset else { return }
            follower.stand(by: record, at: folder.system.elapsedTime())
            standing.store(follower.end, ordering: .relaxed)
        }
    }

    /// Lets `save` save what the file adds up to; only one at a time of all processes does.
    package func saving(_ save: (JournalSource) throws(JournalError) -> Void) throws(JournalError) {
        let source = try JournalSource(try folder.open(file.path), name: name, folder)
        try source.exclusively { () throws(JournalError) in try save(source) }
    }

    /// Tells everything anew to the next who follows.
    package func restart() {
        follower.withLock { follower in
            follower.needsReset = true
            unsettle()
        }
    }

    private func unsettle() {
        settledSize.store(-1, ordering: .releasing)
        settledCount.store(0, ordering: .releasing)
    }

    /// Reads all of the file once more, and tells nobody what stands in it.
    /// - Parameters:
    ///   - progress: Called now and then with which part was read.
    ///   - makeChecker: Makes what is shown each line.
    /// - Throws: ``JournalError``, as ``follow(reset:apply:told:)`` does, and what the checker finds.
    package func check(
        _ progress: (Double) -> Void,
        _ makeChecker: (JournalSource) throws(JournalError) -> any JournalChecker
    ) throws(JournalError) {
        let own = try folder.open(file.path)
        let source = try JournalSource(own, name: name, folder)
        var checker = try makeChecker(source)
        var reader = try Follower(source)
        let known = try knowledge(folder.lockFile)
        let size = try own.status().size
        var reported: Int64 = 0
        let tail = try own.readGroups(from: &reader.position, to: size) { group, position throws(JournalError) in
            if let said = group.own, case .synced(let marks)? = OwnLine(said) { folder.claims.note(marks, by: name) }
            for line in group {
                do throws(EventError) {
                    try checker.apply(line)
                } catch {
                    throw .notUnderstood(path: own.path, line: try own.lineNumber(at: line.offset), error)
                }
            }
            checker.endGroup(at: position.offset, sequence: position.sequence, checksum: position.checksum)
            guard position.offset - reported > File.chunk else { return }
            reported = position.offset
            progress(Double(reported) / Double(size))
        }
        progress(1)
        try judge(tail, reader, known)
        try judgeClaims(tail, reader, known)
        try checker.finish()
    }

    /// As ``JournalSource/isFarAhead(of:)``, by what was told.
    package func isFarAhead(of saved: Int64, at size: Int64) -> Bool { folder.isFar(saved, behind: size) }

    /// Sixteen random characters, which the file and all that take its place by compaction have in common.
    package var lineage: [UInt8] { follower.withLock { Array($0.header.fileID.prefix(FileHeader.idLength / 2)) } }

    /// Bytes that were told.
    public var size: Int64 { follower.withLock { $0.position.offset } }

    // MARK: Reading

    /// Tells what the file holds beyond what was told.
    /// - Parameter lock: Who knows how far the file is on disk; nil: the lock file that is open.
    /// - Returns: What the holders of the locks left about the journal of this name.
    func catchUp(
        _ follower: inout Follower,
        _ reset: Reset,
        _ apply: Apply,
        _ told: Told,
        by lock: LockFile? = nil
    ) throws(JournalError) -> SyncRecord? {
        // Before anything is looked at: what is counted later is seen later.
        let count = folder.changes.count(at: slot) ?? 0
        let isReplaced = try isReplaced(follower)
        if !isReplaced, let verdict = follower.verdict, verdict.stands(try folder.lockFile.atPath().look(at: name)),
            verdict.status == (try file.status())
        {
            throw verdict.error
        }
        unsettle()
        if follower.needsReset || isReplaced {
            let handover = isReplaced ? try handover(to: &follower, apply) : nil
            follower.needsReset = true
            knownSynced.withLock { $0 = nil }
            try file.become(try folder.open(file.path))
            if isReplaced { hasFailed.store(false, ordering: .releasing) }
            var source = try JournalSource(file, name: name, folder, handover)
            let look = try folder.lockFile.atPath().look(at: name)
            follower.heed(repair: look.repaired)
            try expectWhole(source, follower.standing, look.record)
            let start = source.position
            try reset(&source)
            let standing = follower.standing
            follower = try Follower(source)
            folder.claims.begin(name, at: file.path, follower.identity, folder.system)
            if source.position != start {
                let marks = try file.marks(before: source.position)
                folder.claims.note(marks, by: name)
                if !marks.isEmpty { follower.lastMark = source.position.offset - File.nearness }
            }
            follower.hasGoneOn = handover != nil && source.position != start
            follower.needsReset = false
            // We have the former file open no more, and another one may get its number.
            follower.standing = standing?.identity == follower.identity ? standing : nil
        }
        // Before the file: what was synced by then is in the file for good.
        let known = try knowledge(lock ?? folder.lockFile)
        let now = Timestamp(microseconds: folder.system.realTime())
        let status = try file.status()
        let tail: [UInt8]
        do {
            tail = try tell(&follower, upTo: status.size, apply)
        } catch {
            // A line may go against what the state knows and the file does not say any more.
            guard follower.needsReset, follower.hasGoneOn else { throw error }
            return try catchUp(&follower, reset, apply, told)
        }
        follower.heed(repair: known.repaired)
        do {
            try judge(tail, follower, known)
        } catch {
            // While we read it, another file took its place.
            if try self.isReplaced(follower) { return try catchUp(&follower, reset, apply, told) }
            // Where another lock file was put there, that one knows.
            if lock == nil, let other = try otherLock() { return try catchUp(&follower, reset, apply, told, by: other) }
            follower.verdict = Verdict(error, status, known, now: now)
            throw error
        }
        follower.verdict = nil
        do {
            try judgeClaims(tail, follower, known)
        } catch {
            if try self.isReplaced(follower) { return try catchUp(&follower, reset, apply, told) }
            if lock == nil, let other = try otherLock() { return try catchUp(&follower, reset, apply, told, by: other) }
            throw error
        }
        follower.stand(by: known.record, at: folder.system.elapsedTime())
        standing.store(follower.end, ordering: .relaxed)
        told()
        // The file may have been cut meanwhile.
        if tail.isEmpty, follower.position.offset == status.size {
            settledInode.store(follower.identity.inode, ordering: .relaxed)
            settledChange.store(status.changed, ordering: .relaxed)
            settledSize.store(status.size, ordering: .releasing)
            settledCount.store(count, ordering: .releasing)
        }
        return known.record
    }

    /// The lock file at the path, where it is not the one that is open.
    private func otherLock() throws(JournalError) -> LockFile? {
        let lock = try folder.lockFile.atPath()
        return lock === folder.lockFile ? nil : lock
    }

    /// Where another journal is written into the file of the one that was told, that takes a while: until it is quiet, half of
    /// it would be told as if it were all.
    /// Somebody who has synced it since knows that it is whole.
    private func expectWhole(
        _ source: JournalSource,
        _ standing: Standing?,
        _ record: SyncRecord?
    ) throws(JournalError) {
        let status = try file.status()
        if let record, record.fileID == source.fileID, record.inode == status.identity.inode { return }
        guard let standing, standing.identity == status.identity, standing.fileID != source.fileID else { return }
        let age = folder.system.realTime() &* 1000 &- status.changed
        guard age > Self.quietTime else { throw .foreignFile(path: file.path) }
    }

    /// Nanoseconds.
    private static let quietTime: Int64 = 1_000_000_000

    /// Tells the groups that follow.
    /// - Returns: The bytes before `end` that are no whole group.
    private func tell(
        _ follower: inout Follower,
        upTo end: Int64,
        _ apply: Apply
    ) throws(JournalError) -> [UInt8] {
        var position = follower.position
        return try file.readGroups(from: &position, to: end) { (group, end) throws(JournalError) in
            follower.position = end
            if let own = group.own, case .synced(let marks)? = OwnLine(own) {
                folder.claims.note(marks, by: name)
                follower.lastMark = end.offset
            }
            for line in group {
                do throws(EventError) {
                    try apply(line)
                } catch {
                    follower.needsReset = true
                    throw .notUnderstood(path: file.path, line: try file.lineNumber(at: line.offset), error)
                }
                folder.saw(line.time)
            }
        }
    }

    /// Tells the rest of a file that was compacted, which we still have open.
    /// - Returns: How to go on in the file that took its place; nil where all of that has to be told.
    private func handover(to follower: inout Follower, _ apply: Apply) throws(JournalError) -> Handover? {
        guard !follower.needsReset, let handover = try folder.lockFile.handover(of: name) else { return nil }
        let new = try JournalSource(try folder.open(file.path), name: name, folder)
        guard handover.leads(from: follower.header, to: new.header),
            (try? tell(&follower, upTo: handover.oldEnd, apply)) != nil, handover.isEnd(follower.position)
        else { return nil }
        return handover
    }

    /// Whether the file at the path is another one than ours, or what was told of ours does not stand there
    /// any more: whoever shortens a file in place or writes over it changes the end of what was told, too.
    private func isReplaced(_ follower: Follower) throws(JournalError) -> Bool {
        guard try file.statusAtPath().identity == follower.identity else { return true }
        return try !file.stands(follower.position)
    }
}

/// What knows more about the lines of a journal than that their checksums hold.
package protocol JournalChecker {
    /// - Throws: ``EventError`` for a line that cannot stand where it does.
    mutating func apply(_ line: EventLine) throws(EventError)

    /// Called behind the last line of each group.
    mutating func endGroup(at offset: Int64, sequence: Int64, checksum: UInt32)

    /// Called behind the last line of all.
    mutating func finish() throws(JournalError)
}
