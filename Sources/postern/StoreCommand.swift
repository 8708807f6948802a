import ArgumentParser
import Postern

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Make a store.",
        subcommands: [Init.self]
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
}
