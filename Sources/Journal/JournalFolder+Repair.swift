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

    /// Keeps every event that checks within its group, whatever stands between, and writes what it drops to a file beside
    /// the journal. A journal that is whole stays as it is.
    ///
    /// - Throws: ``JournalError/foreignFile(path:)`` when not even the first line can be read.
    public func repair(_ name: String) throws(JournalError) -> Repair {
        var result = Repair(events: 0, dropped: 0, sideFile: nil)
        try lockFile.withLock { lock throws(JournalError) in
            let path = path + "/" + name
            let file = try File(opening: path, owner: owner)
            let bytes = try file.read(Int(try file.status().size), at: 0)
            guard let header = FileHeader(name: name, parsing: bytes[...]) else { throw .foreignFile(path: path) }
            let found = Salvage(bytes, after: header)
            guard !found.dropped.isEmpty else {
                result = Repair(events: found.events.count, dropped: 0, sideFile: nil)
                return
            }
            let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
            let side = try File(creating: path + ".dropped-" + suffix, owner: owner, group: group)
            try side.write(found.dropped, at: 0, with: calls)
            try side.sync(with: calls)
            let copy = try CompactedFile(name: name, path: path + ".new-" + suffix, self)
            do throws(JournalError) {
                try copy.add(found.events)
                let record = try copy.finish()
                guard rename(copy.path, path) == 0 else { throw File.error("rename", copy.path) }
                try File.syncFolder(self.path)
                try lock.setRecord(record)
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
/// A line's checksum goes on from the one of the line before it, which stands at its end: so the line after a damaged one
/// can be believed as long as those digits are whole.
private struct Salvage {
    private(set) var events: [Event] = []
    private(set) var dropped: [UInt8] = []

    init(_ bytes: [UInt8], after header: FileHeader) {
        let start = ChainPosition(after: header)
        var rest = bytes[Int(start.offset)...]
        var sequence: Int64 = 0
        // Events that the group has, and where its chain stands.
        var (expected, last): (Int64, UInt32) = (0, 0)
        // What stands there twice, as after a bad copy, counts once.
        var seen = Set<UInt64>()
        while !rest.isEmpty {
            if let line = Line(rest, seed: start.fileChecksum), let group = GroupHeader(line), group.sequence > sequence
            {
                (sequence, expected, last) = (group.sequence, group.count, line.checksum)
                rest = rest.dropFirst(line.length)
            } else if expected > 0, let line = Line(rest, seed: last), let event = ChainPosition.event(line),
                seen.insert(UInt64(last) << 32 | UInt64(line.checksum)).inserted
            {
                events.append(event)
                (expected, last) = (expected - 1, line.checksum)
                rest = rest.dropFirst(line.length)
            } else {
                let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
                if let digits = Hexadecimal.word(rest[..<end].suffix(8)) { last = digits }
                let next = min(end + 1, rest.endIndex)
                dropped += rest[..<next]
                rest = rest[next...]
            }
        }
    }
}
