internal import Journal

/// All of a store but its secrets, as JSON Lines: groups, users without their password hashes, and tokens without their
/// digests. ``Store/importExport(_:isDryRun:progress:)`` reads it.
extension Store {
    /// - Parameter write: Called with one line after the other, each with its end.
    public func export(_ write: ([UInt8]) -> Void) throws(StoreError) {
        for (name, permissions) in try groups().sorted(by: { $0.key < $1.key }) {
            write(Self.line("postern.group", [("name", .string(name.description)), Self.list(permissions)]))
        }
        let names = try users.read { table in
            for user in table.all { write(Self.line("postern.user", Self.members(of: user))) }
            return Dictionary(table.all.map { ($0.id, $0.username) }) { $1 }
        }
        for token in try allTokens() {
            guard let name = names[token.user] else { continue }
            write(Self.line("postern.token", Self.members(of: token, name)))
        }
    }

    private static func line(_ model: String, _ members: [(name: String, value: JSONValue)]) -> [UInt8] {
        JSONWriter.bytes(of: .object([("model", .string(model))] + members)) + [0x0A]
    }

    private static func members(of user: User) -> [(name: String, value: JSONValue)] {
        [
            ("id", .integer(user.id)), ("username", .string(user.username.description)),
            ("is_active", .bool(user.isActive)), ("is_staff", .bool(user.isStaff)),
            ("is_superuser", .bool(user.isSuperuser)),
            ("groups", .array(user.groups.map { .string($0.description) })), list(user.permissions),
            ("created", .string(user.created.rfc3339)), ("has_password", .bool(user.passwordHash != nil)),
        ]
    }

    private static func members(of token: Token, _ name: Username) -> [(name: String, value: JSONValue)] {
        [
            ("id", .integer(token.id)), ("user", .string(name.description)), ("label", .string(token.label)),
            ("created", .string(token.created.rfc3339)),
            ("expires", token.expires.map { .string($0.rfc3339) } ?? .null),
        ] + TokensView.members(ofLimits: token.limits)
    }

    private static func list(_ permissions: Set<PermissionName>) -> (name: String, value: JSONValue) {
        ("permissions", .array(permissions.sorted().map { .string($0.description) }))
    }
}

/// What ``Store/export(_:)`` wrote. Users who are not there yet have no password then, and tokens are left out: their secrets
/// are in no export.
struct StoreExport: ImportSource {
    private let file: ImportFile

    var path: String { file.path }
    var size: Int64 { file.size }

    init(_ file: ImportFile) { self.file = file }

    func eachRecord(_ body: (ImportRecord, ImportPlace) throws(ImportError) -> Void) throws(ImportError) {
        try file.eachObject("line") {
            $0
        } _: { members, place throws(ImportError) in
            try body(Self.record(members), place)
        }
    }

    private static func record(_ members: JSONObject) -> ImportRecord {
        do {
            switch members.string("model") {
            case "postern.group":
                return .group(try GroupName((members.string("name") ?? "").utf8), try permissions(members))
            case "postern.user": return .user(try user(members))
            case "postern.token": return .leftOut("tokens, whose secrets are in no export")
            default: return .problem("this is nothing that postern export wrote.")
            }
        } catch {
            return .problem("\(error)")
        }
    }

    private static func user(_ members: JSONObject) throws -> ImportedUser {
        guard case .integer(let id)? = members["id"] else { throw ImportRecordError("it has no id.") }
        return ImportedUser(
            id: id,
            username: try Username((members.string("username") ?? "").utf8),
            passwordHash: nil,
            isActive: isTrue("is_active", members),
            isStaff: isTrue("is_staff", members),
            isSuperuser: isTrue("is_superuser", members),
            groups: try texts("groups", members).map { try GroupName($0.utf8) }.sorted(),
            permissions: try permissions(members),
            created: members.string("created").flatMap { Timestamp(rfc3339: Array($0.utf8)[...]) }
        )
    }

    private static func permissions(_ members: JSONObject) throws(NameError) -> Set<PermissionName> {
        var names: Set<PermissionName> = []
        for text in texts("permissions", members) { names.insert(try PermissionName(text.utf8)) }
        return names
    }

    private static func isTrue(_ name: String, _ members: JSONObject) -> Bool {
        if case .bool(true)? = members[name] { true } else { false }
    }

    private static func texts(_ name: String, _ members: JSONObject) -> [String] {
        if case .array(let values)? = members[name] { values.map { $0.text ?? "" } } else { [] }
    }
}
