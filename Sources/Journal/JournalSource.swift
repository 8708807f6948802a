/// The file of a journal that is about to be told from its beginning, for a caller who has saved what the first part of
/// it adds up to and can go on from there.
public struct JournalSource {
    let file: File
    let folder: JournalFolder
    let header: FileHeader
    private(set) var position: ChainPosition

    init(_ file: File, name: String, _ folder: JournalFolder) throws(JournalError) {
        guard let header = FileHeader(name: name, parsing: try file.read(256, at: 0)[...]) else {
            throw .foreignFile(path: file.path)
        }
        self.file = file
        self.folder = folder
        self.header = header
        position = ChainPosition(after: header)
    }

    /// A place in a journal between two groups, and what is known about all that stands before it.
    public struct Checkpoint: Sendable, Equatable {
        package let fileID: [UInt8]
        package let offset: Int64
        package let sequence: Int64
        package let checksum: UInt32
        /// Of the events before it.
        package let greatestTime: Timestamp

        package init(fileID: [UInt8], offset: Int64, sequence: Int64, checksum: UInt32, greatestTime: Timestamp) {
            self.fileID = fileID
            self.offset = offset
            self.sequence = sequence
            self.checksum = checksum
            self.greatestTime = greatestTime
        }
    }

    /// Drawn anew for each file: 32 hexadecimal digits.
    package var fileID: [UInt8] { header.fileID }

    /// Where telling begins.
    package var offset: Int64 { position.offset }

    /// Whether the file has grown so far beyond what is saved of it that it is worth saving again.
    /// - Parameter saved: Bytes of the file that are saved; 0 where nothing is.
    package func isFarAhead(of saved: Int64) throws(JournalError) -> Bool {
        folder.isFar(saved, behind: try file.status().size)
    }

    /// Lets telling begin behind a checkpoint, if the file still says at that place what it said when it was taken.
    package mutating func resume(at checkpoint: Checkpoint) throws(JournalError) -> Bool {
        let start = ChainPosition(after: header)
        guard checkpoint.fileID == fileID, checkpoint.offset >= start.offset,
            checkpoint.offset <= (try file.status().size)
        else { return false }
        var position = start
        position.offset = checkpoint.offset
        position.sequence = checkpoint.sequence
        position.checksum = checkpoint.checksum
        guard try file.stands(position) else { return false }
        self.position = position
        folder.saw(checkpoint.greatestTime)
        return true
    }

    /// Tells all events of whole groups, from the first one on, and then sees to it that they are on disk.
    ///
    /// - Returns: The place behind them; nil when it is not known that all of them are on disk.
    package func scan(_ body: (EventLine) throws(EventError) -> Void) throws(JournalError) -> Checkpoint? {
        // A descriptor of its own: a failed sync is told to each once, and writers must be told.
        let own = try File(opening: file.path, owner: folder.owner)
        guard try own.status().identity == file.status().identity, try !hasFailed() else { return nil }
        var position = ChainPosition(after: header)
        var greatest = Timestamp(microseconds: .min)
        _ = try own.readGroups(from: &position, to: own.status().size) { group, _ throws(JournalError) in
            for line in group {
                do throws(EventError) {
                    try body(line)
                } catch {
                    throw .notUnderstood(path: file.path, line: try own.lineNumber(at: line.offset), error)
                }
                greatest = max(greatest, line.time)
            }
        }
        try own.sync(with: folder.calls)
        guard try !hasFailed() else { return nil }
        return Checkpoint(
            fileID: fileID,
            offset: position.offset,
            sequence: position.sequence,
            checksum: position.checksum,
            greatestTime: greatest
        )
    }

    /// Whether a sync of this file is known to have failed, so that not even what can be read may be on disk.
    private func hasFailed() throws(JournalError) -> Bool {
        guard let record = try folder.lockFile.record(of: header.name), record.fileID == fileID else { return false }
        return record.failure != 0
    }

    /// The file up to `end` in memory, which has to be synced.
    package func map(upTo end: Int64) throws(JournalError) -> JournalMap { try JournalMap(file, count: end) }
}

extension File {
    /// Whether what ends at this position is what was told.
    func stands(_ position: ChainPosition) throws(JournalError) -> Bool {
        let end = Hexadecimal.digits(position.checksum) + [0x0A]
        return try read(end.count, at: position.offset - Int64(end.count)) == end
    }
}
