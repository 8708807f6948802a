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
            for name in store.leftovers {
                StandardError.write("\(printable(name)) is no part of the store: look what is in it, and remove it.\n")
            }
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
                Also of one that has lost the end of a file, and of one into which somebody has put an older file: it says what \
                is gone, as far as that can be told, and takes what is there. What is dropped goes to a file beside the journal. \
                Where a revocation, a new password or the like may be among what is gone, --revoke-all ends every credential.
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var confirmation: Confirmation
        @Flag(help: "Say what would be kept and what is gone, and change nothing.")
        var dryRun = false
        @Flag(help: "End every token, session and JSON Web Token.")
        var revokeAll = false
        @Flag(
            help: ArgumentHelp(
                "Follow the system's clock again, after events were written while it was wrong.",
                discussion: "Where there were such events, every credential ends."
            )
        )
        var setClock = false

        func run() throws {
            let path = try store.path()
            // What is lost is known before anybody is asked.
            let found = try Progress.showing("reading") { try Store.repair(at: path, isDryRun: true, progress: $0) }
            // Whoever is asked, or only asks, has to know first.
            if dryRun || !confirmation.yes { tell(of: found) }
            let mayRevive = !revokeAll && found.contains(where: \.mayHaveLostEndings)
            let isWhole = found.allSatisfy(\.wasWhole)
            if !dryRun, !isWhole {
                try confirmation.require(
                    "take what cannot be believed out of \(printable(path))"
                        + (mayRevive ? ", so that what ended by it is good again (--revoke-all ends everything)," : "")
                )
            }
            let results =
                dryRun || isWhole && !revokeAll
                ? found
                : try Progress.showing("repairing") {
                    try Store.repair(at: path, revokingAll: revokeAll, progress: $0)
                }
            if !dryRun, confirmation.yes { tell(of: found) }
            output.print(
                results.map { result in
                    [
                        ("journal", .string(result.journal)), ("events", .integer(Int64(result.events))),
                        ("dropped", .integer(Int64(result.dropped))),
                        ("missing_groups", .integer(Int64(result.missingGroups))),
                        ("lost_end", .bool(result.hasLostEnd)),
                        ("side_file", result.sideFile.map { .string($0) } ?? .null),
                    ]
                },
                headings: ["JOURNAL", "KEPT", "BYTES DROPPED", "GROUPS MISSING", "END LOST", "IN"]
            )
            if setClock, !dryRun {
                let count = try Store.setClock(at: path)
                StandardError.write(
                    "The store's clock is the system's; \(count) events that were later are dated as of now.\n"
                )
            }
            if mayRevive {
                StandardError.write(
                    "What is gone may have been revocations: postern user revoke-all, or --revoke-all here, ends what should be over.\n"
                )
            }
        }

        /// Names what is not kept, as far as it can be read.
        private func tell(of found: [Store.Repaired]) {
            for journal in found {
                let legible = journal.lost.filter { $0.cause != nil }
                for line in legible.prefix(Self.shown) {
                    let text = "\(journal.journal): not kept: \(line.cause ?? "") \(line.subject ?? "")"
                    StandardError.write(printable(text) + "\n")
                }
                let others = journal.lost.count - min(legible.count, Self.shown)
                if others > 0 {
                    StandardError.write("\(journal.journal): not kept: \(others) other lines\n")
                }
            }
        }

        private static let shown = 100
    }
}
