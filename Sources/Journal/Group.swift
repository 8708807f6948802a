/// The format of a journal: a header line, then groups, one for each append.
///
///     postern-journal <TAB> 1 <TAB> NAME <TAB> FILE-ID <TAB> CRC
///     # <TAB> SEQUENCE <TAB> SYNCED <TAB> COUNT <TAB> PREVIOUS <TAB> CRC
///     TIME <TAB> COLUMN … <TAB> CRC                                         (COUNT lines)
///
/// `CRC` is the CRC-32C of what stands before its TAB. That of a group's first line goes on from the one of
/// the file's header, so that no other file's group passes; that of an event goes on from the line before
/// it, so that lines cannot be swapped, doubled or left out. `PREVIOUS` repeats the last `CRC` of the group
/// before, and so chains the groups.
///
/// `SYNCED` is how many bytes of the file were known to be on disk when the group was written. What does
/// not check beyond the greatest of these marks was never acknowledged, because an answer waits for the sync
/// of its group; after a power cut it may be there in part, in any order. What does not check before it is
/// damage.
///
/// The last line of a group may be one of the journal's own, see ``OwnLine``.
/// The first line of a group.
struct GroupHeader: Equatable {
    let sequence: Int64
    let synced: Int64
    let count: Int64
    let previous: UInt32

    init(sequence: Int64, synced: Int64, count: Int64, previous: UInt32) {
        self.sequence = sequence
        self.synced = synced
        self.count = count
        self.previous = previous
    }

    /// Reads what ``content`` writes.
    init?(_ content: UnsafeRawBufferPointer) {
        var rest: UnsafeRawBufferPointer? = content
        func number() -> Int64? { UnsafeRawBufferPointer.takeColumn(of: &rest).flatMap(Decimal.parse) }
        guard let sign = UnsafeRawBufferPointer.takeColumn(of: &rest), sign.count == 1, sign[0] == UInt8(ascii: "#"),
            let sequence = number(), let synced = number(), let count = number(), count > 0,
            let previous = UnsafeRawBufferPointer.takeColumn(of: &rest), previous.count == 8, rest == nil,
            let previous = Hexadecimal.word(previous)
        else { return nil }
        self.init(sequence: sequence, synced: synced, count: count, previous: previous)
    }

    var content: [UInt8] {
        Array("#\t\(sequence)\t\(synced)\t\(count)\t".utf8) + Hexadecimal.digits(previous)
    }
}

/// Where a reader stands in the chain: after a whole group.
struct ChainPosition: Equatable {
    let fileChecksum: UInt32
    var offset: Int64
    var sequence: Int64 = 0
    var checksum: UInt32

    /// After the file's header.
    init(after header: FileHeader) {
        let line = header.line
        offset = Int64(line.count)
        fileChecksum = CRC32.castagnoli.checksum(of: line.dropLast(10))
        checksum = fileChecksum
    }

    /// Whether `bytes` are whole groups that end here.
    func ends(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = Line(bytes, seed: fileChecksum), let header = GroupHeader(bytes.prefix(first.contentLength))
        else { return false }
        var position = self
        position.offset -= Int64(bytes.count)
        position.sequence = header.sequence - 1
        position.checksum = header.previous
        var rest = bytes
        while let group = position.take(rest) { rest = rest.dropFirst(group.length) }
        return position == self
    }

    /// Writes the next group to the end of `bytes`, and stands behind it.
    mutating func put(_ lines: UnwrittenLines, synced: Int64, into bytes: inout [UInt8]) {
        let start = bytes.count
        let header = GroupHeader(sequence: sequence + 1, synced: synced, count: Int64(lines.count), previous: checksum)
        bytes += header.content
        var last = CRC32.castagnoli.checksum(of: bytes[start...], seed: fileChecksum)
        Line.end(with: last, in: &bytes)
        lines.contents.withUnsafeBytes { contents in
            var rest = contents
            while let end = rest.offset(of: 0x0A) {
                let content = rest.prefix(end)
                last = CRC32.castagnoli.checksum(of: content, seed: last)
                bytes += content
                Line.end(with: last, in: &bytes)
                rest = rest.dropFirst(end + 1)
            }
        }
        offset += Int64(bytes.count - start)
        sequence = header.sequence
        checksum = last
    }

    /// Takes the group that `bytes` begin with.
    /// - Returns: nil when it is not whole, does not check, or is not the next one.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Group? {
        guard let first = Line(bytes, seed: fileChecksum), let header = GroupHeader(bytes.prefix(first.contentLength)),
            header.sequence == sequence &+ 1, header.previous == checksum, header.synced <= offset
        else { return nil }
        var length = first.length
        var last = first.checksum
        var own: EventLine?
        var end = length
        for _ in 0..<header.count {
            let rest = bytes.dropFirst(length)
            guard own == nil, let line = Line(rest, seed: last),
                let event = EventLine(rest.prefix(line.contentLength), offset: 0)
            else { return nil }
            last = line.checksum
            length += line.length
            if event.isOwn { own = event } else { end = length }
        }
        let lines = UnsafeRawBufferPointer(rebasing: bytes[first.length..<end])
        let group = Group(offset: offset + Int64(first.length), lines: lines, own: own, length: length)
        offset += Int64(length)
        sequence = header.sequence
        checksum = last
        return group
    }

    /// Whether `bytes` are what there is of one group after a writer was ended while he wrote it here.
    func isUnfinished(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let end = bytes.offset(of: 0x0A) else {
            return bytes.count <= Self.longestHeader && (bytes.first.map { $0 == UInt8(ascii: "#") } ?? true)
        }
        guard let first = Line(bytes, seed: fileChecksum), first.length == end + 1,
            let header = GroupHeader(bytes.prefix(first.contentLength)), header.sequence == sequence &+ 1,
            header.previous == checksum
        else { return false }
        var (rest, seed) = (bytes.dropFirst(first.length), first.checksum)
        for _ in 0..<header.count {
            guard let line = Line(rest, seed: seed) else { return rest.offset(of: 0x0A) == nil }
            (rest, seed) = (rest.dropFirst(line.length), line.checksum)
        }
        return false
    }

    /// The greatest mark of what was synced in any header of a group in `bytes`, whatever stands around it.
    func greatestMark(in bytes: ArraySlice<UInt8>) -> Int64 {
        bytes.withUnsafeBytes { bytes in
            var greatest: Int64 = 0
            var rest = bytes
            while let start = rest.offset(of: UInt8(ascii: "#")) {
                rest = rest.dropFirst(start)
                let candidate = rest.prefix(Self.longestHeader)
                if candidate.dropFirst(1).first == 0x09, let line = Line(candidate, seed: fileChecksum),
                    let header = GroupHeader(candidate.prefix(line.contentLength))
                {
                    greatest = max(greatest, header.synced)
                }
                rest = rest.dropFirst(1)
            }
            return greatest
        }
    }

    /// Bytes of a group's first line at most: three numbers of 19 digits, two checksums, and what parts them.
    static let longestHeader = 96
}

/// The events of a group that is about to be written.
struct UnwrittenLines {
    /// Each without its checksum, ended by a line feed, which stands nowhere else.
    fileprivate private(set) var contents: [UInt8] = []
    private(set) var count = 0
    /// Bytes, without checksums.
    var size: Int { contents.count }

    mutating func add(_ event: Event) {
        event.write(into: &contents)
        end()
    }

    mutating func add(_ line: EventLine) {
        contents += line.content
        end()
    }

    /// The last one of a group.
    mutating func add(_ own: OwnLine, at time: Timestamp) {
        contents += time.rfc3339Bytes
        contents += own.columns
        end()
    }

    private mutating func end() {
        contents.append(0x0A)
        count += 1
    }

    mutating func removeAll() {
        contents.removeAll(keepingCapacity: true)
        count = 0
    }
}

/// A group that was read whole. It points into the memory in which it was read.
struct Group: Sequence {
    /// Where its events begin in the file.
    let offset: Int64
    /// Its events.
    let lines: UnsafeRawBufferPointer
    /// What the journal says for itself, which is no event.
    let own: EventLine?
    /// Of all of it, with its first line.
    let length: Int

    func makeIterator() -> Iterator { Iterator(offset: offset, rest: lines) }

    struct Iterator: IteratorProtocol {
        fileprivate var offset: Int64
        fileprivate var rest: UnsafeRawBufferPointer

        mutating func next() -> EventLine? {
            guard let end = rest.offset(of: 0x0A) else { return nil }
            defer {
                offset += Int64(end + 1)
                rest = rest.dropFirst(end + 1)
            }
            return EventLine(rest.prefix(end + 1 - Line.endLength), offset: offset)
        }
    }
}
