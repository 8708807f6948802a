/// The way back from events that a wrong clock has dated.
extension JournalFolder {
    /// Lets the clock follow the system's from now on, whatever it says, and dates events that are later than that as of now.
    ///
    /// What the events themselves say of times stays as it is.
    /// - Parameter names: Of the folder's journals.
    /// - Returns: How many events were dated anew.
    /// - Throws: ``JournalError``, among others for a journal that is not whole.
    public func setClock(of names: [String]) throws(JournalError) -> Int {
        var count = 0
        try lockFile.withLock { lock throws(JournalError) in
            try lock.setClock(clock.set())
            let now = clock.now()
            for name in names { count += try redate(name, to: now, lock) }
            // What was read of them is gone.
            try lock.setClock(clock.set())
        }
        return count
    }

    private func redate(_ name: String, to now: Timestamp, _ lock: LockFile) throws(JournalError) -> Int {
        let file = try open(path + "/" + name)
        let source = try JournalSource(file, name: name, self)
        var (later, marks): (Int, [String: SyncMark]) = (0, [:])
        func read(_ body: (EventLine) throws(JournalError) -> Void) throws(JournalError) {
            var position = source.position
            let size = try file.status().size
            let tail = try file.readGroups(from: &position, to: size) { group, _ throws(JournalError) in
                if let own = group.own, case .synced(let found)? = OwnLine(own) {
                    for mark in found { marks[mark.journal] = mark }
                }
                for line in group { try body(line) }
            }
            // What a killed writer left is no event.
            guard position.greatestMark(in: tail[...]) <= position.offset else {
                throw .damaged(path: file.path, line: try file.lineNumber(at: position.offset), offset: position.offset)
            }
        }
        try read { if $0.time > now { later += 1 } }
        guard later > 0 else { return 0 }
        let lineages = source.replaced + [Array(source.header.lineage)]
        try put(name, replacing: lineages, marks.values.sorted { $0.journal < $1.journal }, lock) {
            copy throws(JournalError) in
            try read { line throws(JournalError) in
                guard line.time > now, let event = Event(line) else { return try copy.add(line) }
                try copy.add(event, at: now)
            }
        }
        return later
    }
}
