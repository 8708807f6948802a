internal import Glibc

/// Makes a good journal of one that is damaged, of all lines that can be believed.
extension JournalFolder {
    /// What became of a journal.
    public struct Repair: Sendable {
        /// Events that are kept.
        public let events: Int
        /// Bytes that are not, and the file in which they stand now; nil where there are none.
        public let dropped: Int
        public let sideFile: String?
        /// Whether it was whole, and stays as it is.
        public let wasWhole: Bool
    }

    /// Keeps every event that can be believed, whatever stands between, and writes what it drops to a file beside the
    /// journal. A journal that is whole stays as it is.
    ///
    /// - Parameter progress: Called now and then with which part is done.
    /// - Throws: ``JournalError/foreignFile(path:)`` when not even the first line can be read.
    public func repair(
        _ name: String,
        progress: (Double) -> Void = { _ in }
    ) throws(JournalError) -> Repair {
        var result = Repair(events: 0, dropped: 0, sideFile: nil, wasWhole: true)
        try lockFile.withLock { lock throws(JournalError) in
            let path = path + "/" + name
            let file = try File(opening: path, owner: owner)
            guard let header = FileHeader(name: name, parsing: try file.read(256, at: 0)[...]) else {
                throw .foreignFile(path: path)
            }
            // Nobody cuts it off while we hold the lock.
            let map = try ReadOnlyMap(file, count: Int(try file.status().size))
            let salvage = Salvage(map.bytes, after: header)
            // Reading takes about as long as writing.
            let (events, dropped) = try salvage.read({ _ in }, progress: { progress($0 / 2) })
            if try isWhole(file, header, try lock.record(of: name)) {
                result = Repair(events: events, dropped: 0, sideFile: nil, wasWhole: true)
                return
            }
            let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
            let side = try put(dropped, of: map, beside: path + ".dropped-" + suffix)
            let new = FileHeader(name: name, fileID: Self.randomID())
            let copy = try CompactedFile(new, path: path + ".new-" + suffix, self)
            do throws(JournalError) {
                _ = try salvage.read(
                    { line throws(JournalError) in try copy.add(line) },
                    progress: { progress(0.5 + $0 / 2) }
                )
                let record = try copy.finish()
                try lock.withSyncLock(of: name) { lock throws(JournalError) in
                    guard rename(copy.path, path) == 0 else { throw File.error("rename", copy.path) }
                    changed(name)
                    try File.syncFolder(self.path)
                    try lock.setRecord(record)
                }
            } catch {
                unlink(copy.path)
                throw error
            }
            SavedFile.removeAll(of: name, in: self, but: new)
            let size = dropped.reduce(0) { $0 + $1.count }
            result = Repair(events: events, dropped: size, sideFile: side, wasWhole: false)
        }
        return result
    }
}

extension JournalFolder {
    /// - Returns: The path of the file in which it is now; nil when there is nothing.
    fileprivate func put(_ ranges: [Range<Int>], of map: ReadOnlyMap, beside path: String) throws(JournalError)
        -> String?
    {
        guard !ranges.isEmpty else { return nil }
        let side = try File(creating: path, owner: owner, group: group)
        var size: Int64 = 0
        for range in ranges {
            try side.write(Array(map.bytes[range]), at: size, with: calls)
            size += Int64(range.count)
        }
        try side.sync(with: calls)
        return path
    }

    /// Whether a journal can be read to its end, and nothing is missing there that is known to have been synced.
    fileprivate func isWhole(_ file: File, _ header: FileHeader, _ record: SyncRecord?) throws(JournalError) -> Bool {
        let status = try file.status()
        var position = ChainPosition(after: header)
        let tail = try file.readGroups(from: &position, to: status.size) { _, _ in }
        guard let record, record.fileID == header.fileID, record.inode == status.identity.inode else {
            return tail.isEmpty
        }
        return tail.isEmpty && position.offset >= record.synced
    }
}

/// The events of a damaged journal that can be believed, and the bytes that cannot.
///
/// In a group, all events up to the first line that does not check: those after it chain to nothing, and could be older
/// ones that stand there again. Groups count in the order in which they were written, each once.
private struct Salvage {
    private let bytes: UnsafeRawBufferPointer
    private let start: ChainPosition

    /// - Parameter bytes: The whole file.
    init(_ bytes: UnsafeRawBufferPointer, after header: FileHeader) {
        self.bytes = bytes
        start = ChainPosition(after: header)
    }

    /// Hands over the events, in their order.
    /// - Returns: How many there are, and where stands what is none of them.
    func read(
        _ body: (EventLine) throws(JournalError) -> Void,
        progress: (Double) -> Void
    ) throws(JournalError) -> (events: Int, dropped: [Range<Int>]) {
        var (events, dropped): (Int, [Range<Int>]) = (0, [])
        var (place, reported) = (Int(start.offset), 0)
        var sequence: Int64 = 0
        while place < bytes.count {
            if place >= reported + Int(File.chunk) {
                reported = place
                progress(Double(place) / Double(bytes.count))
            }
            let rest = bytes.dropFirst(place)
            guard let line = Line(rest, seed: start.fileChecksum),
                let group = GroupHeader(rest.prefix(line.contentLength)), group.sequence > sequence
            else {
                let end = rest.offset(of: 0x0A).map { place + $0 + 1 } ?? bytes.count
                if let last = dropped.last, last.upperBound == place {
                    dropped[dropped.count - 1] = last.lowerBound..<end
                } else {
                    dropped.append(place..<end)
                }
                place = end
                continue
            }
            sequence = group.sequence
            place += line.length
            var (count, seed) = (group.count, line.checksum)
            while count > 0, let line = Line(bytes.dropFirst(place), seed: seed),
                let event = EventLine(bytes.dropFirst(place).prefix(line.contentLength), offset: Int64(place)),
                Event(event) != nil
            {
                try body(event)
                events += 1
                place += line.length
                (count, seed) = (count - 1, line.checksum)
            }
        }
        return (events, dropped)
    }
}
