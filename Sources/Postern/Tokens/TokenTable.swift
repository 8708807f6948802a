internal import Journal

/// All live tokens, as the events of the journal `tokens` add them up:
/// `TIME  issued  ID  sha256:DIGEST  USER-ID  EPOCH  CREATED  EXPIRES  LABEL  RENEWAL-SECONDS  SCOPES  METHODS
/// PATHS  NETWORKS`, `TIME  renewed  ID  EXPIRES`, `TIME  revoked  ID` and, when it was compacted, `TIME  last-id  ID`.
/// A token that never expires has `-` in its column, and one that a use does not renew; lists are separated by spaces. The
/// columns from `RENEWAL-SECONDS` on are there only for tokens that need them, and the last four together. Ids grow from
/// line to line.
///
/// Of a large journal the first part is in an index, which all processes share and which never changes; the table itself
/// has what came after it: new tokens, and what became of those of the index.
struct TokenTable: EventSourced {
    private let index: TokenIndex?
    private var recent = Parted<SecretDigest, Token>()
    private var digestByID = Parted<Token.ID, SecretDigest>()
    private var idsByUser = Parted<User.ID, [Token.ID]>()
    private var lastID: Token.ID = 0
    /// Tokens of the index that are no more, and those that end at another time than it knows.
    private var revoked: Set<Token.ID> = []
    private var renewed: [Token.ID: Timestamp] = [:]

    init() { index = nil }

    private init(_ index: TokenIndex) {
        self.index = index
        lastID = index.lastID
    }

    subscript(digest: SecretDigest) -> Token? {
        get throws(StoreError) {
            if let token = recent[digest] { return token }
            return try indexed { index throws(JournalError) in try index.token(digest) }
        }
    }

    subscript(id: Token.ID) -> Token? {
        get throws(StoreError) {
            if let digest = digestByID[id] { return recent[digest] }
            return try indexed { index throws(JournalError) in try index.token(id) }
        }
    }

    /// The id that the next token gets.
    var nextID: Token.ID { lastID + 1 }

    /// In the order in which they were issued.
    var all: [Token] {
        get throws(StoreError) {
            var tokens: [Token] = []
            do throws(JournalError) {
                try index?.lend(without: revoked) { token, _, _ throws(JournalError) in
                    if let token = now(token) { tokens.append(token) }
                }
            } catch {
                throw StoreError(error)
            }
            return tokens + recent.values.sorted { $0.id < $1.id }
        }
    }

    /// In the order in which they were issued.
    func tokens(of user: User.ID) throws(StoreError) -> [Token] {
        var tokens: [Token] = []
        do throws(JournalError) {
            tokens = try index?.tokens(of: user).compactMap(now) ?? []
        } catch {
            throw StoreError(error)
        }
        return tokens + (idsByUser[user] ?? []).compactMap { digestByID[$0].flatMap { recent[$0] } }
    }

    /// How many tokens there are.
    var tokenCount: Int { indexedCount + recent.count }

    /// How many of them are in the index.
    var indexedCount: Int { (index?.count ?? 0) - revoked.count }

    static func renewal(of id: Token.ID, until expires: Timestamp) -> Event {
        Event([Array("renewed".utf8), Array(String(id).utf8), Array(expires.rfc3339.utf8)])
    }

    static func revocation(of id: Token.ID) -> Event {
        Event([Array("revoked".utf8), Array(String(id).utf8)])
    }

    /// Ids are given once.
    private static func lastID(_ id: Token.ID) -> Event { Event([Array("last-id".utf8), Array(String(id).utf8)]) }

    // MARK: Following the journal

    static let isSaved = true

    static func resume(_ source: inout JournalSource) -> (state: TokenTable, events: Int)? {
        guard let index = try? TokenIndex.upToDate(source), (try? source.resume(at: index.checkpoint)) ?? false else {
            return nil
        }
        return (TokenTable(index), index.events)
    }

    static func save(_ source: JournalSource) throws(JournalError) -> Int64 { try TokenIndex.save(source) }

    static func checker(of source: JournalSource) throws(JournalError) -> any JournalChecker {
        TokenChecker(try TokenIndex.saved(source), path: source.savedPath)
    }

    mutating func apply(_ line: EventLine) throws(EventError) {
        switch try TokenEvent(line) {
        case .issued(let id, var columns):
            let token = try Token(id, &columns)
            guard id > lastID, id < .max, recent.replace(token.digest, with: token) == nil else {
                throw .malformed
            }
            digestByID[id] = token.digest
            idsByUser.change(token.user) { ids in
                if ids?.append(id) == nil { ids = [id] }
            }
            lastID = id
        case .renewed(let id, let expires):
            if let digest = digestByID[id] {
                recent.change(digest) { $0?.expires = expires }
            } else if index?.contains(id) ?? false {
                renewed[id] = expires
            }
        case .revoked(let id):
            if let digest = digestByID.replace(id, with: nil), let token = recent.replace(digest, with: nil) {
                idsByUser.change(token.user) { ids in
                    if let place = ids?.firstIndex(of: id) { ids?.remove(at: place) }
                    if ids?.isEmpty ?? false { ids = nil }
                }
            } else if index?.contains(id) ?? false {
                revoked.insert(id)
            }
        case .lastID(let id):
            guard id < .max else { throw .malformed }
            lastID = max(lastID, id)
        }
    }

    /// A token of the index as it is by now; nil when it is no more.
    private func now(_ token: Token) -> Token? {
        guard !revoked.contains(token.id) else { return nil }
        guard let expires = renewed[token.id] else { return token }
        var token = token
        token.expires = expires
        return token
    }

    private func indexed(
        _ look: (TokenIndex) throws(JournalError) -> Token?
    ) throws(StoreError) -> Token? {
        guard let index else { return nil }
        do throws(JournalError) {
            return try look(index).flatMap(now)
        } catch {
            throw StoreError(error)
        }
    }

    // MARK: Compacting

    var count: Int { tokenCount + 1 }

    func write(
        to file: CompactedFile,
        at now: Timestamp,
        isAlive: (User.ID, Int64) -> Bool
    ) throws(JournalError) {
        try index?.lend(without: revoked) { known, line, isRenewed throws(JournalError) in
            guard let token = self.now(known), Self.isKept(token, at: now, isAlive) else { return }
            if isRenewed || renewed[token.id] != nil {
                try file.add(token.issued, at: now)
            } else {
                try file.add(line)
            }
        }
        for token in recent.values.sorted(by: { $0.id < $1.id }) where Self.isKept(token, at: now, isAlive) {
            try file.add(token.issued, at: now)
        }
        try file.add(Self.lastID(lastID), at: now)
    }

    func needed(at now: Timestamp, isAlive: (User.ID, Int64) -> Bool) throws(JournalError) -> Int {
        var needed = 1
        try index?.lend(without: revoked) { known, _, _ throws(JournalError) in
            if let token = self.now(known), Self.isKept(token, at: now, isAlive) { needed += 1 }
        }
        for token in recent.values where Self.isKept(token, at: now, isAlive) { needed += 1 }
        return needed
    }

    private static func isKept(_ token: Token, at now: Timestamp, _ isAlive: (User.ID, Int64) -> Bool) -> Bool {
        token.expires.map({ now < $0.adding(seconds: margin) }) ?? true && isAlive(token.user, token.epoch)
    }

    /// Seconds for which a token is kept after its end, for whoever asks what became of it.
    private static let margin: Int64 = 7 * 86_400
}
