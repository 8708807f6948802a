/// An OpenAPI 3.1 document of the views on the paths of the shipped includes. Methods, media types, fields of bodies and
/// schemes are what the views themselves say; the table ``Endpoint/all`` adds paths and answers.
struct OpenAPIDocument {
    /// Of the views, by their names.
    let makers: [String: ViewRegistry.Maker]
    /// What a location says that says nothing more.
    let settings: ViewSettings

    func json() throws(PolicyError) -> JSONValue {
        var paths: Schema.Members = []
        for endpoint in Endpoint.all {
            guard let make = makers[endpoint.view] else { continue }
            paths.append((endpoint.path, item(endpoint, try make(settings))))
        }
        return .object([
            ("openapi", .string("3.1.0")),
            (
                "info",
                .object([
                    ("title", .string("Postern")), ("version", .string(Version.current)),
                    (
                        "description",
                        .string(
                            "Authentication and permissions for the web server. An unsafe request of a session carries the CSRF token in X-CSRFToken."
                        )
                    ),
                ])
            ),
            ("servers", .array([.object([("url", .string("/"))])])),
            ("paths", .object(paths)),
            (
                "components",
                .object([
                    ("schemas", .object(Schemas.components)), ("responses", .object(Self.errors.map(Self.response))),
                    ("securitySchemes", .object(Self.schemes)),
                ])
            ),
        ])
    }

    private func item(_ endpoint: Endpoint, _ view: any APIView) -> JSONValue {
        let parameters = endpoint.parameters.map { name -> JSONValue in
            let schema = name == "id" ? Schema.integer(from: 1, to: .max) : Schema.text(("minLength", .integer(1)))
            return Self.parameter(name, in: "path", schema)
        }
        let operations = endpoint.operations.filter { view.methods.contains($0.method) }.map {
            (name: $0.method.name.lowercased(), value: value(of: $0, endpoint, view))
        }
        return .object((parameters.isEmpty ? [] : [("parameters", .array(parameters))]) + operations)
    }

    private func value(of operation: Endpoint.Operation, _ endpoint: Endpoint, _ view: any APIView) -> JSONValue {
        let body = Self.body(of: operation, view)
        var members: Schema.Members = [
            ("operationId", .string(endpoint.view + "." + operation.method.name.lowercased())),
            ("summary", .string(operation.summary)), ("tags", .array([.string(Self.tag(of: endpoint.view))])),
            ("security", .array(Self.security(of: view, isPublic: endpoint.isPublic))),
        ]
        if !operation.query.isEmpty {
            members.append(
                ("parameters", .array(operation.query.map { Self.parameter($0.name, in: "query", $0.value) }))
            )
        }
        if let body {
            let content = view.parses.map { (name: $0.rawValue, value: JSONValue.object([("schema", body.schema)])) }
            members.append(
                ("requestBody", .object([("required", .bool(body.isNeeded)), ("content", .object(content))]))
            )
        }
        var answers: Schema.Members = [
            (String(operation.status), Self.answer(operation, rendersHTML: view.rendersHTML))
        ]
        if view.rendersHTML, operation.method == .post {
            answers.append(("302", .object([("description", .string("To the next page, for a browser."))])))
        }
        for status in Self.errors.map(\.status)
        where Self.canAnswer(status, operation, endpoint, view, hasBody: body != nil) {
            answers.append(
                (String(status), .object([("$ref", .string("#/components/responses/\(Self.name(of: status))"))]))
            )
        }
        members.append(("responses", .object(answers)))
        return .object(members)
    }

    /// The schema of the body, as the view describes its fields to OPTIONS; nil where it reads none.
    private static func body(
        of operation: Endpoint.Operation,
        _ view: any APIView
    ) -> (schema: JSONValue, isNeeded: Bool)? {
        let isPartial = operation.method == .patch
        guard case .object(let actions)? = view.actions, !operation.method.isSafe, operation.method != .delete,
            case .object(let fields)? = actions.first(where: { $0.name == (isPartial ? "PUT" : operation.method.name) }
            )?
            .value
        else { return nil }
        var (properties, optional): (Schema.Members, [String]) = ([], operation.optionalFields)
        for (name, description) in fields {
            guard case .object(let members) = description else { continue }
            func says(_ member: String) -> Bool {
                if case .bool(true)? = members.first(where: { $0.name == member })?.value { true } else { false }
            }
            if says("read_only") { continue }
            properties.append((name, Schemas.field(name)))
            if isPartial || !says("required") { optional.append(name) }
        }
        for name in operation.optionalFields { properties.append((name, Schemas.field(name))) }
        let isNeeded = properties.contains { !optional.contains($0.name) }
        return (Schema.object(properties, optional: optional), isNeeded)
    }

    private static func answer(_ operation: Endpoint.Operation, rendersHTML: Bool) -> JSONValue {
        var members: Schema.Members = [("description", .string(operation.summary + "."))]
        var content: Schema.Members = []
        if let schema = operation.schema { content.append(("application/json", .object([("schema", schema)]))) }
        if rendersHTML, operation.schema != nil { content.append(page) }
        if !content.isEmpty { members.append(("content", .object(content))) }
        return .object(members)
    }

    private static let page: (name: String, value: JSONValue) = (
        "text/html", .object([("schema", .object([("type", .string("string"))]))])
    )

    private static func parameter(_ name: String, in place: String, _ schema: JSONValue) -> JSONValue {
        .object([
            ("name", .string(name)), ("in", .string(place)), ("required", .bool(place == "path")), ("schema", schema),
        ])
    }

    private static func tag(of view: String) -> String { String(view.prefix { $0 != "." }) }
}

// MARK: - Who may ask

extension OpenAPIDocument {
    /// The authenticators of the view, by the schemes in which clients know them.
    private static func security(of view: any APIView, isPublic: Bool) -> [JSONValue] {
        let needsNobody = isPublic || view.defaultPermission is AllowAny
        var names: [String] = []
        for authenticator in view.defaultAuthentication {
            for name in schemesByAuthenticator[authenticator] ?? [] where !names.contains(name) { names.append(name) }
        }
        let anybody: [JSONValue] = needsNobody ? [.object([])] : []
        return anybody + names.map { .object([($0, .array([]))]) }
    }

    private static let schemesByAuthenticator = [
        "Token": ["token", "bearer"], "Knox": ["token"], "JWT": ["bearer"], "Session": ["session"], "Basic": ["basic"],
    ]

    private static let schemes: Schema.Members = [
        (
            "token",
            .object([
                ("type", .string("apiKey")), ("in", .string("header")), ("name", .string("Authorization")),
                ("description", .string("The word Token, a space, and a token.")),
            ])
        ),
        (
            "bearer",
            .object([
                ("type", .string("http")), ("scheme", .string("bearer")),
                ("description", .string("A token, or a JSON Web Token.")),
            ])
        ),
        ("basic", .object([("type", .string("http")), ("scheme", .string("basic"))])),
        (
            "session",
            .object([("type", .string("apiKey")), ("in", .string("cookie")), ("name", .string("sessionid"))])
        ),
    ]
}

// MARK: - What is refused

extension OpenAPIDocument {
    private static let errors: [(status: Int, description: String)] = [
        (400, "The body, or the query, is not what it should be."),
        (401, "No credential, or one that is not good."),
        (403, "Not allowed, or a forged request, or a credential over a connection that is not encrypted."),
        (404, "There is none."),
        (406, "Accept wants another form than JSON."),
        (413, "The body is larger than 64 KiB."),
        (415, "The body is of another media type."),
        (429, "Too many requests, or credentials that were refused."),
        (503, "The store, or the hashing of passwords, cannot be had now."),
    ]

    private static func canAnswer(
        _ status: Int,
        _ operation: Endpoint.Operation,
        _ endpoint: Endpoint,
        _ view: any APIView,
        hasBody: Bool
    ) -> Bool {
        let recognises = !view.defaultAuthentication.isEmpty
        return switch status {
        case 400: hasBody || operation.errors.contains(400)
        case 401: recognises || view.challenge != nil
        case 403: recognises || view.takesSecret || view.rendersHTML
        case 404: !endpoint.parameters.isEmpty || operation.errors.contains(404)
        case 406: !view.rendersHTML
        case 413, 415: hasBody
        case 429: recognises || view.takesSecret
        default: true
        }
    }

    private static func name(of status: Int) -> String { "Error\(status)" }

    private static func response(_ status: Int, _ description: String) -> (name: String, value: JSONValue) {
        let schema =
            status == 400
            ? Schema.anyOf(Schema.reference("Detail"), Schema.reference("Messages")) : Schema.reference("Detail")
        var members: Schema.Members = [("description", .string(description))]
        let field: String? =
            switch status {
            case 401: "WWW-Authenticate"
            case 429, 503: "Retry-After"
            default: nil
            }
        if let field { members.append(("headers", .object([(field, .object([("schema", Schema.text)]))]))) }
        let json: (name: String, value: JSONValue) = ("application/json", .object([("schema", schema)]))
        // Of the views that have pages.
        members.append(("content", .object([400, 403, 429, 503].contains(status) ? [json, page] : [json])))
        return (name(of: status), .object(members))
    }
}
