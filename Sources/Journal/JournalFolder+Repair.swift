internal import Glibc

/// Makes a good journal of one that is damaged, cut short, missing or an older one, of all that can be believed.
extension JournalFolder {
    /// What becomes of a journal.
    public struct Repair: Sendable {
        /// Events that are kept.
        public let events: Int
        /// Bytes that are not, and the file in which they stand now; nil where there are none.
        public let dropped: Int
        public let sideFile: String?
        /// Groups of lines that are not there any more, by the numbers of those that are.
        public let missingGroups: Int
        /// Whether more of the journal was once on disk than is there in one piece, or it was another file.
        public let hasLostEnd: Bool
        /// Whether it was whole, and stays as it is.
        public let wasWhole: Bool
        /// Lines that are not kept, as they stand, without their checksums. Of very many only the first.
        public let droppedLines: [[UInt8]]
    }

    /// Keeps every event that can be believed, whatever stands between, and writes what it drops to a file beside the
    /// journal. A journal that is whole stays as it is; one that is missing is there then, and empty.
    ///
    /// - Parameters:
    ///   - names: Of the folder's journals. What each says of the others is heard first.
    ///   - isDryRun: Whether nothing is to be changed.
    ///   - progress: Called now and then with a journal and which part of it is done.
    ///   - heard: Called with every event of every journal that is kept, before anything is changed.
    ///   - closing: What a journal that is made anew gets at its end, before it has its name.
    /// - Returns: What becomes of each, in the order of the names.
    public func repair(
        _ names: [String],
        isDryRun: Bool = false,
        progress: (String, Double) -> Void = { _, _ in },
        heard: (String, EventLine) -> Void = { _, _ in },
        closing: (String) -> [Event] = { _ in [] }
    ) throws(JournalError) -> [Repair] {
        var results: [Repair] = []
        try lockFile.withLock { lock throws(JournalError) in
            for name in names {
                progress(name, 0)
                try hear(name, progress, heard)
            }
            for name in names {
                results.append(try repair(name, lock, isDryRun, progress, closing))
                progress(name, 1)
            }
            if !isDryRun { try lock.setRepaired() }
        }
        return results
    }

    /// Notes what a journal says of the others.
    private func hear(
        _ name: String,
        _ progress: (String, Double) -> Void,
        _ heard: (String, EventLine) -> Void
    ) throws(JournalError) {
        guard let patient = try Patient(name, in: self) else { return }
        claims.begin(name, at: path + "/" + name, patient.identity, system)
        let salvage = try patient.salvage { progress(name, $0 / 3) }
        claims.note(salvage.marks, by: name)
        try salvage.read({ heard(name, $0) }, progress: { _ in })
    }

    private func repair(
        _ name: String,
        _ lock: LockFile,
        _ isDryRun: Bool,
        _ progress: (String, Double) -> Void,
        _ closing: (String) -> [Event]
    ) throws(JournalError) -> Repair {
        let path = path + "/" + name
        let claimed = claims.claimants(of: name).map(\.mark) + [try lock.look(at: name).mark].compactMap(\.self)
        guard let patient = try Patient(name, in: self) else {
            let repair = Repair(
                events: 0,
                dropped: 0,
                sideFile: nil,
                missingGroups: 0,
                hasLostEnd: true,
                wasWhole: false,
                droppedLines: []
            )
            if !isDryRun {
                try put(name, replacing: Self.lineages([], claimed), nil, lock) { copy throws(JournalError) in
                    for event in closing(name) { try copy.add(event, at: now()) }
                }
            }
            return repair
        }
        let salvage = try patient.salvage { progress(name, (1 + $0) / 3) }
        let hasLostEnd = patient.hasLost(claimed)
        let isWhole = patient.isWhole && !hasLostEnd
        var sideFile: String?
        if !isWhole, !isDryRun {
            sideFile = try put(salvage, in: Leftovers.nameOfDropped(besides: path, system))
            let lineages = Self.lineages(patient.lineages, claimed)
            try put(name, replacing: lineages, salvage.marks, lock) { copy throws(JournalError) in
                try salvage.read(
                    { line throws(JournalError) in try copy.add(line) },
                    progress: { progress(name, (2 + $0) / 3) }
                )
                for event in closing(name) { try copy.add(event, at: now()) }
            }
        }
        return Repair(
            events: salvage.events,
            dropped: salvage.dropped.reduce(0) { $0 + $1.count },
            sideFile: sideFile,
            missingGroups: Int(clamping: salvage.missing),
            hasLostEnd: hasLostEnd,
            wasWhole: isWhole,
            droppedLines: salvage.droppedLines
        )
    }

    /// As a file in a journal's place names them: what is known of it, and what others say of it.
    func lineages(of name: String, _ known: [[UInt8]]) throws(JournalError) -> [[UInt8]] {
        let claimed = claims.claimants(of: name).map(\.mark) + [try lockFile.look(at: name).mark].compactMap(\.self)
        return Self.lineages(known, claimed.filter { known.contains(Array(FileHeader.lineage(of: $0.fileID))) })
    }

    /// Each once, and those that somebody names last: of too many the first are forgotten.
    static func lineages(_ known: [[UInt8]], _ claimed: [SyncMark]) -> [[UInt8]] {
        let named = claimed.map { Array(FileHeader.lineage(of: $0.fileID)) }
        return (known.filter { !named.contains($0) } + named).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// Puts a new file in a journal's place. It is of another lineage: what is known about the old one is not true of it.
    func put(
        _ name: String,
        replacing lineages: [[UInt8]],
        _ marks: [SyncMark]?,
        _ lock: LockFile,
        _ fill: (CompactedFile) throws(JournalError) -> Void
    ) throws(JournalError) {
        let path = path + "/" + name
        let header = FileHeader(new: name, system)
        let copy = try CompactedFile(
            header,
            replacing: lineages,
            path: Leftovers.name(besides: path, system),
            self
        )
        do throws(JournalError) {
            try fill(copy)
            let record = try copy.finish(saying: marks ?? [])
            try lock.withSyncLock(of: name) { lock throws(JournalError) in
                guard system.rename(copy.path, to: path, isNew: false) == 0 else {
                    throw File.error("rename", copy.path)
                }
                changed(name)
                try Folder.sync(self.path, system)
                try lock.setRecord(record)
            }
        } catch {
            system.unlink(copy.path)
            throw error
        }
        SavedFile.removeAll(of: name, in: self, but: header)
    }

    /// - Returns: The path of the file in which it is now; nil when there is nothing.
    private func put(_ salvage: Salvage, in path: String) throws(JournalError) -> String? {
        guard !salvage.dropped.isEmpty else { return nil }
        let side = try make(path)
        var size: Int64 = 0
        for range in salvage.dropped {
            try side.write(Array(salvage.text.bytes[range]), at: size)
            size += Int64(range.count)
        }
        try side.sync()
        return path
    }
}
