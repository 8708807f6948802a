import ArgumentParser
import Postern

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Make a store, check it, copy it, make it smaller, or bring it up to date.",
        subcommands: [
            Init.self, Check.self, StoreStatistics.self, Compact.self, Backup.self, Restore.self, Repair.self,
            Upgrade.self,
        ]
    )

    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the folder of an empty store.",
            discussion: "The folder must not exist or be empty. There is no account in a new store."
        )

        @Argument(help: "The folder.", completion: .directory)
        var path: String

        func run() throws {
            try Store.create(at: path)
        }
    }

    struct Upgrade: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a store that an older version made what it lacks, and print what that was.",
            discussion: """
                Servers may run. What is in the store stays as it is; for a journal that the store had and has lost there is a \
                backup, and no upgrade.
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let made = try Store.upgrade(at: try store.path())
            if output.json {
                output.print([("made", .array(made.map { .string($0) }))])
            } else {
                for name in made { StandardOutput.write(name + "\n") }
            }
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
            let store = try store.openShowingProgress("reading")
            let results = try Progress.showing("compacting") { try store.compact(progress: $0) }
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

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read every line of a store, and say what is in it or what is wrong.",
            discussion: "Servers may run. Nothing is changed. Exit code 65 names file, line and byte of damage."
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let store = try store.openShowingProgress("reading")
            try Progress.showing("checking") { try store.check(progress: $0) }
            output.print(
                try store.loads().map { load in
                    [
                        ("journal", .string(load.journal)), ("events", .integer(Int64(load.events))),
                        ("needed", .integer(Int64(load.needed))), ("bytes", .integer(load.bytes)),
                    ]
                },
                headings: ["JOURNAL", "EVENTS", "NEEDED", "BYTES"]
            )
        }
    }

    struct Backup: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy a store as it is at one moment.",
            discussion: """
                Servers may run. The copy is a store; keep it as you keep the store: it holds hashes of passwords, and keys.
                """
        )

        @OptionGroup var store: StoreOptions
        @Argument(help: "A folder that is not there yet.", completion: .directory)
        var path: String

        func run() throws {
            let store = try store.openShowingProgress("reading")
            try Progress.showing("copying") { try store.backUp(to: path, progress: $0) }
        }
    }

    struct Restore: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a store of a copy.",
            discussion: """
                What was revoked since the copy was made is good again; --revoke-all ends every credential instead, so that \
                all users have to log in anew.
                """
        )

        @Argument(help: "What postern store backup made.", completion: .directory)
        var backup: String
        @Argument(help: "The folder of the store, which is not there yet.", completion: .directory)
        var path: String
        @Flag(help: "End every token, session and JSON Web Token.")
        var revokeAll = false

        func run() throws {
            try Progress.showing("copying") {
                try Store.restore(backup, to: path, revokingAll: revokeAll, progress: $0)
            }
            if !revokeAll {
                StandardError.write(
                    "What was revoked since the copy was made is good again: postern user revoke-all ends it.\n"
                )
            }
        }
    }

    struct Repair: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a damaged store one that can be opened, of every line that can be believed.",
            discussion: """
                Stop the servers first. What is dropped goes to a file beside the journal. It may have been revocations and \
                new passwords: a copy made by postern store backup is better, where there is one.
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var confirmation: Confirmation

        func run() throws {
            let path = try store.path()
            try confirmation.require("take what cannot be believed out of \(printable(path))")
            let results = try Progress.showing("repairing") { try Store.repair(at: path, progress: $0) }
            output.print(
                results.map { result in
                    [
                        ("journal", .string(result.journal)), ("events", .integer(Int64(result.events))),
                        ("dropped", .integer(Int64(result.dropped))),
                        ("side_file", result.sideFile.map { .string($0) } ?? .null),
                    ]
                },
                headings: ["JOURNAL", "KEPT", "BYTES DROPPED", "IN"]
            )
            if results.contains(where: { !$0.wasWhole }) {
                StandardError.write(
                    "What was dropped or is missing may have been revocations: postern user revoke-all ends what should be over.\n"
                )
            }
        }
    }
}
