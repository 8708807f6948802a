/// When a journal was written, without reading all of it.
extension JournalFolder {
    /// The times of the first and the last event that stand in the file.
    ///
    /// - Returns: nil where there is no event, or none near the beginning and the end, where one belongs.
    public func times(of journal: String) throws(JournalError) -> (first: Timestamp, last: Timestamp)? {
        let file = try open(path + "/" + journal)
        let size = try file.status().size
        let start = try file.read(Self.reach, at: 0)
        let end = size <= Self.reach ? start : try file.read(Self.reach, at: size - Int64(Self.reach))
        guard let first = Self.lines(start).lazy.compactMap(Self.time).first,
            let last = Self.lines(end).reversed().lazy.compactMap(Self.time).first
        else { return nil }
        return (first, last)
    }

    /// Bytes in which there is a line of an event: labels and lists of limits are shorter.
    private static let reach = 1 << 18

    /// Those that are whole.
    private static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
    }

    /// nil for the first line of a file or of a group, and for what is left of a line.
    private static func time(_ line: ArraySlice<UInt8>) -> Timestamp? {
        line.split(separator: 0x09, maxSplits: 1).first.flatMap { Timestamp(rfc3339: $0) }
    }
}
