/// What bodies look like, by the names under which the document refers to them.
enum Schemas {

    private static let limits: Schema.Members = ["scopes", "methods", "paths", "networks"].map { ($0, Schema.texts) }

    private static let ownToken: Schema.Members =
        [
            ("id", Schema.integer), ("label", Schema.text), ("created", Schema.time),
            ("expiry", Schema.orNull(Schema.time)), ("current", Schema.boolean),
        ] + limits

    private static let user: Schema.Members = [
        ("id", Schema.integer), ("username", Schema.text), ("is_active", Schema.boolean), ("is_staff", Schema.boolean),
        ("is_superuser", Schema.boolean), ("groups", Schema.texts), ("user_permissions", Schema.texts),
        ("date_joined", Schema.time),
    ]

    /// Answers.
    static let components: Schema.Members = [
        (
            "Detail",
            Schema.object([("detail", Schema.text), ("code", Schema.text)], optional: ["code"], "Why it was refused.")
        ),
        (
            "Messages",
            .object([
                ("type", .string("object")),
                ("description", .string("What is wrong, by the fields of the body; non_field_errors is of the whole.")),
                ("additionalProperties", Schema.anyOf(Schema.texts, Schema.text)),
            ])
        ),
        ("Token", Schema.object([("token", Schema.text)])),
        ("TokenWithExpiry", Schema.object([("expiry", Schema.orNull(Schema.time)), ("token", Schema.text)])),
        ("OwnToken", Schema.object(ownToken)),
        ("NewToken", Schema.object(ownToken + [("token", Schema.text)], "The token is shown for the only time.")),
        ("TokenPair", Schema.object([("refresh", Schema.text), ("access", Schema.text)], optional: ["refresh"])),
        ("Nothing", .object([("type", .string("object")), ("maxProperties", .integer(0))])),
        ("KeySet", Schema.object([("keys", Schema.list(of: .object([("type", .string("object"))])))])),
        ("CSRFToken", Schema.object([("csrfmiddlewaretoken", Schema.text)])),
        (
            "WhoAmI",
            Schema.object([
                ("id", Schema.orNull(Schema.integer)), ("username", Schema.orNull(Schema.text)),
                ("is_staff", Schema.orNull(Schema.boolean)), ("is_superuser", Schema.orNull(Schema.boolean)),
                ("scheme", Schema.orNull(Schema.text)),
            ])
        ),
        (
            "Introspection",
            Schema.object(
                [
                    ("active", Schema.boolean), ("username", Schema.text), ("sub", Schema.text),
                    ("token_type", Schema.text), ("exp", Schema.integer), ("iat", Schema.integer),
                    ("scope", Schema.text),
                ],
                optional: ["username", "sub", "token_type", "exp", "iat", "scope"],
                "RFC 7662, section 2.2."
            )
        ),
        ("Health", Schema.object([("status", Schema.text)])),
        ("User", Schema.object(user)),
        (
            "NewUser",
            Schema.object(
                user + [("token", Schema.text)],
                optional: ["token"],
                "With a token, for the only time, where the server makes one for each new user."
            )
        ),
        ("UserPage", Schema.page(of: "User")),
        ("Group", Schema.object([("name", Schema.text), ("permissions", Schema.texts)])),
        ("GroupPage", Schema.page(of: "Group")),
    ]

    /// A field of a request's body, by its name: what the views' own lists of their fields do not say.
    static func field(_ name: String) -> JSONValue {
        switch name {
        case "username", "name": Schema.text(("minLength", .integer(1)), ("maxLength", .integer(150)))
        case "label": Schema.text(("maxLength", .integer(100)))
        case "expiry": Schema.time
        case "is_active", "is_staff", "is_superuser": Schema.boolean
        case "groups", "scopes", "methods", "paths", "networks": Schema.texts
        case "permissions", "user_permissions":
            Schema.list(of: Schema.text(("maxLength", .integer(255)), ("pattern", .string(permission))))
        case "next": Schema.text
        // Whatever it is, it is passed over (RFC 7009, section 2.1).
        case "token_type_hint": .object([])
        default: Schema.text(("minLength", .integer(1)))
        }
    }

    /// What ``PermissionName`` takes: visible characters of ASCII without quotes, commas and backslashes, and a full stop
    /// within.
    private static let permission = #"^[!#-&(-+\-/-\[\]-~]+\.[!#-&(-+\--\[\]-~]+$"#
}
