import ArgumentParser
import Journal
import Postern

struct StoreStatistics: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Say how much there is in a store, and how much of it is of no use any more.",
        discussion: """
            LIVE counts users, tokens, sessions, and families of refresh tokens that are used up or revoked. DEAD is the \
            share of the events that a compaction would take out. Servers may run.
            """
    )

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let store = try store.openShowingProgress("reading")
        output.print(
            try store.loads().map { load in
                [
                    ("journal", .string(load.journal)), ("live", .integer(Int64(load.live))),
                    ("events", .integer(Int64(load.events))), ("needed", .integer(Int64(load.needed))),
                    ("dead_percent", .integer(Int64(load.deadPercent))), ("bytes", .integer(load.bytes)),
                    ("oldest", load.oldest.map { .string($0.rfc3339) } ?? .null),
                    ("newest", load.newest.map { .string($0.rfc3339) } ?? .null),
                ]
            },
            headings: ["JOURNAL", "LIVE", "EVENTS", "NEEDED", "DEAD %", "BYTES", "OLDEST", "NEWEST"]
        )
    }
}
