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
struct FileHeader: Equatable {
    let name: String
    let fileID: [UInt8]

    static let idLength = 32

    var line: [UInt8] {
        let content = Array("postern-journal\t1\t\(name)\t".utf8) + fileID
        return content + Line.checksum(content, seed: 0)
    }

    /// nil when `bytes` do not begin with the header of a journal of this name.
    init?(name: String, parsing bytes: ArraySlice<UInt8>) {
        guard let line = Line(bytes, seed: 0) else { return nil }
        let columns = line.columns
        guard columns.count == 4, columns[3].count == Self.idLength,
            columns[3].allSatisfy({ Hexadecimal.value($0) != nil })
        else { return nil }
        self.init(name: name, fileID: Array(columns[3]))
        guard self.line == Array(bytes.prefix(line.length)) else { return nil }
    }

    init(name: String, fileID: [UInt8]) {
        self.name = name
        self.fileID = fileID
    }

    /// Of a new file that is to hold everything of this one that counts: the first half of the ids is the same.
    var compacted: FileHeader {
        let half = Self.idLength / 2
        return FileHeader(name: name, fileID: Array(fileID.prefix(half) + JournalFolder.randomID().suffix(half)))
    }

    /// Whether one of the files was made of the other by compaction.
    static func isCompacted(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one != other && one.prefix(idLength / 2) == other.prefix(idLength / 2)
    }
}

/// A line with a checksum that holds.
struct Line {
    /// Without the checksum and the TAB before it.
    let content: ArraySlice<UInt8>
    let checksum: UInt32
    /// With the line feed.
    let length: Int

    /// nil when `bytes` do not begin with a whole line whose checksum goes on from `seed`.
    init?(_ bytes: ArraySlice<UInt8>, seed: UInt32) {
        guard let end = bytes.firstIndex(of: 0x0A), end - bytes.startIndex > 9 else { return nil }
        let content = bytes[..<(end - 9)]
        guard bytes[end - 9] == 0x09, let checksum = Hexadecimal.word(bytes[(end - 8)..<end]),
            checksum == CRC32.castagnoli.checksum(of: content, seed: seed)
        else { return nil }
        self.content = content
        self.checksum = checksum
        length = end - bytes.startIndex + 1
    }

    var columns: [ArraySlice<UInt8>] { content.split(separator: 0x09, omittingEmptySubsequences: false) }

    /// The TAB, the digits and the line feed that end a line.
    static func checksum(_ content: [UInt8], seed: UInt32) -> [UInt8] {
        [0x09] + Hexadecimal.digits(CRC32.castagnoli.checksum(of: content, seed: seed)) + [0x0A]
    }
}

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

    init?(_ line: Line) {
        let columns = line.columns
        guard columns.count == 5, columns[0].elementsEqual([UInt8(ascii: "#")]),
            let sequence = Decimal.parse(columns[1]),
            let synced = Decimal.parse(columns[2]), let count = Decimal.parse(columns[3]), count > 0,
            let previous = Hexadecimal.word(columns[4])
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

    /// The bytes of the next group.
    func group(of events: [Event], synced: Int64) -> [UInt8] {
        let header = GroupHeader(sequence: sequence + 1, synced: synced, count: Int64(events.count), previous: checksum)
        var bytes = header.content
        var last = CRC32.castagnoli.checksum(of: bytes, seed: fileChecksum)
        bytes += Line.checksum(bytes, seed: fileChecksum)
        for event in events {
            var content = Array(event.time.rfc3339.utf8)
            for column in event.columns {
                content.append(0x09)
                Column.escape(column, into: &content)
            }
            bytes += content + Line.checksum(content, seed: last)
            last = CRC32.castagnoli.checksum(of: content, seed: last)
        }
        return bytes
    }

    /// Takes the group that `bytes` begin with.
    /// - Returns: Its events and its bytes; nil when it is not whole, does not check, or is not the next one.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> (events: [Event], length: Int)? {
        guard let first = Line(bytes, seed: fileChecksum), let header = GroupHeader(first),
            header.sequence == sequence + 1, header.previous == checksum, header.synced <= offset
        else { return nil }
        var events: [Event] = []
        var rest = bytes.dropFirst(first.length)
        var last = first.checksum
        for _ in 0..<header.count {
            guard let line = Line(rest, seed: last), let event = Self.event(line) else { return nil }
            events.append(event)
            last = line.checksum
            rest = rest.dropFirst(line.length)
        }
        let length = rest.startIndex - bytes.startIndex
        offset += Int64(length)
        sequence += 1
        checksum = last
        return (events, length)
    }

    /// The greatest mark of what was synced in any header of a group in `bytes`, whatever stands around it.
    func greatestMark(in bytes: ArraySlice<UInt8>) -> Int64 {
        var greatest: Int64 = 0
        var rest = bytes
        while let start = rest.firstIndex(of: UInt8(ascii: "#")) {
            let candidate = rest[start...].prefix(Self.longestHeader)
            if candidate.dropFirst().first == 0x09, let line = Line(candidate, seed: fileChecksum),
                let header = GroupHeader(line)
            {
                greatest = max(greatest, header.synced)
            }
            rest = rest[(start + 1)...]
        }
        return greatest
    }

    /// Bytes of a group's first line at most: three numbers of 19 digits, two checksums, and what parts them.
    private static let longestHeader = 96

    static func event(_ line: Line) -> Event? {
        let columns = line.columns
        guard let time = Timestamp(rfc3339: columns[0]) else { return nil }
        var unescaped: [[UInt8]] = []
        for column in columns.dropFirst() {
            guard let bytes = Column.unescape(column) else { return nil }
            unescaped.append(bytes)
        }
        return Event(time: time, unescaped)
    }
}

/// Decimal digits from outside. Swift's own `Int("+5")` takes signs and leading zeros.
public enum Decimal {
    /// The number that `digits` write; nil when there is anything but digits, a leading zero, or too many.
    public static func parse(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
        var number: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflowOfSum) = tens.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !overflow, !overflowOfSum else { return nil }
            number = sum
        }
        return number
    }
}
