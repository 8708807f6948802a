import ArgumentParser
import Glibc
import Postern

/// A command that changes a store, of which the audit log tells.
protocol ChangingCommand: ParsableCommand {
    /// nil where it is to change nothing.
    func storePath() throws -> String?
}

/// One that is about a whole store.
protocol StoreChangingCommand: ChangingCommand {
    var store: StoreOptions { get }
}

extension StoreChangingCommand {
    func storePath() throws -> String? { try store.path() }
}

/// One that is about a user.
protocol UserChangingCommand: ChangingCommand {
    var target: UserArgument { get }
}

extension UserChangingCommand {
    func storePath() throws -> String? { try target.store.path() }
}

/// The audit log of the server's settings, for a command that changes its store.
struct CommandAudit {
    private let log: AuditLog

    /// Opens the log, before anything is changed.
    ///
    /// - Returns: nil when the settings name none, or another store, and when nothing is to be changed.
    /// - Throws: ``Failure`` for settings that make no sense and for a log that cannot be opened.
    init?(_ command: some ChangingCommand) throws {
        guard let changed = try command.storePath() else { return nil }
        let settings = try SettingsSource(try ServeOptions.parse([])).read()
        guard settings.audit != .nowhere, let store = try Self.store(of: settings),
            let owner = Self.owner(ofStoresAt: store, changed)
        else { return nil }
        // Run by root, it makes the file for the server, as the server's user.
        let isRoot = geteuid() == 0
        if isRoot, setegid(owner.group) != 0 || seteuid(owner.user) != 0 {
            throw Failure(.operatingSystem, "The audit log cannot be opened as the owner of \(printable(store)).")
        }
        defer {
            if isRoot {
                seteuid(0)
                setegid(getgid())
            }
        }
        do {
            log = AuditLog(to: try LogOutput(settings.audit, format: settings.logFormat))
        } catch {
            throw Failure(.cannotCreate, error.description)
        }
    }

    /// Tells of the command, which has ended. One that failed may have done part of what was asked for.
    func note(status: Int32) {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if log.note(command: arguments, status: status, user: getuid(), login: Self.login()) { return }
        StandardError.write("postern: the audit log could not be written; what was asked for is done all the same.\n")
    }

    /// The store that the log is about: what names the log names it as well, and the environment has no say over the log of
    /// the file.
    private static func store(of settings: Settings) throws -> String? {
        guard case .file(let path, _) = settings[.auditFile].origin else { return settings[.store].text }
        return try SettingsFile(at: path)?.values[.store]?.text
    }

    /// nil unless both are the same folder.
    private static func owner(ofStoresAt one: String, _ other: String) -> (user: uid_t, group: gid_t)? {
        var (first, second) = (stat(), stat())
        guard lstat(one, &first) == 0, lstat(other, &second) == 0, first.st_mode & S_IFMT == S_IFDIR,
            first.st_dev == second.st_dev, first.st_ino == second.st_ino
        else { return nil }
        return (first.st_uid, first.st_gid)
    }

    /// Who logged in, also where that one became root by sudo since. proc_pid_loginuid(5).
    private static func login() -> UInt32? {
        let text = SmallFile.text(at: "/proc/self/loginuid", limit: 16)
        return text.flatMap { UInt32($0) }.flatMap { $0 == .max ? nil : $0 }
    }
}
