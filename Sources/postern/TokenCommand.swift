import ArgumentParser
import Journal
import Postern

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Create, list and revoke tokens.",
        subcommands: [Create.self, List.self, Revoke.self]
    )

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a token for a user and print it, for the only time.",
            discussion: "The token stands alone on standard output; the store keeps only its digest."
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The username.")
        var name: String
        @Option(help: "What to call it.")
        var label = ""
        @Option(help: "When it ends: 90m, 12h, 30d, a time as 2027-01-31T00:00:00Z, or never. Default: after 365d.")
        var expires: Expiry = .default

        func run() throws {
            let store = try store.open()
            let user = try store.existingUser(name)
            let end = expires.time(from: store.now())
            if let end, end <= store.now() { throw Failure(.dataError, "--expires is in the past: \(end.rfc3339).") }
            let (token, secret) = try Accounts(store: store)
                .issueToken(for: user, label: label, expires: end)
            if output.json {
                output.print(token.members(username: name) + [("token", .string(secret.text))])
            } else {
                StandardOutput.write(secret.text + "\n")
                StandardError.write("Token \(token.id) of \(user.username); it is shown only now.\n")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List tokens; never the tokens themselves.")

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Only this user's.")
        var name: String?

        func run() throws {
            let store = try store.open()
            let owner = try name.map { try store.existingUser($0) }
            let names = Dictionary(try store.allUsers().map { ($0.id, $0.username.description) }) { $1 }
            let rows = try store.allTokens()
                .filter { owner == nil || $0.user == owner?.id }
                .map { $0.members(username: names[$0.user]) }
            output.print(rows, headings: ["ID", "USER", "LABEL", "CREATED", "EXPIRES"])
        }
    }

    struct Revoke: ParsableCommand {
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
        ]
    }
}
