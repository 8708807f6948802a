/// The groups of a damaged journal that can be believed, and the lines that cannot.
///
/// A group is believed when its checksums hold, wherever it stands; of one that is damaged, all events up to the first line that
/// does not check: those after it chain to nothing, and could be older ones that stand there again. Groups count in the order of
/// their numbers, each once. What an editor does to a file, a byte order mark and carriage returns, is undone first.
struct Salvage {
    /// Groups that follow on each other by place and number, all whole; or one that is not.
    private struct Run {
        let first: Int64
        var last: Int64
        var range: Range<Int>
        let isWhole: Bool
    }

    /// Of the file's header, from which the checksums of all groups go on.
    private let seed: UInt32
    let text: SalvagedText
    private var runs: [Run] = []
    /// Where the lines stand that are in no run.
    private(set) var dropped: [Range<Int>] = []
    /// Groups that have to have been there, by the numbers of those that are.
    private(set) var missing: Int64 = 0
    /// What the lines that are kept say of other journals.
    private(set) var marks: [SyncMark] = []
    private(set) var events = 0

    /// - Parameters:
    ///   - text: Of the whole file.
    ///   - header: nil where it cannot be read.
    ///   - progress: Called now and then with which part was read.
    init(_ text: SalvagedText, of header: FileHeader?, progress: (Double) -> Void) {
        self.text = text
        let bytes = text.bytes
        let start = header.map { ChainPosition(after: $0) }
        seed = start?.fileChecksum ?? Self.seed(in: bytes)
        var place = start.map { min(Int($0.offset), bytes.count) } ?? 0
        var reported = 0
        while place < bytes.count {
            if place >= reported + Int(File.chunk) {
                reported = place
                progress(Double(place) / Double(bytes.count))
            }
            place = take(at: place)
        }
        order()
    }

    /// Lines that are in no run, as they stand but for their checksums, of very many only the first.
    var droppedLines: [[UInt8]] {
        var lines: [[UInt8]] = []
        for range in dropped {
            var rest = UnsafeRawBufferPointer(rebasing: bytes[range])
            while let end = rest.offset(of: 0x0A), lines.count < Self.greatestLines {
                lines.append(Array(rest.prefix(min(max(0, end + 1 - Line.endLength), Self.longestLine))))
                rest = rest.dropFirst(end + 1)
            }
        }
        return lines
    }

    private static let greatestLines = 10_000
    private static let longestLine = 1024

    /// Hands over the events, in their order.
    func read(_ body: (EventLine) throws(JournalError) -> Void, progress: (Double) -> Void) throws(JournalError) {
        var (last, read): (Int64, Int) = (0, 0)
        for run in runs {
            progress(Double(read) / Double(max(1, bytes.count)))
            read += run.range.count
            var place = run.range.lowerBound
            while place < run.range.upperBound, let group = group(at: place) {
                if group.number > last { for line in group.lines where !line.isOwn { try body(line) } }
                last = max(last, group.number)
                place = group.end
            }
        }
    }

    private var bytes: UnsafeRawBufferPointer { text.bytes }

    // MARK: Looking

    private struct Found {
        let number: Int64
        let lines: [EventLine]
        let end: Int
        let isWhole: Bool
    }

    /// The group that begins at a place, as far as it can be believed.
    private func group(at place: Int) -> Found? {
        let rest = bytes.dropFirst(place).prefix(ChainPosition.longestHeader)
        guard let first = Line(rest, seed: seed), let header = GroupHeader(rest.prefix(first.contentLength)) else {
            return nil
        }
        var (lines, end, seed): ([EventLine], Int, UInt32) = ([], place + first.length, first.checksum)
        while lines.count < header.count {
            let rest = bytes.dropFirst(end)
            guard let line = Line(rest, seed: seed),
                let event = EventLine(rest.prefix(line.contentLength), offset: Int64(end)), Event(event) != nil
            else { break }
            lines.append(event)
            end += line.length
            seed = line.checksum
        }
        return Found(number: header.sequence, lines: lines, end: end, isWhole: lines.count == header.count)
    }

    /// - Returns: The place behind what was taken, or dropped.
    private mutating func take(at place: Int) -> Int {
        guard let group = group(at: place) else {
            let end = next(after: place)
            if let last = dropped.last, last.upperBound == place {
                dropped[dropped.count - 1] = last.lowerBound..<end
            } else {
                dropped.append(place..<end)
            }
            return end
        }
        if let last = runs.last, last.isWhole, group.isWhole, last.last + 1 == group.number,
            last.range.upperBound == place
        {
            runs[runs.count - 1].last = group.number
            runs[runs.count - 1].range = last.range.lowerBound..<group.end
        } else {
            runs.append(
                Run(first: group.number, last: group.number, range: place..<group.end, isWhole: group.isWhole)
            )
        }
        return group.end
    }

    /// The end of the line, or a group that begins in it because a line feed before it is gone.
    private func next(after place: Int) -> Int {
        let end = bytes.dropFirst(place).offset(of: 0x0A).map { place + $0 + 1 } ?? bytes.count
        var rest = UnsafeRawBufferPointer(rebasing: bytes[place..<end]).dropFirst(1)
        while let sign = rest.offset(of: OwnLine.sign) {
            let candidate = end - rest.count + sign
            if group(at: candidate) != nil { return candidate }
            rest = rest.dropFirst(sign + 1)
        }
        return end
    }

    /// Puts the runs in order, and counts.
    private mutating func order() {
        runs.sort { ($0.first, $0.isWhole ? 0 : 1) < ($1.first, $1.isWhole ? 0 : 1) }
        var last: Int64 = 0
        for run in runs {
            missing += max(0, run.first - last - 1)
            last = max(last, run.last)
        }
        last = 0
        for run in runs {
            var place = run.range.lowerBound
            while place < run.range.upperBound, let group = group(at: place) {
                if group.number > last {
                    for line in group.lines {
                        if line.isOwn {
                            if case .synced(let found)? = OwnLine(line) { marks += found }
                        } else {
                            events += 1
                        }
                    }
                }
                last = max(last, group.number)
                place = group.end
            }
        }
    }

    // MARK: Without a header

    /// The checksum of a header that cannot be read: that from which most lines that look like the first one of a group go on.
    private static func seed(in bytes: UnsafeRawBufferPointer) -> UInt32 {
        var votes: [UInt32: Int] = [:]
        var rest = bytes
        var count = 0
        while let end = rest.offset(of: 0x0A), count < Self.votes {
            let content = rest.prefix(max(0, end + 1 - Line.endLength))
            if content.count < ChainPosition.longestHeader, let header = GroupHeader(content),
                let checksum = Hexadecimal.word(rest, at: content.count + 1)
            {
                let seed = CRC32.castagnoli.seed(of: content, leadingTo: checksum)
                // What stands before the first group is the header.
                if header.sequence == 1, header.previous == seed { return seed }
                votes[seed, default: 0] += 1
                count += 1
            }
            rest = rest.dropFirst(end + 1)
        }
        return votes.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 0
    }

    private static let votes = 64
}
