import ArgumentParser
import Journal
import Postern

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Create, list and revoke tokens.",
        subcommands: [Create.self, List.self, Revoke.self]
    )

    struct Create: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a token for a user and print it, for the only time.",
            discussion: "The token stands alone on standard output; the store keeps only its digest."
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The username.", completion: .username)
        var name: String
        @Option(help: "What to call it.")
        var label = ""
        @Option(help: "When it ends: 90m, 12h, 30d, a time as 2027-01-31T00:00:00Z, or never. Default: after 365d.")
        var expires: Expiry = .default
        @Option(help: ArgumentHelp("A scope that it carries, for HasScope; may be repeated.", valueName: "scope"))
        var scope: [String] = []
        @Option(
            help: ArgumentHelp("A method that it is good for, and no others; may be repeated.", valueName: "method"),
            completion: .list(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
        )
        var method: [String] = []
        @Option(
            help: ArgumentHelp("A path that it is good for, with all below it; may be repeated.", valueName: "path")
        )
        var path: [String] = []
        @Option(help: ArgumentHelp("Where clients may be, as 10.0.0.0/8; may be repeated.", valueName: "network"))
        var network: [String] = []

        func run() throws {
            let limits = try limits()
            let store = try store.open()
            let user = try store.existingUser(name)
            let end = expires.time(from: store.now())
            if let end, end <= store.now() { throw Failure(.dataError, "--expires is in the past: \(end.rfc3339).") }
            let (token, secret) = try Accounts(store: store)
                .issueToken(for: user, label: label, expires: end, limits: limits)
            if output.json {
                output.print(token.members(username: name) + [("token", .string(secret.text))])
            } else {
                StandardOutput.write(secret.text + "\n")
                StandardError.write("Token \(token.id) of \(user.username); it is shown only now.\n")
            }
        }

        private func limits() throws -> TokenLimits? {
            guard !(scope + method + path + network).isEmpty else { return nil }
            return try TokenLimits(scopes: scope, methods: method, paths: path, networks: network)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List tokens; never the tokens themselves.")

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Only this user's.", completion: .username)
        var name: String?

        func run() throws {
            let store = try store.open()
            let tokens = try store.tokenList(of: try name.map { try store.existingUser($0) })
            try output.print(
                headings: ["ID", "USER", "LABEL", "CREATED", "EXPIRES", "SCOPES", "METHODS", "PATHS", "NETWORKS"]
            ) { row throws(StoreError) in
                try tokens.each { token, owner in row(token.members(username: owner?.username.description)) }
            }
        }
    }

    struct Revoke: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke tokens.",
            discussion: "They are refused from the next request on, in every running server."
        )

        @OptionGroup var store: StoreOptions
        @Argument(help: "The ids, as postern token list shows them.")
        var ids: [Int64]

        func run() throws {
            let accounts = Accounts(store: try store.open())
            for id in ids { try accounts.revokeToken(id) }
        }
    }
}

extension Token {
    /// - Parameter username: nil when the user is gone.
    func members(username: String?) -> [(key: String, value: JSONValue)] {
        [
            ("id", .integer(id)),
            ("user", username.map { .string($0) } ?? .null),
            ("label", .string(label)),
            ("created", .string(created.rfc3339)),
            ("expires", expires.map { .string($0.rfc3339) } ?? .null),
            ("scopes", Self.list(limits?.scopes)),
            ("methods", Self.list(limits?.methods.map(\.name))),
            ("paths", Self.list(limits?.paths)),
            ("networks", Self.list(limits?.networks.map(\.description))),
        ]
    }

    private static func list(_ texts: [String]?) -> JSONValue {
        texts.map { $0.isEmpty ? .null : .array($0.map { .string($0) }) } ?? .null
    }
}
