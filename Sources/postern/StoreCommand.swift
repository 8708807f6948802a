import ArgumentParser
import Postern

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Make a store, or bring one up to date.",
        subcommands: [Init.self, Upgrade.self]
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
}
