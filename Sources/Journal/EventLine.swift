/// An event as it stands in a journal's file: its moment, and columns that an ``EventReader`` takes from left to right.
///
/// It points into the memory in which the file was read: it is good only for the call to which it is handed.
public struct EventLine {
    public let time: Timestamp
    /// Where the line begins in the file.
    package let offset: Int64
    /// The line without its checksum, as it was written.
    let content: UnsafeRawBufferPointer
    /// What follows the moment; nil for nothing.
    let columns: UnsafeRawBufferPointer?

    /// nil when `content` does not begin with a moment.
    init?(_ content: UnsafeRawBufferPointer, offset: Int64) {
        var rest: UnsafeRawBufferPointer? = content
        guard let first = UnsafeRawBufferPointer.takeColumn(of: &rest), let time = Timestamp(rfc3339: first) else {
            return nil
        }
        self.time = time
        self.offset = offset
        self.content = content
        columns = rest
    }

    /// Whether it is one of the journal's own, see ``OwnLine``.
    var isOwn: Bool { columns?.first == OwnLine.sign }
}

extension Event {
    /// nil when a column has an escape that is never written.
    init?(_ line: EventLine) {
        var columns: [[UInt8]] = []
        var rest = line.columns
        while let column = UnsafeRawBufferPointer.takeColumn(of: &rest) {
            guard let bytes = Column.unescape(column) else { return nil }
            columns.append(bytes)
        }
        self.init(time: line.time, columns)
    }

    /// Writes the line without its checksum to the end of `bytes`.
    func write(into bytes: inout [UInt8]) {
        bytes += time.rfc3339Bytes
        for (place, column) in columns.enumerated() {
            bytes.append(0x09)
            if place == 0, column.first == OwnLine.sign {
                bytes += Column.escapeSequence(of: OwnLine.sign)
                Column.escape(Array(column.dropFirst()), into: &bytes)
            } else {
                Column.escape(column, into: &bytes)
            }
        }
    }

    /// Lends the event as it will stand in the file.
    package func withLine<Failure: Error>(_ body: (EventLine) throws(Failure) -> Void) throws(Failure) {
        var content: [UInt8] = []
        write(into: &content)
        try content.withUnsafeBufferPointer { bytes throws(Failure) in
            guard let line = EventLine(UnsafeRawBufferPointer(bytes), offset: 0) else { return }
            try body(line)
        }
    }
}

/// Takes the columns of an event from left to right, each as what it has to be.
///
/// All of its methods throw ``EventError/malformed`` when there is no further column, or it is of another form.
public struct EventReader {
    private var rest: UnsafeRawBufferPointer?

    public init(_ line: EventLine) { rest = line.columns }

    /// Whether all columns were taken.
    public var isAtEnd: Bool { rest == nil }

    /// As it stands in the file.
    package mutating func column() throws(EventError) -> UnsafeRawBufferPointer {
        guard let column = UnsafeRawBufferPointer.takeColumn(of: &rest) else { throw .malformed }
        return column
    }

    public mutating func bytes() throws(EventError) -> [UInt8] {
        guard let bytes = Column.unescape(try column()) else { throw .malformed }
        return bytes
    }

    public mutating func text() throws(EventError) -> String {
        let column = try column()
        guard let text = Column.text(column) else { throw .malformed }
        return text
    }

    /// A number without sign, written as we write it: digits only.
    public mutating func integer() throws(EventError) -> Int64 {
        guard let number = Decimal.parse(try column()) else { throw .malformed }
        return number
    }

    public mutating func time() throws(EventError) -> Timestamp {
        guard let time = Timestamp(rfc3339: try column()) else { throw .malformed }
        return time
    }

    /// `-` stands for none.
    public mutating func optionalTime() throws(EventError) -> Timestamp? { try isNone() ? nil : try time() }

    /// `-` stands for none.
    public mutating func optionalInteger() throws(EventError) -> Int64? { try isNone() ? nil : try integer() }

    /// A list that is separated by spaces.
    public mutating func words() throws(EventError) -> [String] { try text().split(separator: " ").map(String.init) }

    /// Takes a column that stands for none; leaves any other.
    private mutating func isNone() throws(EventError) -> Bool {
        var after = self
        let column = try after.column()
        guard column.count == 1, column[0] == UInt8(ascii: "-") else { return false }
        self = after
        return true
    }
}
