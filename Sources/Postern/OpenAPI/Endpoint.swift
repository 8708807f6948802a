/// A view on the path to which the shipped includes bind it, and what no view can say of itself: what it answers.
struct Endpoint {
    let path: String
    /// As `POSTERN_VIEW` names it.
    let view: String
    let operations: [Operation]
    /// Whether the includes let everybody ask, whatever the view does by itself.
    var isPublic = false

    init(_ path: String, _ view: String, isPublic: Bool = false, _ operations: Operation...) {
        self.path = path
        self.view = view
        self.isPublic = isPublic
        self.operations = operations
    }

    struct Operation {
        let method: Method
        let summary: String
        /// Parameters of the query with their schemas.
        var query: Schema.Members = []
        /// The status of success, and the schema of its body; nil for none.
        let status: Int
        let schema: JSONValue?
        /// Statuses of errors beside those that the view's ways make possible.
        var errors: [Int] = []
        /// Fields of the body that the view does not list for OPTIONS.
        var optionalFields: [String] = []

        init(
            _ method: Method,
            _ summary: String,
            _ status: Int = 200,
            _ answer: Answer? = nil,
            query: Schema.Members = [],
            errors: [Int] = [],
            optionalFields: [String] = []
        ) {
            self.method = method
            self.summary = summary
            self.status = status
            schema = answer?.schema
            self.query = query
            self.errors = errors
            self.optionalFields = optionalFields
        }
    }

    /// What the body of an answer looks like: the name of one of ``Schemas/components``.
    struct Answer: ExpressibleByStringLiteral {
        let schema: JSONValue

        init(stringLiteral name: String) { schema = Schema.reference(name) }

        private init(schema: JSONValue) { self.schema = schema }

        static func list(of name: String) -> Answer { Answer(schema: Schema.list(of: Schema.reference(name))) }
    }

    /// Parameters in braces of the path.
    var parameters: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }
}

extension Endpoint {
    private static let page: Schema.Members = ["page", "page_size"].map { name in
        let bounds = Pagination.numbers
        return (name, Schema.integer(from: bounds.lowerBound, to: bounds.upperBound))
    }

    /// In the order of the includes.
    static let all: [Endpoint] = [
        Endpoint(
            "/api-token-auth/",
            "token.obtain",
            Operation(.post, "A token for a username and a password", 200, "Token")
        ),
        Endpoint(
            "/api/auth/login/",
            "token.login",
            Operation(.post, "A token for whoever is recognised by another scheme", 200, "TokenWithExpiry")
        ),
        Endpoint("/api/auth/logout/", "token.logout", Operation(.post, "End the token of this request", 204)),
        Endpoint(
            "/api/auth/logoutall/",
            "token.logoutall",
            Operation(.post, "End every credential of the caller", 204)
        ),
        Endpoint(
            "/api/tokens/",
            "tokens",
            Operation(
                .get,
                "The caller's tokens, a page of them; Link leads to the others",
                200,
                .list(of: "OwnToken"),
                query: page,
                errors: [400, 404]
            ),
            Operation(.post, "Another token", 201, "NewToken")
        ),
        Endpoint(
            "/api/tokens/{id}/",
            "tokens.detail",
            Operation(.get, "One of the caller's tokens", 200, "OwnToken"),
            Operation(.delete, "Revoke it", 204)
        ),
        Endpoint(
            "/api/token/",
            "jwt.obtain",
            Operation(.post, "JSON Web Tokens for a username and a password", 200, "TokenPair")
        ),
        Endpoint(
            "/api/token/refresh/",
            "jwt.refresh",
            Operation(.post, "New JSON Web Tokens for a refresh token", 200, "TokenPair")
        ),
        Endpoint(
            "/api/token/verify/",
            "jwt.verify",
            Operation(.post, "Whether a JSON Web Token is good", 200, "Nothing")
        ),
        Endpoint(
            "/api/token/blacklist/",
            "jwt.blacklist",
            Operation(.post, "End a refresh token and its family", 200, "Nothing")
        ),
        Endpoint(
            "/.well-known/jwks.json",
            "jwt.jwks",
            Operation(.get, "The public keys of the JSON Web Tokens (RFC 7517)", 200, "KeySet")
        ),
        Endpoint(
            "/api-auth/login/",
            "session.login",
            Operation(.get, "A form; as JSON, the token against forged requests", 200, "CSRFToken"),
            Operation(.post, "Begin a session", 200, "WhoAmI", optionalFields: ["next"])
        ),
        Endpoint("/api-auth/logout/", "session.logout", Operation(.post, "End the session", 204)),
        Endpoint(
            "/oauth/introspect/",
            "oauth.introspect",
            Operation(
                .post,
                "Whether a token is good, and whose it is (RFC 7662)",
                200,
                "Introspection",
                optionalFields: ["token_type_hint"]
            )
        ),
        Endpoint(
            "/oauth/revoke/",
            "oauth.revoke",
            Operation(.post, "End a token (RFC 7009)", optionalFields: ["token_type_hint"])
        ),
        Endpoint("/api/password/", "password", Operation(.post, "Change one's own password", 200, "Detail")),
        Endpoint(
            "/api/users/",
            "users",
            Operation(
                .get,
                "Users in the order of their ids",
                200,
                "UserPage",
                query: page + [("search", Schema.text), ("is_active", Schema.boolean)],
                errors: [400, 404]
            ),
            Operation(.post, "Add a user", 201, "NewUser")
        ),
        Endpoint(
            "/api/users/{id}/",
            "users.detail",
            Operation(.get, "One user", 200, "User"),
            Operation(.put, "Change a user", 200, "User"),
            Operation(.patch, "Change some fields of a user", 200, "User"),
            Operation(.delete, "Delete a user", 204, errors: [400])
        ),
        Endpoint(
            "/api/users/{id}/set-password/",
            "users.set-password",
            Operation(.post, "Set a password, and end every credential of the user", 200, "Detail")
        ),
        Endpoint(
            "/api/users/{id}/revoke-all/",
            "users.revoke-all",
            Operation(.post, "End every credential of a user", 204)
        ),
        Endpoint(
            "/api/groups/",
            "groups",
            Operation(.get, "Groups in the order of their names", 200, "GroupPage", query: page, errors: [400, 404]),
            Operation(.post, "Add a group", 201, "Group")
        ),
        Endpoint(
            "/api/groups/{name}/",
            "groups.detail",
            Operation(.get, "One group", 200, "Group"),
            Operation(.put, "Give a group other permissions", 200, "Group"),
            Operation(.patch, "Give a group other permissions", 200, "Group"),
            Operation(.delete, "Delete a group", 204)
        ),
        Endpoint("/whoami/", "whoami", isPublic: true, Operation(.get, "Who is asking, or nulls", 200, "WhoAmI")),
        Endpoint("/health/", "health", Operation(.get, "Whether requests can be answered", 200, "Health")),
    ]

    /// Views that stand where a location says, or answer web servers and monitors, and the document itself.
    static let viewsApart: Set = ["gate", "forward-auth", "message", "metrics", "openapi"]
}
