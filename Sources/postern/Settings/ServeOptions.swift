import ArgumentParser

/// The flags of `postern serve`, which `postern settings` takes as well.
struct ServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The file of settings.",
            discussion: "Default: \(SettingsFile.standardPath), where it is there.",
            valueName: "path"
        )
    )
    var config: String?
    @Option(
        name: Setting.store.flag,
        help: Setting.store.help(" Default: the environment variable POSTERN_STORE.")
    )
    var store: String?
    @Option(name: Setting.listen.flag, help: Setting.listen.help(), completion: .file())
    var listen: String?
    @Flag(name: Setting.allowRemote.flag, inversion: .prefixedNo, help: Setting.allowRemote.help())
    var allowRemote: Bool?
    @Option(name: Setting.allowUser.flag, help: Setting.allowUser.help(" May be repeated."), completion: .systemUser)
    var allowUser: [String] = []
    @Flag(name: Setting.withToken.flag, inversion: .prefixedNo, help: Setting.withToken.help())
    var withToken: Bool?
    @Option(name: Setting.logLevel.flag, help: Setting.logLevel.help())
    var logLevel: String?
    @Option(name: Setting.logFormat.flag, help: Setting.logFormat.help(), completion: .list(["text", "json"]))
    var logFormat: String?
    @Option(name: Setting.logFile.flag, help: Setting.logFile.help(), completion: .file())
    var logFile: String?
    @Option(name: Setting.auditFile.flag, help: Setting.auditFile.help(), completion: .file())
    var auditFile: String?

    /// What was said by flags.
    var values: [Setting: String] {
        let isOn: (Bool) -> String = { $0 ? "on" : "off" }
        let all: [(Setting, String?)] = [
            (.store, store), (.listen, listen), (.allowRemote, allowRemote.map(isOn)),
            (.allowUser, allowUser.isEmpty ? nil : allowUser.joined(separator: " ")),
            (.withToken, withToken.map(isOn)), (.logLevel, logLevel), (.logFormat, logFormat), (.logFile, logFile),
            (.auditFile, auditFile),
        ]
        return Dictionary(all.compactMap { setting, text in text.map { (setting, $0) } }) { $1 }
    }
}
