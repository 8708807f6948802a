internal import Journal

/// A state that is nothing but what the events of one journal add up to, from the first to the last.
protocol EventSourced: Sendable {
    init()

    /// - Throws: ``EventError`` when the event is not one of this journal's; the state is unchanged then.
    mutating func apply(_ event: Event) throws(EventError)

    /// How much there is of it: as many events as ``write(at:isAlive:_:)`` is about to hand over, or some more.
    var count: Int { get }

    /// Hands over what makes the same state anew, without what nobody will ask for again.
    ///
    /// - Parameter isAlive: Whether a credential of this user and epoch may still be good.
    func write(
        at now: Timestamp,
        isAlive: (User.ID, _ epoch: Int64) -> Bool,
        _ body: (Event) throws(JournalError) -> Void
    ) throws(JournalError)
}

/// Takes the columns of an event from left to right, each as what it has to be.
struct EventReader {
    private let event: Event
    private var position = 0

    init(_ event: Event) { self.event = event }

    mutating func bytes() throws(EventError) -> [UInt8] {
        guard position < event.columns.count else { throw .malformed }
        defer { position += 1 }
        return event.columns[position]
    }

    mutating func text() throws(EventError) -> String {
        guard let text = String(validating: try bytes(), as: UTF8.self) else { throw .malformed }
        return text
    }

    /// A number without sign, written as we write it: digits only.
    mutating func integer() throws(EventError) -> Int64 {
        let digits = try bytes()
        guard let number = Decimal.parse(digits[...]) else { throw .malformed }
        return number
    }

    mutating func time() throws(EventError) -> Timestamp {
        guard let time = Timestamp(rfc3339: try bytes()[...]) else { throw .malformed }
        return time
    }

    /// As ``SecretDigest/column`` writes it.
    mutating func digest() throws(EventError) -> SecretDigest {
        guard let digest = SecretDigest(column: try bytes()) else { throw .malformed }
        return digest
    }

    /// Whether there is another column.
    var isAtEnd: Bool { position == event.columns.count }

    /// `-` stands for none.
    mutating func optionalTime() throws(EventError) -> Timestamp? {
        let text = try bytes()
        if text == [UInt8(ascii: "-")] { return nil }
        guard let time = Timestamp(rfc3339: text[...]) else { throw .malformed }
        return time
    }

    /// `-` stands for none.
    mutating func optionalInteger() throws(EventError) -> Int64? {
        let text = try bytes()
        if text == [UInt8(ascii: "-")] { return nil }
        guard let number = Decimal.parse(text[...]) else { throw .malformed }
        return number
    }

    /// A list that is separated by spaces.
    mutating func words() throws(EventError) -> [String] { try text().split(separator: " ").map(String.init) }
}
