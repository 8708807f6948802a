/// Reading a journal's file group by group, whatever its length.
extension File {
    /// Bytes that are read at once.
    static let chunk: Int64 = 1 << 20

    /// Takes the whole groups that follow on `position`.
    ///
    /// - Parameters:
    ///   - end: Where to stop; a group that goes on beyond it is not whole.
    ///   - body: Called with each, when `position` is behind it.
    /// - Returns: The bytes before `end` that are no whole group.
    func readGroups(
        from position: inout ChainPosition,
        to end: Int64,
        _ body: (Group, ChainPosition) throws(JournalError) -> Void
    ) throws(JournalError) -> [UInt8] {
        var tail: [UInt8] = []
        var offset = position.offset
        while offset < end {
            // As much again as there is of a group that is longer than that, so that it is not gone through too often.
            let bytes = try read(Int(min(end - offset, max(Self.chunk, Int64(tail.count)))), at: offset)
            if bytes.isEmpty { break }
            offset += Int64(bytes.count)
            if tail.isEmpty { tail = bytes } else { tail += bytes }
            let consumed = try tail.withUnsafeBufferPointer { tail throws(JournalError) in
                let tail = UnsafeRawBufferPointer(tail)
                var consumed = 0
                while let group = position.take(tail.dropFirst(consumed)) {
                    consumed += group.length
                    try body(group, position)
                }
                return consumed
            }
            tail.removeFirst(consumed)
        }
        return tail
    }

    /// What the lines before a place say of other journals, as far as they are near: who has not read what stands before it.
    func marks(before place: ChainPosition) throws(JournalError) -> [SyncMark] {
        let start = max(0, place.offset - Self.nearness)
        let bytes = try read(Int(place.offset - start), at: start)
        return bytes.withUnsafeBytes { bytes in
            var marks: [SyncMark] = []
            var rest = bytes
            while let end = rest.offset(of: 0x0A) {
                let after = rest.dropFirst(end + 1)
                // The checksum of a line goes on from that of the line before.
                if end + 1 >= Line.endLength, let seed = Hexadecimal.word(rest, at: end + 2 - Line.endLength),
                    let line = Line(after, seed: seed),
                    let event = EventLine(after.prefix(line.contentLength), offset: 0),
                    event.isOwn, case .synced(let found)? = OwnLine(event)
                {
                    marks += found
                }
                rest = after
            }
            return marks
        }
    }

    static let nearness: Int64 = 1 << 16

    /// The number of the line that begins at `offset`, counted from 1.
    func lineNumber(at offset: Int64) throws(JournalError) -> Int {
        var line = 1
        var position: Int64 = 0
        while position < offset {
            let bytes = try read(Int(min(offset - position, Self.chunk)), at: position)
            if bytes.isEmpty { break }
            line += bytes.count { $0 == 0x0A }
            position += Int64(bytes.count)
        }
        return line
    }
}
