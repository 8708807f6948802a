import ArgumentParser
import Postern

struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "List the settings of postern serve, with what counts and what said it.",
        discussion: """
            A flag counts more than the environment, the environment more than the file, \(SettingsFile.standardPath) or \
            the one that --config names. In the file a line is "name = value", and a # begins a comment. The flags of \
            postern serve can be tried here.
            """
    )

    @OptionGroup var options: ServeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let settings = try SettingsSource(options).read()
        output.print(
            Setting.allCases.map { setting in
                let value = settings[setting]
                return [
                    ("setting", .string(setting.name)), ("value", value.text.map { .string($0) } ?? .null),
                    ("from", .string(value.origin.name(of: setting))),
                    ("default", setting.standard.map { .string($0) } ?? .null),
                    ("variable", .string(setting.variable)), ("reload", .bool(setting.isReloaded)),
                    ("meaning", .string(setting.sentence)),
                ]
            },
            headings: ["SETTING", "VALUE", "FROM", "DEFAULT", "VARIABLE", "RELOAD", "MEANING"]
        )
    }
}
