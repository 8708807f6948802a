internal import Journal

/// Reads every line of the journal `tokens` for what it means, and makes the index anew to hold it against the one that is
/// saved: nobody else looks at the lines that an index covers until somebody asks for their tokens.
struct TokenChecker: JournalChecker {
    private let index: TokenIndex?
    private let path: String
    private var builder = TokenIndexBuilder()
    private var greatestTime = Timestamp(microseconds: .min)
    /// nil: the lines that are in the index have not all been seen.
    private var agrees: Bool?

    /// - Parameter path: Of the file of the index.
    init(_ index: TokenIndex?, path: String) {
        self.index = index
        self.path = path
    }

    mutating func apply(_ line: EventLine) throws(EventError) {
        if let index, agrees == nil, line.offset >= index.checkpoint.offset { compare(index) }
        if case .issued(let id, var columns) = try TokenEvent(line) { _ = try Token(id, &columns) }
        try builder.apply(line)
        greatestTime = max(greatestTime, line.time)
    }

    private mutating func compare(_ index: TokenIndex) {
        agrees = index.isMade(by: builder, greatestTime: greatestTime)
    }

    mutating func finish() throws(JournalError) {
        guard let index else { return }
        if agrees == nil { compare(index) }
        if agrees == false { throw .wrongIndex(path: path) }
    }
}
