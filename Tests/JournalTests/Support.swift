import Glibc
import Synchronization
import Testing

@testable import Journal

/// Whether the figures of the long mode are wanted, which take hours: `make test-long`.
enum LongTests {
    static let are = getenv("POSTERN_LONG_TESTS").map { String(cString: $0) } == "1"
}

/// A folder with one journal, `events`, that is gone with the test.
final class TemporaryFolder: Sendable {
    let parent: String
    let path: String

    init(journals: [String] = ["events"]) throws {
        var template = Array("/tmp/journal-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        parent = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        path = parent + "/store"
        try JournalFolder.create(at: path, kind: "test", version: 1, journals: journals)
    }

    deinit { Folder.removeTree(parent) }

    var journalPath: String { path + "/events" }

    /// - Parameter lookInterval: Milliseconds between two looks at the path.
    func open(
        calls: DiskCalls = DiskCalls(),
        patience: Duration = .seconds(5),
        lookInterval: Int64 = 0,
        reserve: Int64 = 0
    ) throws -> Reader {
        let folder = try JournalFolder(
            opening: path,
            kind: "test",
            version: 1,
            patience: patience,
            lookInterval: lookInterval,
            reserve: reserve,
            system: ReplacedCalls(calls)
        )
        return Reader(try Journal(opening: "events", in: folder), folder)
    }

    /// Another journal of the folder.
    func openJournal(_ name: String) throws -> Reader {
        let folder = try JournalFolder(opening: path, kind: "test", version: 1)
        return Reader(try Journal(opening: name, in: folder), folder)
    }

    func bytes() throws -> [UInt8] {
        let file = try File(opening: journalPath, owner: geteuid())
        return try file.read(Int(try file.status().size), at: 0)
    }

    /// When the file was changed last, in nanoseconds since 1970.
    func changed() throws -> Int64 { try File(opening: journalPath, owner: geteuid()).status().changed }

    /// Replaces what is in the file, in place; `sameBoot` decides whether it is still known what was synced.
    func setBytes(_ bytes: [UInt8], sameBoot: Bool = false) throws {
        if !sameBoot { try forgetSyncs() }
        let file = try File(opening: journalPath, owner: geteuid())
        try file.truncate(to: 0)
        try file.write(bytes, at: 0)
    }

    /// Replaces what is in the file without making it shorter meanwhile.
    func overwrite(_ bytes: [UInt8]) throws {
        let file = try File(opening: journalPath, owner: geteuid())
        try file.write(bytes, at: 0)
    }

    /// Puts another lock file in the place of the first, as a copied store has it.
    func replaceLock() throws {
        unlink(path + "/lock")
        let file = try File(creating: path + "/lock", owner: geteuid(), group: getegid())
        try file.write(LockFile.initialText(journals: ["events"]), at: 0)
    }

    /// Writes what is there to another file, which takes the place of the first.
    func replaceFile(with bytes: [UInt8]) throws {
        rename(journalPath, path + "/events.old")
        let file = try File(creating: journalPath, owner: geteuid(), group: getegid())
        try file.write(bytes, at: 0)
    }

    /// What the holders of the lock left about the journal.
    func record() throws -> SyncRecord? { try lockFile().record(of: "events") }

    func setRecord(_ record: SyncRecord) throws { try lockFile().setRecord(record) }

    /// As a repair does.
    func setRepaired() throws { try lockFile().setRepaired() }

    private func lockFile() throws -> LockFile {
        try LockFile(in: path, owner: geteuid(), patience: .seconds(5), Linux())
    }

    /// As after a boot: nobody knows what was synced.
    func forgetSyncs(of journals: [String] = ["events"]) throws {
        let file = try File(opening: path + "/lock", owner: geteuid())
        try file.truncate(to: 0)
        try file.write(LockFile.initialText(journals: journals), at: 0)
    }

    /// Names of files with what was taken out of a journal.
    func sideFiles() throws -> [String] {
        Folder.names(in: path)?.filter { $0.contains(".dropped-") } ?? []
    }
}

/// A journal and the first columns of its events, as one process would hold them.
final class Reader: Sendable {
    let journal: Journal
    let folder: JournalFolder
    private let told = Mutex<(texts: [String], resets: Int)>(([], -1))

    init(_ journal: Journal, _ folder: JournalFolder) {
        self.journal = journal
        self.folder = folder
    }

    var texts: [String] { told.withLock { $0.texts } }
    /// How often it began again.
    var resets: Int { told.withLock { $0.resets } }

    /// Follows, and says what is there.
    func read() throws -> [String] {
        try journal.follow(reset: reset, apply: apply)
        return texts
    }

    /// As whoever has heard what other journals say.
    func readAnew() throws { try journal.followAnew(reset: reset, apply: apply) }

    /// As `read`, and goes on in a compacted file as whoever knows what it says.
    func goOn() throws -> [String] {
        try journal.follow(
            reset: { source throws(JournalError) in
                let known = source.knownEvents
                if known != nil, try source.passKnownEvents() {
                    handovers.withLock { $0.append(known ?? 0) }
                } else {
                    reset(&source)
                }
            },
            apply: apply
        )
        return texts
    }

    /// How many events it knew each time.
    let handovers = Mutex<[Int]>([])

    /// As `read`, when all of it is on disk.
    func readSynced() throws -> [String] {
        try journal.followSynced(reset: reset, apply: apply)
        return texts
    }

    func append(_ texts: [String]) throws {
        try append { _ in texts }
    }

    func append(ending texts: [String]) throws {
        try journal.append(
            reset: reset,
            apply: apply,
            mayUseReserve: { _ in true },
            events: {
                texts.map { Event([Array($0.utf8)]) }
            }
        )
    }

    /// Waits for nothing.
    func appendAtOnce(_ texts: [String]) throws {
        try journal.append(isAwaited: false, reset: reset, apply: apply) { texts.map { Event([Array($0.utf8)]) } }
    }

    /// Appends what the closure makes of what is there.
    func append(deciding: ([String]) -> [String]) throws {
        try journal.append(reset: reset, apply: apply) {
            deciding(self.texts).map { Event([Array($0.utf8)]) }
        }
    }

    /// Keeps what the closure makes of what is there.
    func compact(saysMore: Bool = false, keeping: ([String]) throws -> [String]) throws -> Bool {
        var failure: (any Error)?
        let isDone = try journal.compact(reset: reset, apply: apply, saysMore: saysMore) {
            self.texts
        } events: { texts, file throws(JournalError) in
            let kept: [String]
            do {
                kept = try keeping(texts)
            } catch {
                failure = error
                throw .missing(path: "nothing")
            }
            for text in kept { try file.add(Event([Array(text.utf8)])) }
        }
        if let failure { throw failure }
        return isDone
    }

    /// Reads the file once more beside, and calls `step` with each text.
    func replay(_ step: (String) -> Void) throws -> Bool {
        try journal.replay(
            begin: { _ in },
            step: { line throws(EventError) in
                var columns = EventReader(line)
                step(try columns.text())
            },
            reset: reset,
            apply: apply,
            told: {},
            put: { putTexts.withLock { $0 = texts } }
        )
    }

    /// What it had been told when a replay was done.
    let putTexts = Mutex<[String]>([])

    private func reset(_ source: inout JournalSource) {
        told.withLock { $0 = ([], $0.resets + 1) }
    }

    private func apply(_ line: EventLine) throws(EventError) {
        var columns = EventReader(line)
        let text = try columns.text()
        guard text != "unknown" else { throw .unknown("unknown") }
        told.withLock { $0.texts.append(text) }
    }
}

extension ChainPosition {
    mutating func take(_ bytes: [UInt8]) -> (events: [Event], length: Int)? {
        bytes.withUnsafeBytes { bytes in
            guard let group = take(bytes) else { return nil }
            return (group.compactMap { Event($0) }, group.length)
        }
    }

    /// The bytes of the next group.
    func group(of events: [Event], synced: Int64) -> [UInt8] {
        var (position, lines, bytes) = (self, UnwrittenLines(), [UInt8]())
        for event in events { lines.add(event) }
        position.put(lines, synced: synced, into: &bytes)
        return bytes
    }
}

extension Column {
    static func unescape(_ text: [UInt8]) -> [UInt8]? { text.withUnsafeBytes { unescape($0) } }
}
