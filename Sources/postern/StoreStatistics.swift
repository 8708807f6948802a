import ArgumentParser
import Glibc
import Journal
import Postern

struct StoreStatistics: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Say how much there is in a store, and how much of it is of no use any more.",
        discussion: """
            LIVE counts users, tokens, sessions, and families of refresh tokens that are used up or revoked. DEAD is the \
            share of the events that a compaction would take out. CPU MS is what it takes to read the journal, as whoever opens the \
            store does, with the index of tokens where that is made first; MEMORY, in bytes, what every process that has read it holds \
            of it for itself: what all share, as an index, is not in it. Servers may run.
            """
    )

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let path = try store.path()
        var costs = JournalCosts()
        let store = try Progress.showing("reading") { report in
            try Store(opening: path) { journal, part in
                costs.note(journal, isRead: part > 0)
                report(journal, part)
            }
        }
        output.print(
            try store.loads().map { load in
                [
                    ("journal", .string(load.journal)), ("live", .integer(Int64(load.live))),
                    ("events", .integer(Int64(load.events))), ("needed", .integer(Int64(load.needed))),
                    ("dead_percent", .integer(Int64(load.deadPercent))), ("bytes", .integer(load.bytes)),
                    ("oldest", load.oldest.map { .string($0.rfc3339) } ?? .null),
                    ("newest", load.newest.map { .string($0.rfc3339) } ?? .null),
                    ("cpu_ms", costs.milliseconds[load.journal].map { .integer($0) } ?? .null),
                    ("memory_bytes", costs.bytes[load.journal].map { .integer($0) } ?? .null),
                ]
            },
            headings: [
                "JOURNAL", "LIVE", "EVENTS", "NEEDED", "DEAD %", "BYTES", "OLDEST", "NEWEST", "CPU MS", "MEMORY",
            ]
        )
    }
}

/// What it costs to read journals one after the other, and to keep what they say.
private struct JournalCosts {
    private(set) var milliseconds: [String: Int64] = [:]
    /// None where the system does not tell.
    private(set) var bytes: [String: Int64] = [:]
    private var start: (time: Int64, memory: Int64?) = (0, nil)

    mutating func note(_ journal: String, isRead: Bool) {
        let now = (time: Self.time(), memory: Self.memory())
        guard isRead else {
            start = now
            return
        }
        milliseconds[journal] = now.time - start.time
        // What was given up before may be used again.
        if let before = start.memory, let after = now.memory { bytes[journal] = max(0, after - before) }
    }

    /// Of all threads of the process.
    private static func time() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Of the process alone. proc_pid_smaps(5).
    private static func memory() -> Int64? {
        let text = SmallFile.text(at: "/proc/self/smaps_rollup", limit: 4096) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("Anonymous:") }
        return line.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int64($0) }.map { $0 * 1024 }
    }
}
