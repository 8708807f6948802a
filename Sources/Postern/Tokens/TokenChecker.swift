internal import Journal

/// Reads every line of the journal `tokens` for what it means, and makes the index anew to hold it against the one that is
/// saved: nobody else looks at the lines that an index covers until somebody asks for their tokens.
struct TokenChecker: JournalChecker {
    private let index: TokenIndex?
    private let path: String
    private var builder = TokenIndexBuilder()
    private var greatestTime = Timestamp(microseconds: .min)
    /// nil: no group ends where the index does.
    private var agrees: Bool?

    /// - Parameter path: Of the file of the index.
    init(_ index: TokenIndex?, path: String) {
        self.index = index
        self.path = path
        // One of no group at all.
        if let index, index.checkpoint.sequence == 0 {
            agrees = index.isMade(by: builder, greatestTime: greatestTime)
        }
    }

    mutating func apply(_ line: EventLine) throws(EventError) {
        if case .issued(let id, var columns) = try TokenEvent(line) { _ = try Token(id, &columns) }
        try builder.apply(line)
        greatestTime = max(greatestTime, line.time)
    }

    mutating func endGroup(at offset: Int64, sequence: Int64, checksum: UInt32) {
        guard let index, offset == index.checkpoint.offset else { return }
        agrees =
            sequence == index.checkpoint.sequence && checksum == index.checkpoint.checksum
            && index.isMade(by: builder, greatestTime: greatestTime)
    }

    func finish() throws(JournalError) {
        if index != nil, !(agrees ?? false) { throw .wrongIndex(path: path) }
    }
}
