internal import Journal

/// A line of the journal `tokens`: what happened to which token.
enum TokenEvent {
    /// The rest of the line says what it is.
    case issued(Token.ID, EventReader)
    case renewed(Token.ID, until: Timestamp)
    case revoked(Token.ID)
    /// No token had a greater id until then.
    case lastID(Token.ID)

    init(_ line: EventLine) throws(EventError) {
        var columns = EventReader(line)
        let verb = try columns.column()
        if verb.equals("issued") {
            self = .issued(try columns.integer(), columns)
        } else if verb.equals("renewed") {
            self = .renewed(try columns.integer(), until: try columns.time())
        } else if verb.equals("revoked") {
            self = .revoked(try columns.integer())
        } else if verb.equals("last-id") {
            self = .lastID(try columns.integer())
        } else {
            throw .unknown(String(decoding: verb, as: UTF8.self))
        }
    }
}

extension Token {
    /// - Parameter columns: What follows the id in the line that issued it.
    init(_ id: ID, _ columns: inout EventReader) throws(EventError) {
        let digest = try columns.digest()
        let user = try columns.integer()
        let epoch = try columns.integer()
        let created = try columns.time()
        let expires = try columns.optionalTime()
        let label = try columns.text()
        let renewal = columns.isAtEnd ? nil : try Self.renewal(&columns)
        let limits = columns.isAtEnd ? nil : try TokenLimits.read(&columns)
        self.init(
            id: id,
            digest: digest,
            user: user,
            epoch: epoch,
            label: label,
            created: created,
            expires: expires,
            renewal: renewal,
            limits: limits,
            source: columns.isAtEnd ? nil : Source(column: try columns.column())
        )
    }

    private static func renewal(_ columns: inout EventReader) throws(EventError) -> Renewal? {
        let column = try columns.column()
        if column.equals("-") { return nil }
        guard let renewal = Renewal(column: column) else { throw .malformed }
        return renewal
    }

    /// What to write about it: it is issued, or was and is kept.
    var issued: Event {
        let columns = [
            Array("issued".utf8),
            Array(String(id).utf8),
            digest.column,
            Array(String(user).utf8),
            Array(String(epoch).utf8),
            Array(created.rfc3339.utf8),
            Array((expires?.rfc3339 ?? "-").utf8),
            Array(label.utf8),
        ]
        guard renewal != nil || limits != nil || source != nil else { return Event(columns) }
        let renewal = renewal?.column ?? Array("-".utf8)
        guard limits != nil || source != nil else { return Event(columns + [renewal]) }
        let lists = [
            limits?.scopes, limits?.methods.map(\.name), limits?.paths, limits?.networks.map(\.description),
        ]
        let texts = lists.map { Array(($0 ?? []).joined(separator: " ").utf8) }
        return Event(columns + [renewal] + texts + (source.map { [Array($0.name.utf8)] } ?? []))
    }
}

extension Token.Source {
    /// nil for one that a later version may write.
    init?(column: UnsafeRawBufferPointer) {
        if column.equals("token.obtain") {
            self = .obtain
        } else if column.equals("token.login") {
            self = .login
        } else if column.equals("tokens") {
            self = .own
        } else {
            return nil
        }
    }

    /// Of the token whose columns behind the user are these, whatever the others say.
    init?(behindUser columns: inout EventReader) throws(EventError) {
        for _ in 0..<Self.columnsBefore where !columns.isAtEnd { _ = try columns.column() }
        if columns.isAtEnd { return nil }
        self.init(column: try columns.column())
    }

    /// From the epoch to the networks.
    private static let columnsBefore = 9
}

extension TokenLimits {
    /// nil for four empty columns, which stand before the source of a token that is good for everything.
    fileprivate static func read(_ columns: inout EventReader) throws(EventError) -> TokenLimits? {
        var rest = columns
        for _ in 0..<4 where try !rest.column().isEmpty { return try TokenLimits(&columns) }
        columns = rest
        return nil
    }

    private init(_ columns: inout EventReader) throws(EventError) {
        let lists = [try columns.words(), try columns.words(), try columns.words(), try columns.words()]
        guard
            let limits = try? TokenLimits(scopes: lists[0], methods: lists[1], paths: lists[2], networks: lists[3])
        else { throw .malformed }
        self = limits
    }
}
