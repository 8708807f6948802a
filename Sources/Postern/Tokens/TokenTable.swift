internal import Journal

/// All live tokens, as the events of the journal `tokens` add them up:
/// `TIME  issued  ID  sha256:DIGEST  USER-ID  EPOCH  CREATED  EXPIRES  LABEL  RENEWAL-SECONDS  SCOPES  METHODS
/// PATHS  NETWORKS  SOURCE`, `TIME  renewed  ID  EXPIRES`, `TIME  revoked  ID` and, when it was compacted, `TIME  last-id  ID`.
/// A token that never expires has `-` in its column, and one that a use does not renew; lists are separated by spaces. The
/// columns from `RENEWAL-SECONDS` on are there only for tokens that need them: the four of its limits together, all empty where
/// there are none and `SOURCE` follows, the view that issued it. Versions that know no `SOURCE` pass over it. Ids grow from line to
/// line.
///
/// Of a large journal the first part is in an index, which all processes share and which never changes; the table itself
/// has what came after it: new tokens, and what became of those of the index.
struct TokenTable: EventSourced {
    private let index: TokenIndex?
    private var recent = Parted<SecretDigest, Token>()
    private var digestByID = Parted<Token.ID, SecretDigest>()
    /// Each in the order in which they were issued.
    private var idsByOwner = Parted<TokenOwner, [Token.ID]>()
    private var lastID: Token.ID = 0
    private var greatestRecentUser: User.ID = 0
    /// Tokens of the index that are no more, and those that end at another time than it knows.
    private var revoked = Parted<Token.ID, Void>()
    private var renewed = Parted<Token.ID, Timestamp>()

    init(_: Whole) { index = nil }

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

    /// The greatest id of a user that one of the tokens names; 0: none does.
    var greatestUser: User.ID {
        get throws(StoreError) {
            let indexed = try inIndex { index throws(JournalError) in try index.greatestUser } ?? 0
            return max(indexed, greatestRecentUser)
        }
    }

    /// In the order in which they were issued.
    var all: [Token] {
        get throws(StoreError) {
            var tokens: [Token] = []
            try each { tokens.append($0) }
            return tokens
        }
    }

    /// Calls `body` with each, in the order in which they were issued.
    func each(_ body: (Token) -> Void) throws(StoreError) {
        do throws(JournalError) {
            try index?.lend(without: isRevoked) { token, _, _ throws(JournalError) in
                if let token = now(token) { body(token) }
            }
        } catch {
            throw StoreError(error)
        }
        for token in recent.values.sorted(by: { $0.id < $1.id }) { body(token) }
    }

    /// The ids of a user's tokens, in the order in which they were issued; those that have ended are among them.
    func ids(of user: User.ID) throws(StoreError) -> [Token.ID] {
        let indexed =
            try inIndex { index throws(JournalError) in try index.ids(of: user) }?.filter { !isRevoked($0) } ?? []
        let later = TokenOwner.all(of: user).flatMap { idsByOwner[$0] ?? [] }
        return indexed + later.sorted()
    }

    /// In the order in which they were issued.
    func tokens(of user: User.ID) throws(StoreError) -> [Token] {
        try ids(of: user).map { id throws(StoreError) in try token(id, of: user) }.compactMap(\.self)
    }

    /// In the order in which they were issued.
    func tokens(of owner: TokenOwner) throws(StoreError) -> [Token] {
        let indexed = try inIndex { index throws(JournalError) in try index.ids(of: owner) } ?? []
        let ids = indexed + (idsByOwner[owner] ?? [])
        return try ids.map { id throws(StoreError) in try token(id, of: owner.user) }
            .compactMap { $0?.source == owner.source ? $0 : nil }
    }

    /// nil for one that is gone, or another's.
    func token(_ id: Token.ID, of user: User.ID) throws(StoreError) -> Token? {
        // The index says where to look, and the journal whose it is.
        try self[id].flatMap { $0.user == user ? $0 : nil }
    }

    /// How many tokens of an owner there are, with those that have ended, or `limit` if there are more: so many are looked at,
    /// and none of their lines.
    func count(of owner: TokenOwner, upTo limit: Int) throws(StoreError) -> Int {
        let later = min(limit, idsByOwner[owner]?.count ?? 0)
        let indexed = try inIndex { index throws(JournalError) in
            try index.count(of: owner, upTo: limit - later, isGone: isRevoked)
        }
        return later + (indexed ?? 0)
    }

    private func isRevoked(_ id: Token.ID) -> Bool { revoked[id] != nil }

    /// Whether there is nothing that anybody could still ask about a token.
    static func isForgotten(_ token: Token, of owner: User, at now: Timestamp) -> Bool {
        !isKept(token, at: now) { _, epoch in epoch >= owner.epoch }
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
    static func lastID(_ id: Token.ID) -> Event { Event([Array("last-id".utf8), Array(String(id).utf8)]) }

    static func ends(_ event: Event) -> Bool { [Array("revoked".utf8)].contains(event.columns.first) }

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
            idsByOwner.change(token.owner) { ids in
                if ids?.append(id) == nil { ids = [id] }
            }
            lastID = id
            greatestRecentUser = max(greatestRecentUser, token.user)
        case .renewed(let id, let expires):
            if let digest = digestByID[id] {
                recent.change(digest) { $0?.expires = expires }
            } else if index?.contains(id) ?? false {
                renewed[id] = expires
            }
        case .revoked(let id):
            if let digest = digestByID.replace(id, with: nil), let token = recent.replace(digest, with: nil) {
                idsByOwner.change(token.owner) { ids in
                    let place = ids.flatMap { ids in TokenIndexLayout.place(of: id, among: ids.count) { ids[$0] } }
                    if let place { ids?.remove(at: place) }
                    if ids?.isEmpty ?? false { ids = nil }
                }
            } else if index?.contains(id) ?? false {
                revoked[id] = ()
            }
        case .lastID(let id):
            guard id < .max else { throw .malformed }
            lastID = max(lastID, id)
        }
    }

    /// A token of the index as it is by now; nil when it is no more.
    private func now(_ token: Token) -> Token? {
        guard !isRevoked(token.id) else { return nil }
        guard let expires = renewed[token.id] else { return token }
        var token = token
        token.expires = expires
        return token
    }

    private func indexed(
        _ look: (TokenIndex) throws(JournalError) -> Token?
    ) throws(StoreError) -> Token? {
        try inIndex(look)?.flatMap(now)
    }

    /// nil where there is no index.
    private func inIndex<Result>(
        _ look: (TokenIndex) throws(JournalError) -> Result
    ) throws(StoreError) -> Result? {
        guard let index else { return nil }
        do throws(JournalError) {
            return try look(index)
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
        try index?.lend(without: isRevoked) { known, line, isRenewed throws(JournalError) in
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
        try index?.lend(without: isRevoked) { known, _, _ throws(JournalError) in
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
