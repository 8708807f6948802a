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
        var result = Repair(events: 0, dropped: 0, sideFile: nil)
        try lockFile.withLock { lock throws(JournalError) in
            let path = path + "/" + name
            let file = try File(opening: path, owner: owner)
            let bytes = try file.read(Int(try file.status().size), at: 0)
            guard let header = FileHeader(name: name, parsing: bytes[...]) else { throw .foreignFile(path: path) }
            // Reading takes about as long as writing.
            let found = Salvage(bytes, after: header) { progress($0 / 2) }
            guard !found.dropped.isEmpty else {
                result = Repair(events: found.events.count, dropped: 0, sideFile: nil)
                return
            }
            let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
            let side = try File(creating: path + ".dropped-" + suffix, owner: owner, group: group)
            try side.write(found.dropped, at: 0, with: calls)
            try side.sync(with: calls)
            let new = FileHeader(name: name, fileID: Self.randomID())
            let copy = try CompactedFile(new, path: path + ".new-" + suffix, self)
            do throws(JournalError) {
                for (number, event) in found.events.enumerated() {
                    if number % 4096 == 0 { progress(0.5 + Double(number) / Double(2 * found.events.count)) }
                    try copy.add(event)
                }
                let record = try copy.finish()
                try lock.withSyncLock(of: name) { lock throws(JournalError) in
                    guard rename(copy.path, path) == 0 else { throw File.error("rename", copy.path) }
                    try File.syncFolder(self.path)
                    try lock.setRecord(record)
                }
            } catch {
                unlink(copy.path)
                throw error
            }
            result = Repair(events: found.events.count, dropped: found.dropped.count, sideFile: side.path)
        }
        return result
    }
}

/// The events of a damaged journal that can be believed, and the bytes that cannot.
///
/// In a group, all events up to the first line that does not check: those after it chain to nothing, and could be older
/// ones that stand there again. Groups count in the order in which they were written, each once.
private struct Salvage {
    private(set) var events: [Event] = []
    private(set) var dropped: [UInt8] = []

    init(_ bytes: [UInt8], after header: FileHeader, progress: (Double) -> Void) {
        let start = ChainPosition(after: header)
        var rest = bytes[Int(start.offset)...]
        var sequence: Int64 = 0
        var reported = 0
        while !rest.isEmpty {
            if rest.startIndex >= reported + 1 << 20 {
                reported = rest.startIndex
                progress(Double(reported) / Double(bytes.count))
            }
            guard let line = Line(rest, seed: start.fileChecksum),
                let group = rest.prefix(line.contentLength).withUnsafeBytes({ GroupHeader($0) }),
                group.sequence > sequence
            else {
                let next = rest.firstIndex(of: 0x0A).map { $0 + 1 } ?? rest.endIndex
                dropped += rest[..<next]
                rest = rest[next...]
                continue
            }
            sequence = group.sequence
            rest = rest.dropFirst(line.length)
            var (count, last) = (group.count, line.checksum)
            while count > 0, let line = Line(rest, seed: last),
                let event = Event(parsing: rest.prefix(line.contentLength))
            {
                events.append(event)
                (count, last) = (count - 1, line.checksum)
                rest = rest.dropFirst(line.length)
            }
        }
    }
}
