import ArgumentParser
import FastCGI
import Glibc
import Logging
import Postern

/// The settings of `postern serve`: the one table that its flags, the environment, the file and `postern settings` go by.
///
/// A flag counts more than the environment, the environment more than the file.
enum Setting: String, CaseIterable {
    case store, listen
    case allowRemote = "allow-remote"
    case allowUser = "allow-user"
    case withToken = "with-token"
    case logLevel = "log-level"
    case logFormat = "log-format"
    case logFile = "log-file"
    case auditFile = "audit-file"

    /// In the file; a flag has two hyphens before it.
    var name: String { rawValue }

    /// The environment variable. Those of a location's policy begin with `POSTERN_` as well, and none of them so.
    var variable: String {
        self == .store
            ? "POSTERN_STORE" : Self.prefix + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    static let prefix = "POSTERN_SERVE_"

    /// What counts where nothing is said; nil: nothing.
    var standard: String? {
        switch self {
        case .store, .listen, .allowUser: nil
        case .allowRemote, .withToken: "off"
        case .logLevel: "notice"
        case .logFormat: "text"
        case .logFile: "stderr"
        case .auditFile: "none"
        }
    }

    var sentence: String {
        switch self {
        case .store: "The folder of the store."
        case .listen:
            "Listen there: /path.sock, 127.0.0.1:9000 or [::1]:9000; without it, on the socket that systemd or spawn-fcgi hands over."
        case .allowRemote:
            "Let listen take a TCP address that other machines reach. Whoever can connect can claim to be anybody."
        case .allowUser:
            "Take connections to a Unix socket from processes of these users only, and of root and ours."
        case .withToken: "Make a token whenever a user is made through this server."
        case .logLevel: "What to log: \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))."
        case .logFormat: "How lines of both logs look: text or json."
        case .logFile: "The log: stderr, or the path of a file."
        case .auditFile:
            "The log of logins, of changes of users and tokens, and of refusals: none, or the path of a file."
        }
    }

    /// What it is called in the usage of a command.
    var valueName: String {
        switch self {
        case .store, .logFile, .auditFile: "path"
        case .listen: "address"
        case .allowUser: "user"
        case .logLevel: "level"
        case .logFormat: "format"
        case .allowRemote, .withToken: "on|off"
        }
    }

    /// What the environment or the usual file says, for commands that are no server; nil: neither.
    func configured() throws -> String? {
        if let text = getenv(variable) { return String(cString: text) }
        return try SettingsFile(at: SettingsFile.standardPath)?.values[self]?.text
    }

    /// Whether SIGHUP makes a change of it count.
    var isReloaded: Bool { [.logLevel, .logFormat, .logFile, .auditFile].contains(self) }

    /// What is wrong with a value, as the end of a sentence; nil: nothing.
    func fault(of text: String) -> String? {
        switch self {
        case .store: text.isEmpty ? "is empty" : nil
        case .listen:
            ListenAddress(text) == nil ? "is not an address: write /path.sock, 127.0.0.1:9000 or [::1]:9000" : nil
        case .allowRemote, .withToken: ["on", "off"].contains(text) ? nil : "is neither on nor off"
        case .allowUser: text.isEmpty ? "names no user" : nil
        case .logLevel: Logger.Level(rawValue: text) == nil ? "is not a log level" : nil
        case .logFormat: LogOutput.Format(rawValue: text) == nil ? "is neither text nor json" : nil
        case .logFile, .auditFile:
            text == standard || text.hasPrefix("/") ? nil : "is neither \(standard ?? "") nor a path from / on"
        }
    }

    // MARK: As a flag

    var flag: NameSpecification { .customLong(name) }

    /// - Parameter addition: A sentence that only the flag needs.
    func help(_ addition: String = "") -> ArgumentHelp {
        let standard = standard.map { " Default: \($0)." } ?? ""
        return ArgumentHelp("\(sentence)\(addition)\(standard)", valueName: valueName)
    }
}
