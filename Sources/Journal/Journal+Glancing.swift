internal import Synchronization

/// What a journal that nobody asks about has to say of others.
extension Journal {
    /// Learns what the file says last of how far other journals were on disk, and how late its last event is, without reading all
    /// of it: what is decided by another journal is judged by that, and dated no earlier.
    ///
    /// What is wrong with this file is found by whoever follows it.
    /// - Parameter others: Names of the journals of which it may say something.
    package func glance(of others: [String]) throws(JournalError) {
        try follower.withLock { follower throws(JournalError) in
            // Whoever was told what it says knows more.
            guard follower.needsReset else { return }
            let own = try folder.open(file.path)
            let size = try own.status().size
            folder.claims.begin(name, at: file.path, try own.status().identity, folder.system)
            // In the order in which they were said.
            let marks = try own.lastMarks(of: others.filter { $0 != name }, before: size)
            folder.claims.note(marks.reversed(), by: name)
            if let time = try own.lastTime(before: size) { folder.saw(time) }
        }
    }
}

extension File {
    /// What the file says last of each of these journals, the latest first. As much of the file is read as it takes; all of it where
    /// it says nothing of one of them.
    fileprivate func lastMarks(of journals: [String], before size: Int64) throws(JournalError) -> [SyncMark] {
        var missing = Set(journals)
        var found: [SyncMark] = []
        var end = size
        while end > 0, !missing.isEmpty {
            let start = max(0, end - Self.chunk)
            // A line that begins in this part may end in the next one.
            let bytes = try read(Int(min(size, end + Self.longestOwnLine) - start), at: start)
            let marks = bytes.withUnsafeBytes { Self.marks(in: $0) }
            for mark in marks.reversed() where missing.remove(mark.journal) != nil { found.append(mark) }
            if start == 0 { break }
            // Nor is what a line's checksum goes on from in another part than the line.
            end = start + Self.longestOwnLine
        }
        return found
    }

    /// The greatest time of the events that stand near the end.
    fileprivate func lastTime(before size: Int64) throws(JournalError) -> Timestamp? {
        var length = Self.nearness
        while true {
            let start = max(0, size - length)
            let bytes = try read(Int(size - start), at: start)
            let time = bytes.withUnsafeBytes { bytes in
                var greatest: Timestamp?
                Self.eachLine(bytes) { line in
                    if !line.isOwn { greatest = max(greatest ?? line.time, line.time) }
                }
                return greatest
            }
            // A single line may be longer.
            if time != nil || start == 0 { return time }
            length *= 16
        }
    }

    /// Bytes of a line that says something of other journals, and of the end of the line before, at most: 32 journals are
    /// more than a folder has.
    private static let longestOwnLine: Int64 = 4096

    private static func marks(in bytes: UnsafeRawBufferPointer) -> [SyncMark] {
        var marks: [SyncMark] = []
        var place = 0
        while let found = bytes.dropFirst(place).offset(of: OwnLine.sign) {
            place += found + 1
            guard OwnLine.isSynced(bytes.dropFirst(place - 1)),
                let feed = bytes[..<place].lastIndex(of: 0x0A), feed + 1 >= Line.endLength,
                let own = line(bytes.dropFirst(feed + 1 - Line.endLength)),
                own.isOwn, case .synced(let said)? = OwnLine(own)
            else { continue }
            marks += said
        }
        return marks
    }

    /// The line that follows on the end of another one, whose checksum its own goes on from.
    private static func line(_ bytes: UnsafeRawBufferPointer) -> EventLine? {
        let content = bytes.dropFirst(Line.endLength)
        guard bytes.count > Line.endLength, let seed = Hexadecimal.word(bytes, at: 1),
            let line = Line(content, seed: seed)
        else { return nil }
        return EventLine(content.prefix(line.contentLength), offset: 0)
    }

    private static func eachLine(_ bytes: UnsafeRawBufferPointer, _ body: (EventLine) -> Void) {
        var rest = bytes
        while let end = rest.offset(of: 0x0A) {
            let after = rest.dropFirst(end + 1)
            if end + 1 >= Line.endLength, let line = line(rest.dropFirst(end + 1 - Line.endLength)) { body(line) }
            rest = after
        }
    }
}
