import ArgumentParser
import Glibc
import Postern

/// A command that changes a store, of which the audit log tells.
protocol ChangingCommand: ParsableCommand {
    func storePath() throws -> String
}

/// One that is about a whole store.
protocol StoreChangingCommand: ChangingCommand {
    var store: StoreOptions { get }
}

extension StoreChangingCommand {
    func storePath() throws -> String { try store.path() }
}

/// One that is about a user.
protocol UserChangingCommand: ChangingCommand {
    var target: UserArgument { get }
}

extension UserChangingCommand {
    func storePath() throws -> String { try target.store.path() }
}

/// The audit log of the server's settings, for a command that changes its store.
struct CommandAudit {
    private let log: AuditLog

    /// Opens the log, before anything is changed.
    ///
    /// - Returns: nil when the settings name none, or another store.
    /// - Throws: ``Failure`` for settings that make no sense and for a log that cannot be opened.
    init?(_ command: some ChangingCommand) throws {
        let settings = try SettingsSource(try ServeOptions.parse([])).read()
        guard settings.audit != .nowhere, let store = settings[.store].text,
            let owner = Self.owner(ofStoresAt: store, try command.storePath())
        else { return nil }
        // Run by root, it makes the file for the server, and follows nothing that the server may not.
        let own = geteuid()
        if own == 0 { seteuid(owner) }
        defer { if own == 0 { seteuid(own) } }
        do {
            log = AuditLog(to: try LogOutput(settings.audit, format: settings.logFormat))
        } catch {
            throw Failure(.cannotCreate, error.description)
        }
    }

    /// Tells of the command, which has succeeded.
    func note() {
        guard !log.note(command: Array(CommandLine.arguments.dropFirst()), user: getuid(), login: Self.login()) else {
            return
        }
        StandardError.write("postern: the audit log could not be written; what was asked for is done.\n")
    }

    /// nil unless both are the same folder.
    private static func owner(ofStoresAt one: String, _ other: String) -> uid_t? {
        var (first, second) = (stat(), stat())
        guard stat(one, &first) == 0, stat(other, &second) == 0, first.st_dev == second.st_dev,
            first.st_ino == second.st_ino
        else { return nil }
        return first.st_uid
    }

    /// Who logged in, also where that one became root by sudo since. proc_pid_loginuid(5).
    private static func login() -> UInt32? {
        let text = SmallFile.text(at: "/proc/self/loginuid", limit: 16)
        return text.flatMap { UInt32($0) }.flatMap { $0 == .max ? nil : $0 }
    }
}
