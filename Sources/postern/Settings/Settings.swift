import FastCGI
import Glibc
import Logging
import Postern

/// Where settings come from: what was said when the program was started, and the file, which can be read again.
struct SettingsSource: Sendable {
    private let flags: [Setting: String]
    private let environment: [Setting: String]
    /// The file that was named; nil: the usual one, where it is there.
    private let file: String?

    /// - Throws: ``Failure``, exit code 78, for a variable that begins as those of settings do and is none.
    init(_ options: ServeOptions) throws {
        flags = options.values
        file = options.config
        var values: [Setting: String] = [:]
        for (name, text) in Self.variables() {
            guard let setting = Setting.allCases.first(where: { $0.variable == name }) else {
                throw Failure(.configuration, "The environment variable \(printable(name)) is no setting.")
            }
            values[setting] = text
        }
        environment = values
    }

    /// - Throws: ``Failure``: exit code 64 for a flag, 78 for the environment and the file.
    func read() throws -> Settings {
        let file = try SettingsFile(at: file ?? SettingsFile.standardPath)
        if file == nil, let name = self.file {
            throw Failure(.noInput, "--config \(printable(name)): there is no such file.")
        }
        var values: [Setting: Settings.Value] = [:]
        for setting in Setting.allCases {
            let value: Settings.Value
            if let text = flags[setting] {
                value = .init(text: text, origin: .flag)
            } else if let text = environment[setting] {
                value = .init(text: text, origin: .environment)
            } else if let file, let (text, line) = file.values[setting] {
                value = .init(text: text, origin: .file(file.path, line: line))
            } else {
                value = .init(text: setting.standard, origin: .standard)
            }
            if let text = value.text, let fault = setting.fault(of: text) {
                let code: Failure.Code = value.origin == .flag ? .usage : .configuration
                throw Failure(code, "\(value.origin.name(of: setting)) \(printable(text)) \(fault).")
            }
            values[setting] = value
        }
        return Settings(values: values)
    }

    /// As a CGI program we find our parameters in the environment, and these are none of them.
    func clearEnvironment() {
        for (name, _) in Self.variables() { unsetenv(name) }
    }

    private static func variables() -> [(name: String, text: String)] {
        var found: [(name: String, text: String)] = []
        var next = environ
        while let variable = next.pointee {
            let parts = String(cString: variable).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            if name == Setting.store.variable || name.hasPrefix(Setting.prefix) {
                found.append((name, parts.count > 1 ? String(parts[1]) : ""))
            }
            next += 1
        }
        return found
    }
}

/// What counts for `postern serve`. All of it makes sense.
struct Settings: Sendable {
    struct Value: Sendable, Equatable {
        /// nil: nothing was said, and nothing counts then.
        let text: String?
        let origin: Origin
    }

    /// What said it.
    enum Origin: Sendable, Equatable {
        case flag, environment, standard
        case file(String, line: Int)

        /// `--log-level`, `POSTERN_SERVE_LOG_LEVEL`, `/etc/postern/postern.conf:7`, `default`.
        func name(of setting: Setting) -> String {
            switch self {
            case .flag: "--\(setting.name)"
            case .environment: setting.variable
            case .standard: "default"
            case .file(let path, let line): "\(path):\(line)"
            }
        }
    }

    fileprivate let values: [Setting: Value]

    subscript(setting: Setting) -> Value { values[setting] ?? Value(text: setting.standard, origin: .standard) }

    /// Of the file that said something; nil: none did.
    var filePath: String? {
        for value in values.values { if case .file(let path, _) = value.origin { return path } }
        return nil
    }

    /// - Throws: ``Failure`` when no store is named.
    func store() throws -> String {
        guard let path = self[.store].text else { throw StoreOptions.noStore }
        return path
    }

    var listen: String? { self[.listen].text }
    var allowsRemote: Bool { self[.allowRemote].text == "on" }
    var allowedUsers: [String] { self[.allowUser].text?.split(separator: " ").map(String.init) ?? [] }
    var withToken: Bool { self[.withToken].text == "on" }
    var logLevel: Logger.Level { self[.logLevel].text.flatMap { Logger.Level(rawValue: $0) } ?? .notice }
    var logFormat: LogOutput.Format { self[.logFormat].text.flatMap { LogOutput.Format(rawValue: $0) } ?? .text }
    var log: LogOutput.Target { target(.logFile, .standardError) }
    var audit: LogOutput.Target { target(.auditFile, .nowhere) }

    private func target(_ setting: Setting, _ standard: LogOutput.Target) -> LogOutput.Target {
        guard let text = self[setting].text, text != setting.standard else { return standard }
        return .file(text)
    }
}
