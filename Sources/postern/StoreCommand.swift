import ArgumentParser
import Postern

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Make a store, bring one up to date, or make it smaller.",
        subcommands: [Init.self, Upgrade.self, Compact.self]
    )

    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the folder of an empty store.",
            discussion: "The folder must not exist or be empty. There is no account in a new store."
        )

        @Argument(help: "The folder.")
        var path: String

        func run() throws {
            try Store.create(at: path)
        }
    }

    struct Upgrade: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a store that an older version made what it lacks, and print what that was.",
            discussion: "Stop the servers first. What is in the store stays as it is."
        )

        @OptionGroup var store: StoreOptions

        func run() throws {
            for name in try Store.upgrade(at: try store.path()) { StandardOutput.write(name + "\n") }
        }
    }

    struct Compact: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take out of the journals what was revoked, has ended or was replaced.",
            discussion: """
                Servers may run, and go on meanwhile; they do the same by themselves when more than half of a journal is \
                of no use.
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let results = try store.open().compact()
            output.print(
                results.map { result in
                    [
                        ("journal", .string(result.journal)), ("before", .integer(Int64(result.before))),
                        ("after", .integer(Int64(result.after))),
                    ]
                },
                headings: ["JOURNAL", "EVENTS BEFORE", "AFTER"]
            )
            if let result = results.first(where: \.isDoneByOthers) {
                StandardError.write("postern: another process compacted \(result.journal) meanwhile.\n")
            }
        }
    }
}
