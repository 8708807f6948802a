internal import Journal

/// All live tokens, as the events of the journal `tokens` add them up:
/// `TIME  issued  ID  sha256:DIGEST  USER-ID  EPOCH  CREATED  EXPIRES  LABEL` and `TIME  revoked  ID`.
/// A token that never expires has `-` in its column.
struct TokenTable: EventSourced {
    private var byDigest: [TokenDigest: Token] = [:]
    private var digestByID: [Token.ID: TokenDigest] = [:]
    private var lastID: Token.ID = 0

    subscript(digest: TokenDigest) -> Token? { byDigest[digest] }

    subscript(id: Token.ID) -> Token? { digestByID[id].flatMap { byDigest[$0] } }

    /// The id that the next token gets.
    var nextID: Token.ID { lastID + 1 }

    /// In the order in which they were issued.
    var all: [Token] { byDigest.values.sorted { $0.id < $1.id } }

    static func issue(_ token: Token) -> Event {
        Event([
            Array("issued".utf8),
            Array(String(token.id).utf8),
            digestPrefix + token.digest.hexadecimal,
            Array(String(token.user).utf8),
            Array(String(token.epoch).utf8),
            Array(token.created.rfc3339.utf8),
            Array((token.expires?.rfc3339 ?? "-").utf8),
            Array(token.label.utf8),
        ])
    }

    static func revocation(of id: Token.ID) -> Event {
        Event([Array("revoked".utf8), Array(String(id).utf8)])
    }

    mutating func apply(_ event: Event) throws(EventError) {
        var columns = EventReader(event)
        switch try columns.text() {
        case "issued":
            let token = try Self.token(&columns)
            byDigest[token.digest] = token
            digestByID[token.id] = token.digest
            lastID = max(lastID, token.id)
        case "revoked":
            if let digest = digestByID.removeValue(forKey: try columns.integer()) { byDigest[digest] = nil }
        case let verb:
            throw .unknown(verb)
        }
    }

    private static let digestPrefix = Array("sha256:".utf8)

    private static func token(_ columns: inout EventReader) throws(EventError) -> Token {
        let id = try columns.integer()
        let digestText = try columns.bytes()
        guard digestText.starts(with: digestPrefix),
            let digest = TokenDigest(hexadecimal: Array(digestText.dropFirst(digestPrefix.count)))
        else { throw .malformed }
        let user = try columns.integer()
        let epoch = try columns.integer()
        let created = try columns.time()
        let expires = try columns.optionalTime()
        let label = try columns.text()
        return Token(
            id: id,
            digest: digest,
            user: user,
            epoch: epoch,
            label: label,
            created: created,
            expires: expires
        )
    }
}
