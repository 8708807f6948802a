internal import Journal

/// A state that is nothing but what the events of one journal add up to, from the first to the last.
protocol EventSourced: Sendable {
    /// What of it somebody may ask about. A state of a part has only that, and what every state has: which ids and epochs were
    /// given away.
    associatedtype Part: Sendable = Whole

    /// What the events add up to before the first one.
    init(_ part: Part)

    static var whole: Part { get }

    /// Whether it says the same about this part as one of all that there is.
    func covers(_ part: Part) -> Bool

    /// Whether it is saved beside a large journal, so that not everybody has to be told everything.
    static var isSaved: Bool { get }

    /// A state that was saved and how many events it holds; `source` goes on behind them. nil: everything has to be told.
    static func resume(_ source: inout JournalSource) -> (state: Self, events: Int)?

    /// Saves what ``resume(_:)`` finds, where it is worth it and not done yet.
    /// - Returns: Bytes of the journal that are saved now.
    static func save(_ source: JournalSource) throws(JournalError) -> Int64

    /// What checks the lines that ``resume(_:)`` passes over.
    static func checker(of source: JournalSource) throws(JournalError) -> any JournalChecker

    /// Whether an event only ends something: such are written also when the disk is full, with the room that is kept for them.
    static func ends(_ event: Event) -> Bool

    /// - Throws: ``EventError`` when the event is not one of this journal's; the state is of no use then, and is told anew.
    mutating func apply(_ event: EventLine) throws(EventError)

    /// How much there is of it: as many events as ``write(to:at:isAlive:)`` is about to write, or some more.
    var count: Int { get }

    /// How many events ``write(to:at:isAlive:)`` would write, by a look at each.
    func needed(at now: Timestamp, isAlive: (User.ID, _ epoch: Int64) -> Bool) throws(JournalError) -> Int

    /// Writes what makes the same state anew, without what nobody will ask for again.
    ///
    /// - Parameter isAlive: Whether a credential of this user and epoch may still be good.
    func write(
        to file: CompactedFile,
        at now: Timestamp,
        isAlive: (User.ID, _ epoch: Int64) -> Bool
    ) throws(JournalError)
}

/// Of a state that is never of a part.
enum Whole {
    case whole
}

extension EventSourced where Part == Whole {
    static var whole: Whole { .whole }

    func covers(_ part: Whole) -> Bool { true }
}

extension EventSourced {
    init() { self.init(Self.whole) }

    static var isSaved: Bool { false }

    static func resume(_ source: inout JournalSource) -> (state: Self, events: Int)? { nil }

    static func save(_ source: JournalSource) throws(JournalError) -> Int64 { 0 }

    static func checker(of source: JournalSource) -> any JournalChecker { NothingToCheck() }

    func needed(at now: Timestamp, isAlive: (User.ID, Int64) -> Bool) throws(JournalError) -> Int { count }
}

/// For a journal of which whoever opens it is told every line.
private struct NothingToCheck: JournalChecker {
    func apply(_ line: EventLine) {}
    func endGroup(at offset: Int64, sequence: Int64, checksum: UInt32) {}
    func finish() {}
}

extension EventReader {
    /// As ``SecretDigest/column`` writes it.
    mutating func digest() throws(EventError) -> SecretDigest {
        guard let digest = SecretDigest(column: try column()) else { throw .malformed }
        return digest
    }
}
