internal import Synchronization

/// Reading a whole file once more while others follow it.
extension Journal {
    /// Tells all of the file to a state beside the one that follows it, and lets the caller put that in its place when it was told
    /// exactly as much: whoever reads or writes meanwhile goes by the old one, which is told what is new as always.
    ///
    /// - Parameters:
    ///   - begin: As `reset` of ``follow(reset:apply:told:)``, for the new state; likewise `step` for `apply`.
    ///   - reset: For the state that follows; likewise `apply` and `told`.
    ///   - put: Called when both were told the same, and nobody is told anything.
    /// - Returns: false when another file took the place of this one, or what was read was cut off again: nothing was put.
    package func replay(
        begin: Reset,
        step: Apply,
        reset: Reset,
        apply: Apply,
        told: Told,
        put: () -> Void
    ) throws(JournalError) -> Bool {
        let own = try folder.open(file.path)
        var source = try JournalSource(own, name: name, folder)
        let identity = try own.status().identity
        try begin(&source)
        var position = source.position
        func read(to end: Int64) throws(JournalError) {
            _ = try own.readGroups(from: &position, to: end) { group, _ throws(JournalError) in
                for line in group {
                    do throws(EventError) {
                        try step(line)
                    } catch {
                        throw .notUnderstood(path: own.path, line: try own.lineNumber(at: line.offset), error)
                    }
                }
            }
        }
        // What comes meanwhile is less each time, and what is left for the last step little.
        for _ in 0..<Self.rounds {
            let start = position.offset
            try read(to: try own.status().size)
            if position.offset - start < Self.lastStep { break }
        }
        return try follower.withLock { follower throws(JournalError) in
            _ = try catchUp(&follower, reset, apply, told)
            guard follower.identity == identity, position.offset <= follower.position.offset else { return false }
            try read(to: follower.position.offset)
            guard position == follower.position else { return false }
            follower.hasGoneOn = false
            put()
            return true
        }
    }

    private static let rounds = 16
    /// Bytes that are read in a moment.
    private static let lastStep: Int64 = 1 << 16
}
