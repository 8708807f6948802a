internal import Journal

/// A user's own tokens: lists them, in pages, and makes another one, which is shown for the only time.
///
/// A list is an array, as it was before there were pages: a client that knows of none gets the first page, and `Link` says where
/// the others are (RFC 8288).
struct TokensView: APIView {
    let name = "Token List"
    let methods: [Method] = [.get, .post]
    let needsUnlimitedCredential = true
    let accounts: Accounts
    let settings: TokenSettings

    /// As long as those of the command line.
    private static let lifetime = TokenSettings.Lifetime.seconds(365 * 86_400)

    /// Tokens of a page, where the client does not say: as many as a user may make here.
    private static let pageSize = TokenQuota.defaultCount

    private static let serializer = Serializer(fields: [
        CharField(name: "label", isRequired: false, allowsBlank: true, takesNumbers: false, maximumLength: 100),
        CharField(name: "expiry", isRequired: false),
    ])

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let user = request.user else { throw .notAuthenticated }
        do {
            if request.method == .post { return try create(for: user, request) }
            return try list(for: user, request)
        } catch {
            throw APIError(any: error)
        }
    }

    private func list(for user: User, _ request: APIRequest) throws -> APIResponse {
        let page = try Pagination(request.query, defaultSize: Self.pageSize)
        // Who has many waits elsewhere for what is looked through.
        let ids = try accounts.store.withTokenTable { table throws(StoreError) in try table.ids(of: user.id) }
        if ids.count > Pagination.maximumSize { try request.willWait() }
        let now = accounts.store.now()
        let (count, tokens) = try accounts.store.withTokenTable { table throws(StoreError) in
            var (count, tokens) = (0, [Token]())
            for id in ids {
                guard let token = try table.token(id, of: user.id), token.isGood(for: user, at: now) else { continue }
                count += 1
                // One more than the page has says that there is another page.
                if count > page.offset + page.size { break }
                if count > page.offset { tokens.append(token) }
            }
            return (count, tokens)
        }
        let results = tokens.map { JSONValue.object(Self.members(of: $0, request)) }
        let links = try page.links(hasNext: count > page.offset + page.size, isEmpty: results.isEmpty, [], for: request)
        return APIResponse(.array(results), fields: [APIResponse.noStore] + links)
    }

    var actions: JSONValue? {
        Metadata.actions((["label", "expiry"] + Self.limitNames).map { .init($0, isRequired: false) })
    }

    static func members(of token: Token, _ request: APIRequest?) -> [(name: String, value: JSONValue)] {
        let isCurrent = if case .token(let current)? = request?.credential { current.id == token.id } else { false }
        return [
            ("id", .integer(token.id)), ("label", .string(token.label)), ("created", .string(token.created.rfc3339)),
            ("expiry", token.expires.map { .string($0.rfc3339) } ?? .null), ("current", .bool(isCurrent)),
        ] + Self.members(ofLimits: token.limits)
    }

    private static let limitNames = ["scopes", "methods", "paths", "networks"]

    static func members(ofLimits limits: TokenLimits?) -> [(name: String, value: JSONValue)] {
        let lists = [
            limits?.scopes, limits?.methods.map(\.name), limits?.paths, limits?.networks.map(\.description),
        ]
        return zip(limitNames, lists).map { ($0, .array(($1 ?? []).map { .string($0) })) }
    }

    /// nil where none is asked for.
    private static func limits(_ data: RequestData) throws(APIError) -> TokenLimits? {
        var lists: [[String]] = []
        for name in limitNames { lists.append(try words(data[name], name)) }
        do throws(TokenLimitError) {
            let limits = try TokenLimits(scopes: lists[0], methods: lists[1], paths: lists[2], networks: lists[3])
            guard limits.size <= TokenLimits.maximumSize else { throw TokenLimitError.tooLong }
            return limits.isEmpty ? nil : limits
        } catch {
            throw Serializer.nonFieldError(error.description)
        }
    }

    /// A list of texts, or one text with spaces between them, as a form has it.
    private static func words(_ value: RequestData.Value?, _ name: String) throws(APIError) -> [String] {
        switch value {
        case nil, .other(.null): return []
        case .text(let text, nil):
            // Before it becomes words: none of them would fit.
            guard text.count <= TokenLimits.maximumSize else {
                throw Serializer.nonFieldError(TokenLimitError.tooLong.description)
            }
            return text.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        case .list(let texts?): return texts.map { String(decoding: $0, as: UTF8.self) }
        default: throw .invalid(.object([(name, .array([.string("Expected a list of texts.")]))]))
        }
    }

    private func create(for user: User, _ request: APIRequest) throws -> APIResponse {
        let data = try request.data()
        let values = try Self.serializer.validate(data)
        do {
            let (token, secret) = try accounts.issueToken(
                for: user,
                label: values["label"].map { String(decoding: $0, as: UTF8.self) } ?? "",
                expires: try expiry(values["expiry"]),
                limits: try Self.limits(data),
                source: .own,
                quota: .refusing(beyond: settings.limit ?? TokenQuota.defaultCount),
                request: request
            )
            var members = Self.members(of: token, nil)
            members.append(("token", .string(secret.text)))
            return APIResponse(status: 201, .object(members), fields: [APIResponse.noStore])
        } catch StoreError.tokenLimitReached {
            throw Serializer.nonFieldError("Maximum amount of tokens allowed per user exceeded.")
        }
    }

    /// No later than the location's lifetime from now.
    private func expiry(_ text: [UInt8]?) throws(APIError) -> Timestamp? {
        let now = accounts.store.now()
        let seconds: Int64? =
            if case .seconds(let seconds) = settings.lifetime ?? Self.lifetime { seconds } else { nil }
        let latest = seconds.map { now.adding(seconds: $0) }
        guard let text else { return latest }
        guard let time = Timestamp(rfc3339: text[...]) else {
            throw Self.invalidExpiry(
                "Datetime has wrong format. Use this format instead: YYYY-MM-DDThh:mm:ss[.uuuuuu]Z."
            )
        }
        guard now < time else { throw Self.invalidExpiry("This time has passed.") }
        guard latest.map({ time <= $0 }) ?? true else {
            throw Self.invalidExpiry("This is later than tokens may live here.")
        }
        return time
    }

    private static func invalidExpiry(_ text: String) -> APIError {
        .invalid(.object([("expiry", .array([.string(text)]))]))
    }
}
