import ArgumentParser
import Journal
import Postern

struct SessionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session",
        abstract: "List and end the sessions of browsers.",
        subcommands: [List.self, End.self, EndAll.self]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the sessions that are not over; never their keys.",
            discussion: "When a session was last used is known to within a twenty-fourth of its idle limit."
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Only this user's.", completion: .username)
        var name: String?

        func run() throws {
            let store = try store.open()
            let owner = try name.map { try store.existingUser($0) }
            let users = Dictionary(try (owner.map { [$0] } ?? store.allUsers()).map { ($0.id, $0) }) { $1 }
            let now = store.now()
            let sessions = try owner.map { try store.sessions(of: $0.id) } ?? store.allSessions()
            output.print(headings: ["ID", "USER", "STARTED", "LAST USED", "ENDS"]) { row in
                for session in sessions {
                    let user = users[session.user]
                    guard session.isGood(for: user, at: now) else { continue }
                    row(session.members(username: user?.username.description))
                }
            }
        }
    }

    struct End: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "End sessions.",
            discussion: "Their cookies are nobody's from the next request on, in every running server."
        )

        @OptionGroup var store: StoreOptions
        @Argument(help: "The ids, as postern session list shows them.")
        var ids: [Int64]

        func run() throws {
            let store = try store.open()
            for id in ids { try store.endSession(id) }
        }
    }

    struct EndAll: UserChangingCommand {
        static let configuration = CommandConfiguration(
            commandName: "end-all",
            abstract: "End all sessions of a user; tokens stay good."
        )

        @OptionGroup var target: UserArgument

        func run() throws {
            let (store, user) = try target.user()
            try store.endSessions(of: user.id)
        }
    }
}

extension Session {
    fileprivate func members(username: String?) -> [(key: String, value: JSONValue)] {
        [
            ("id", .integer(id)),
            ("user", username.map { .string($0) } ?? .null),
            ("started", .string(started.rfc3339)),
            ("last_used", .string(lastUsed.rfc3339)),
            ("ends", .string(ends.rfc3339)),
        ]
    }
}
