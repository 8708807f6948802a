internal import Journal

/// All live tokens, as the events of the journal `tokens` add them up:
/// `TIME  issued  ID  sha256:DIGEST  USER-ID  EPOCH  CREATED  EXPIRES  LABEL  RENEWAL-SECONDS  SCOPES  METHODS
/// PATHS  NETWORKS`, `TIME  renewed  ID  EXPIRES`, `TIME  revoked  ID` and, when it was compacted, `TIME  last-id  ID`. A token that never expires has `-` in its
/// column, and one that a use does not renew; lists are separated by spaces. The columns from `RENEWAL-SECONDS` on
/// are there only for tokens that need them, and the last four together.
struct TokenTable: EventSourced {
    private var byDigest: [SecretDigest: Token] = [:]
    private var digestByID: [Token.ID: SecretDigest] = [:]
    private var idsByUser: [User.ID: [Token.ID]] = [:]
    private var lastID: Token.ID = 0

    subscript(digest: SecretDigest) -> Token? { byDigest[digest] }

    subscript(id: Token.ID) -> Token? { digestByID[id].flatMap { byDigest[$0] } }

    /// The id that the next token gets.
    var nextID: Token.ID { lastID + 1 }

    /// In the order in which they were issued.
    var all: [Token] { byDigest.values.sorted { $0.id < $1.id } }

    /// In the order in which they were issued.
    func tokens(of user: User.ID) -> [Token] { (idsByUser[user] ?? []).compactMap { self[$0] } }

    static func issue(_ token: Token) -> Event {
        let columns = [
            Array("issued".utf8),
            Array(String(token.id).utf8),
            token.digest.column,
            Array(String(token.user).utf8),
            Array(String(token.epoch).utf8),
            Array(token.created.rfc3339.utf8),
            Array((token.expires?.rfc3339 ?? "-").utf8),
            Array(token.label.utf8),
        ]
        guard token.renewal != nil || token.limits != nil else { return Event(columns) }
        let renewal = Array((token.renewal.map(String.init) ?? "-").utf8)
        guard let limits = token.limits else { return Event(columns + [renewal]) }
        let lists = [limits.scopes, limits.methods.map(\.name), limits.paths, limits.networks.map(\.description)]
        return Event(columns + [renewal] + lists.map { Array($0.joined(separator: " ").utf8) })
    }

    static func renewal(of id: Token.ID, until expires: Timestamp) -> Event {
        Event([Array("renewed".utf8), Array(String(id).utf8), Array(expires.rfc3339.utf8)])
    }

    static func revocation(of id: Token.ID) -> Event {
        Event([Array("revoked".utf8), Array(String(id).utf8)])
    }

    var count: Int { byDigest.count + 1 }

    func write(
        at now: Timestamp,
        isAlive: (User.ID, Int64) -> Bool,
        _ body: (Event) throws(JournalError) -> Void
    ) throws(JournalError) {
        for id in digestByID.keys.sorted() {
            guard let token = self[id], token.expires.map({ now < $0.adding(seconds: Self.margin) }) ?? true,
                isAlive(token.user, token.epoch)
            else { continue }
            try body(Event(time: now, Self.issue(token).columns))
        }
        try body(Event(time: now, Self.lastID(lastID).columns))
    }

    /// Seconds for which a token is kept after its end, for whoever asks what became of it.
    private static let margin: Int64 = 7 * 86_400

    /// Ids are given once.
    private static func lastID(_ id: Token.ID) -> Event { Event([Array("last-id".utf8), Array(String(id).utf8)]) }

    mutating func apply(_ event: Event) throws(EventError) {
        var columns = EventReader(event)
        switch try columns.text() {
        case "issued":
            let token = try Self.token(&columns)
            byDigest[token.digest] = token
            digestByID[token.id] = token.digest
            idsByUser[token.user, default: []].append(token.id)
            lastID = max(lastID, token.id)
        case "renewed":
            let id = try columns.integer()
            let expires = try columns.time()
            if let digest = digestByID[id] { byDigest[digest]?.expires = expires }
        case "revoked": remove(try columns.integer())
        case "last-id": lastID = max(lastID, try columns.integer())
        case let verb:
            throw .unknown(verb)
        }
    }

    private mutating func remove(_ id: Token.ID) {
        guard let digest = digestByID.removeValue(forKey: id), let token = byDigest.removeValue(forKey: digest)
        else { return }
        idsByUser[token.user]?.removeAll { $0 == id }
        if idsByUser[token.user]?.isEmpty ?? false { idsByUser[token.user] = nil }
    }

    private static func token(_ columns: inout EventReader) throws(EventError) -> Token {
        let id = try columns.integer()
        let digest = try columns.digest()
        let user = try columns.integer()
        let epoch = try columns.integer()
        let created = try columns.time()
        let expires = try columns.optionalTime()
        let label = try columns.text()
        let renewal = columns.isAtEnd ? nil : try columns.optionalInteger()
        return Token(
            id: id,
            digest: digest,
            user: user,
            epoch: epoch,
            label: label,
            created: created,
            expires: expires,
            renewal: renewal,
            limits: columns.isAtEnd ? nil : try limits(&columns)
        )
    }

    private static func limits(_ columns: inout EventReader) throws(EventError) -> TokenLimits {
        let lists = [try columns.words(), try columns.words(), try columns.words(), try columns.words()]
        guard
            let limits = try? TokenLimits(scopes: lists[0], methods: lists[1], paths: lists[2], networks: lists[3])
        else { throw .malformed }
        return limits
    }
}
