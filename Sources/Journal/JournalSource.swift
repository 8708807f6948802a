/// The file of a journal that is about to be told from its beginning, for a caller who has saved what the first part of
/// it adds up to and can go on from there.
public struct JournalSource {
    let file: File
    let folder: JournalFolder
    let header: FileHeader
    private(set) var position: ChainPosition
    /// Lineages of the journals that it stands in the place of.
    let replaced: [[UInt8]]
    /// Of a caller who was told all of the file that this one was made of.
    private let handover: Handover?

    init(_ file: File, name: String, _ folder: JournalFolder, _ handover: Handover? = nil) throws(JournalError) {
        let beginning = try file.read(Self.longestBeginning, at: 0)
        guard let header = FileHeader(name: name, parsing: beginning[...]) else { throw .foreignFile(path: file.path) }
        replaced = Self.replaced(in: beginning, header)
        self.file = file
        self.folder = folder
        self.header = header
        position = ChainPosition(after: header)
        self.handover = handover
    }

    /// Bytes of the header, and of a first group that says what the file stands in the place of.
    private static let longestBeginning = 4096

    private static func replaced(in beginning: [UInt8], _ header: FileHeader) -> [[UInt8]] {
        beginning.withUnsafeBytes { bytes in
            var position = ChainPosition(after: header)
            guard let own = position.take(bytes.dropFirst(Int(position.offset)))?.own,
                case .replaces(let lineages)? = OwnLine(own)
            else { return [] }
            return lineages
        }
    }

    /// How many events of the file say nothing that the caller does not know, because he was told all of the file that it was
    /// made of; nil: he has to be told everything.
    package var knownEvents: Int? { handover?.events }

    /// Lets telling begin behind those.
    /// - Returns: Whether it does: otherwise the caller has to be told everything.
    package mutating func passKnownEvents() throws(JournalError) -> Bool {
        guard let handover else { return false }
        return try resume(
            at: Checkpoint(
                fileID: fileID,
                offset: handover.end,
                sequence: handover.sequence,
                checksum: handover.checksum,
                greatestTime: Timestamp(microseconds: .min)
            )
        )
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
        guard let position = try position(at: checkpoint) else { return false }
        self.position = position
        folder.saw(checkpoint.greatestTime)
        return true
    }

    /// nil when the file is not the one of the checkpoint, or has gone another way since.
    package func stands(_ checkpoint: Checkpoint) throws(JournalError) -> Bool { try position(at: checkpoint) != nil }

    private func position(at checkpoint: Checkpoint) throws(JournalError) -> ChainPosition? {
        var position = ChainPosition(after: header)
        guard checkpoint.fileID == fileID, checkpoint.offset >= position.offset,
            checkpoint.offset <= (try file.status().size)
        else { return nil }
        position.offset = checkpoint.offset
        position.sequence = checkpoint.sequence
        position.checksum = checkpoint.checksum
        guard try file.stands(position), try file.continues(position) else { return nil }
        return position
    }

    /// Tells all events that are known to be on disk, from the first one on.
    ///
    /// - Returns: The place behind them.
    /// - Throws: ``JournalError/damaged(path:line:offset:)`` where they are not whole.
    package func scan(_ body: (EventLine) throws(EventError) -> Void) throws(JournalError) -> Checkpoint {
        let end = try synced()
        var position = ChainPosition(after: header)
        var greatest = Timestamp(microseconds: .min)
        _ = try file.readGroups(from: &position, to: end) { group, _ throws(JournalError) in
            for line in group {
                do throws(EventError) {
                    try body(line)
                } catch {
                    throw .notUnderstood(path: file.path, line: try file.lineNumber(at: line.offset), error)
                }
                greatest = max(greatest, line.time)
            }
        }
        guard position.offset == end else {
            throw .damaged(
                path: file.path,
                line: try file.lineNumber(at: position.offset),
                offset: position.offset
            )
        }
        return Checkpoint(
            fileID: fileID,
            offset: position.offset,
            sequence: position.sequence,
            checksum: position.checksum,
            greatestTime: greatest
        )
    }

    /// Bytes of the file that are known to be on disk, a whole number of groups: by the lock file or, where that knows
    /// nothing, by the last mark in the file.
    private func synced() throws(JournalError) -> Int64 {
        let size = try file.status().size
        let start = ChainPosition(after: header)
        if let record = try folder.lockFile.record(of: header.name), record.fileID == fileID,
            record.inode == (try file.status().identity.inode)
        {
            return min(record.synced, size)
        }
        var length = File.chunk
        while true {
            let offset = max(start.offset, size - length)
            let mark = start.greatestMark(in: try file.read(Int(size - offset), at: offset)[...])
            if mark > 0 || offset == start.offset { return max(mark, start.offset) }
            length *= 2
        }
    }

    /// The file up to `end` in memory, which has to be synced.
    package func map(upTo end: Int64) throws(JournalError) -> JournalMap { try JournalMap(file, count: end) }
}

extension File {
    /// Whether the first line of a group that stands here, if one does, is that of the next one.
    fileprivate func continues(_ position: ChainPosition) throws(JournalError) -> Bool {
        let bytes = try read(ChainPosition.longestHeader, at: position.offset)
        return bytes.withUnsafeBytes { bytes in
            guard let line = Line(bytes, seed: position.fileChecksum),
                let header = GroupHeader(bytes.prefix(line.contentLength))
            else { return true }
            return header.sequence == position.sequence &+ 1 && header.previous == position.checksum
        }
    }

    /// Whether what ends at this position is what was told.
    func stands(_ position: ChainPosition) throws(JournalError) -> Bool {
        let end = Hexadecimal.digits(position.checksum) + [0x0A]
        return try read(end.count, at: position.offset - Int64(end.count)) == end
    }
}
