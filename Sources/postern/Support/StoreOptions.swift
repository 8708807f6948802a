import ArgumentParser
import Glibc
import Postern

/// Which store a command works on.
struct StoreOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The folder of the store.",
            discussion:
                "Default: the environment variable POSTERN_STORE, or the setting of postern serve's file.",
            valueName: "path"
        ),
        completion: .directory
    )
    var store: String?

    /// - Throws: ``Failure`` when no store is named.
    func path() throws -> String {
        guard let path = try store ?? Self.defaultPath() else { throw Self.noStore }
        return path
    }

    /// What the environment or the file of settings says; nil: neither.
    static func defaultPath() throws -> String? { try Setting.store.configured() }

    static let noStore = Failure(
        .usage,
        "Name the store: --store PATH, the environment variable POSTERN_STORE, or store in \(SettingsFile.standardPath)."
    )

    /// For commands that are about little of what is in the store.
    func open() throws -> Store { try Store(openingForFew: try path()) }

    /// For commands that are about all that is in the store.
    func openShowingProgress(_ verb: String) throws -> Store {
        let path = try path()
        return try Progress.showing(verb) { try Store(opening: path, progress: $0) }
    }
}

extension Store {
    /// The user of this name.
    /// - Throws: ``Failure`` when there is none.
    func existingUser(_ name: String) throws -> User {
        guard let username = try? Username(name.utf8), let user = try user(named: username) else {
            throw Failure(.noUser, "There is no user named \"\(printable(name))\": see postern user list.")
        }
        return user
    }
}
