/// Whether a file is all that it was known to be.
extension Journal {
    /// What is known about a journal from elsewhere than its file. It is asked for before the file is.
    struct Knowledge {
        /// What the holders of the locks left in this boot.
        let record: SyncRecord?
        /// What they left in this boot or an earlier one.
        let mark: SyncMark?
        let claims: [(claimant: Claims.Claimant, mark: SyncMark)]
        /// As ``LockFile/Look/repaired``.
        let repaired: Int64?
    }

    func knowledge(_ lock: LockFile) throws(JournalError) -> Knowledge {
        let look = try lock.look(at: name)
        if let told = look.clock { folder.clock.adopt(told) }
        folder.heed(repair: look.repaired)
        return Knowledge(
            record: look.record,
            mark: look.mark,
            claims: folder.claims.claimants(of: name),
            repaired: look.repaired
        )
    }

    /// Judges the end of a file by itself and by what is known in this boot.
    ///
    /// Beyond what is known to be synced, from the greatest mark in the file or from elsewhere, bytes that are no whole group are
    /// the work of a writer that is not done or was killed. Before it they are damage, and a file that ends before it was cut.
    /// - Parameter tail: The bytes at the end of the file that are no whole group.
    func judge(_ tail: [UInt8], _ follower: Follower, _ known: Knowledge) throws(JournalError) {
        let start = follower.position.offset
        let marked = follower.position.greatestMark(in: tail[...])
        let synced = max(marked, follower.synced(by: known.record) ?? 0, follower.end)
        guard synced <= start else { throw try fault(tail, start, synced) }
    }

    /// Judges a file by what others say of it, which may be about an earlier boot.
    func judgeClaims(_ tail: [UInt8], _ follower: Follower, _ known: Knowledge) throws(JournalError) {
        let start = follower.position.offset
        var unanswered = known.claims.filter { claim in
            !claim.mark.isAnswered(by: follower.header, follower.replaced, end: start) && !claim.claimant.isGone
        }.map(\.mark)
        if let mark = known.mark, !mark.isAnswered(by: follower.header, follower.replaced, end: start) {
            // Where another store was put there its lock file was, too.
            if try folder.lockFile.atPath().look(at: name).mark == mark { unanswered.append(mark) }
        }
        guard let claim = unanswered.max(by: { $1.isLater(than: $0) }) else { return }
        guard claim.fileID == follower.header.fileID else { throw .replaced(path: file.path) }
        throw try fault(tail, start, claim.synced)
    }

    private func fault(_ tail: [UInt8], _ start: Int64, _ synced: Int64) throws(JournalError) -> JournalError {
        let size = start + Int64(tail.count)
        if size < synced { return .cutShort(path: file.path, size: size, synced: synced) }
        return .damaged(path: file.path, line: try file.lineNumber(at: start), offset: start)
    }
}
