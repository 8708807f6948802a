import CLinux
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Journal

@Suite("Appending to and following a journal")
struct JournalTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("What one process appends is what another one reads")
    func follows() throws {
        let (one, other) = (try folder.open(), try folder.open())
        #expect(try other.read() == [])
        try one.append(["a", "b"])
        #expect(try other.read() == ["a", "b"])
        try other.append(["c"])
        #expect(try one.read() == ["a", "b", "c"])
        #expect(try folder.open().read() == ["a", "b", "c"])
        #expect(one.resets == 0)
    }

    @Test("The decision is made on the state with everything in it that others appended")
    func decides() throws {
        let (one, other) = (try folder.open(), try folder.open())
        try other.append(["a"])
        var seen: [String] = []
        try one.append { state in
            seen = state
            return []
        }
        #expect(seen == ["a"])
        let before = try folder.bytes()
        try one.append { _ in [] }
        #expect(try folder.bytes() == before)
    }

    @Test("Of eight threads on two open folders each appends numbers that nobody else has appended")
    func contention() async throws {
        let readers = [try folder.open(), try folder.open()]
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for _ in 0..<25 { try? readers[number % 2].append { ["\($0.count)"] } }
                }
            }
        }
        #expect(try folder.open().read() == (0..<200).map(String.init))
    }

    @Test("A reader notices that a file was changed in place, also where it is as long as before")
    func changedInPlace() throws {
        let one = try folder.open()
        try one.append(["a"])
        #expect(try one.read() == ["a"])
        var bytes = try folder.bytes()
        bytes[bytes.count - 2] ^= 1
        // The times of files tick some hundred times a second.
        let changed = try folder.changed()
        repeat { try folder.setBytes(bytes) } while try folder.changed() == changed
        #expect(throws: JournalError.self) { try one.read() }
        #expect(try folder.open().read() == [])
    }

    @Test("Times never go back, whatever the clock does")
    func clock() throws {
        let one = try folder.open()
        let future = Timestamp(microseconds: Timestamp.now().microseconds + 3_600_000_000)
        let header = try #require(FileHeader(name: "events", parsing: try folder.bytes()[...]))
        let position = ChainPosition(after: header)
        try folder.setBytes(
            header.line + position.group(of: [Event(time: future, [Array("a".utf8)])], synced: position.offset)
        )
        #expect(try one.read() == ["a"])
        #expect(one.folder.now() >= future)
    }

    @Test("A line of another version ends the reading, and names its line")
    func notUnderstood() throws {
        let one = try folder.open()
        try one.append(["a"])
        #expect(throws: JournalError.notUnderstood(path: folder.journalPath, line: 5, .unknown("unknown"))) {
            try one.append(["unknown"])
        }
        #expect(throws: JournalError.self) { try folder.open().read() }
        #expect(throws: JournalError.self) { try one.read() }
    }

    @Test("The line that is named is that of the very event, wherever it stands in its group")
    func notUnderstoodInGroup() throws {
        let one = try folder.open()
        #expect(throws: JournalError.notUnderstood(path: folder.journalPath, line: 4, .unknown("unknown"))) {
            try one.append(["a", "unknown", "b", "c"])
        }
    }

    @Test("A state is told to be whole only when everything has been applied, also after a file was replaced")
    func told() throws {
        let one = try folder.open()
        try one.append(["a", "b"])
        try one.append(["c"])
        let state = Mutex<[String]>([])
        func follow(_ journal: Journal) throws {
            try journal.follow(
                reset: { _ in state.withLock { $0.append("reset") } },
                apply: { _ in state.withLock { $0.append("event") } },
                told: { state.withLock { $0.append("told") } }
            )
        }
        let other = try folder.open()
        try follow(other.journal)
        try follow(other.journal)
        #expect(state.withLock { $0 } == ["reset", "event", "event", "event", "told"])
        try folder.replaceFile(with: try folder.bytes())
        try follow(other.journal)
        #expect(state.withLock { $0 }.dropFirst(5) == ["reset", "event", "event", "event", "told"])
    }

    @Test("Between two looks at the path what writers, compaction and repair do is seen, and nothing done by hand")
    func looks() throws {
        let (one, writer) = (try folder.open(lookInterval: 3_600_000), try folder.open())
        try writer.append(["a"])
        #expect(try one.read() == ["a"])
        try writer.append(["b"])
        #expect(try one.read() == ["a", "b"])
        #expect(try writer.compact { $0 })
        #expect(try one.read() == ["a", "b"])
        #expect(one.resets == 1)

        rename(folder.journalPath, folder.path + "/events.old")
        #expect(try one.read() == ["a", "b"])
        #expect(throws: JournalError.missing(path: folder.journalPath)) { try one.append(["c"]) }
        #expect(throws: JournalError.missing(path: folder.journalPath)) { try folder.open().read() }
        rename(folder.path + "/events.old", folder.journalPath)
        try writer.append(["c"])
        #expect(try one.read() == ["a", "b", "c"])

        try folder.setBytes(Array(try folder.bytes().dropLast()), sameBoot: true)
        #expect(try one.read() == ["a", "b", "c"])
        #expect(throws: JournalError.self) { try writer.read() }
        chmod(folder.journalPath, 0o640)
        #expect(throws: JournalError.tooOpen(path: folder.journalPath, mode: "600")) { try writer.read() }
    }

    @Test("Without memory that counts changes each reader looks at the path")
    func noCounter() throws {
        let one = try folder.open()
        // It cannot be opened, nor another take its place.
        unlink(folder.path + "/changes")
        mkdir(folder.path + "/changes", 0o700)
        defer { rmdir(folder.path + "/changes") }
        let (reader, writer) = (try folder.open(lookInterval: 3_600_000), try folder.open())
        try writer.append(["a"])
        #expect(try reader.read() == ["a"])
        try one.append(["b"])
        #expect(try reader.read() == ["a", "b"])
        chmod(folder.journalPath, 0o640)
        #expect(throws: JournalError.tooOpen(path: folder.journalPath, mode: "600")) { try reader.read() }
        chmod(folder.journalPath, 0o600)
        // It is tried again, and then nobody looks before something is counted.
        rmdir(folder.path + "/changes")
        for _ in 0..<1000 where reader.folder.changes.identity == nil {
            usleep(5000)
            _ = try reader.read()
        }
        _ = try reader.read()
        chmod(folder.journalPath, 0o640)
        #expect(try reader.read() == ["a", "b"])
    }

    @Test("Memory that takes the place of the first is taken by writers at once, by readers at the next look")
    func replacedMemory() throws {
        let (reader, writer) = (try folder.open(lookInterval: 3_600_000), try folder.open())
        try writer.append(["a"])
        #expect(try reader.read() == ["a"])
        for act in ["removed", "invalid", "short"] {
            let path = folder.path + "/changes"
            unlink(path)
            if act != "removed" {
                let file = try File(creating: path, owner: geteuid(), group: getegid())
                try file.write([UInt8](repeating: 0, count: act == "short" ? 100 : 4096), at: 0)
            }
            let before = try reader.read()
            try writer.append([act])
            // By hand, so this is not seen yet.
            #expect(try reader.read() == before)
            reader.folder.changes.look(in: reader.folder)
            #expect(reader.folder.changes.identity == writer.folder.changes.identity)
            #expect(try reader.read() == before + [act])
            try writer.append(["b"])
            #expect(try reader.read() == before + [act, "b"])
        }
    }

    @Test("Of many who make the memory at once all have the same one")
    func sharedMemory() throws {
        for _ in 0..<20 {
            unlink(folder.path + "/changes")
            let found = Mutex<[File.Identity?]>([])
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                let opened = try? JournalFolder(opening: folder.path, kind: "test", version: 1)
                if let opened { opened.changes.look(in: opened) }
                found.withLock { $0.append(opened?.changes.identity) }
            }
            let all = found.withLock { $0 }
            try #require(all.count == 8)
            #expect(all.allSatisfy { $0 != nil && $0 == all[0] })
        }
    }

    @Test("What a writer wrote who was killed before he counted it is seen when another acknowledges it")
    func uncounted() throws {
        let writer = try folder.open()
        try writer.append(["a"])
        let before = try folder.bytes()
        try writer.append(["b"])
        let after = try folder.bytes()
        try folder.setBytes(before)
        let other = try folder.open(lookInterval: 3_600_000)
        #expect(try other.read() == ["a"])
        try folder.overwrite(after)
        #expect(try other.read() == ["a"])
        // It finds nothing to do.
        try writer.append { texts in texts.contains("b") ? [] : ["b"] }
        #expect(try other.read() == ["a", "b"])
    }

    @Test("The journals and folders of a store have counters of their own")
    func counters() {
        let names = ["users", "tokens", "sessions", "revocations", "keys"]
        #expect(Set(names.map(ChangeMemory.slot)).count == names.count)
        #expect(names.allSatisfy { (1..<64).contains(ChangeMemory.slot(of: $0)) })
    }

    @Test("A held lock is waited for, but not for ever, and the error names its holder")
    func locked() throws {
        let holder = try File(opening: folder.path + "/lock", owner: geteuid())
        let one = try folder.open(patience: .milliseconds(50))
        try one.append(["a"])
        #expect(linux_lock_exclusive(holder.descriptor, 0, true) == 0)
        #expect(throws: JournalError.locked(path: folder.path + "/lock", holder: getpid())) { try one.append(["b"]) }
        #expect(try one.read() == ["a"])
        #expect(linux_lock_exclusive(holder.descriptor, 0, false) == 0)
        try one.append(["b"])
        #expect(try one.read() == ["a", "b"])
    }

    @Test("A lock that is free is taken, though whoever is next for it does not come")
    func stoppedWaiter() throws {
        let waiter = try File(opening: folder.path + "/lock", owner: geteuid())
        #expect(linux_lock_exclusive(waiter.descriptor, 1 << 40, true) == 0)
        let one = try folder.open()
        try one.append(["a"])
        #expect(try one.read() == ["a"])
    }

    @Test("What may be lost waits for nobody", .timeLimit(.minutes(15)))
    func atOnce() throws {
        let one = try folder.open(patience: .seconds(600))
        try one.append(["a"])
        let holder = try File(opening: folder.path + "/lock", owner: geteuid())
        #expect(linux_lock_exclusive(holder.descriptor, 0, true) == 0)
        #expect(throws: JournalError.self) { try one.appendAtOnce(["b"]) }
        #expect(linux_lock_exclusive(holder.descriptor, 0, false) == 0)
        try one.appendAtOnce(["c"])
        #expect(try folder.open().read() == ["a", "c"])
    }

    @Test(
        "An older copy in the journal's place is refused while anybody knows more; else it is told from its beginning"
    )
    func replaced() throws {
        let one = try folder.open()
        try one.append(["a"])
        let old = try folder.bytes()
        try one.append(["b"])
        #expect(try one.read() == ["a", "b"])
        let size = Int64(try folder.bytes().count)
        try folder.replaceFile(with: old)
        let error = JournalError.cutShort(path: folder.journalPath, size: Int64(old.count), synced: size)
        #expect(throws: error) { try one.read() }
        #expect(throws: error) { try one.append(["c"]) }
        #expect(throws: error) { try folder.open().read() }
        try folder.forgetSyncs()
        #expect(try one.read() == ["a"])
        try one.append(["c"])
        #expect(try folder.open().read() == ["a", "c"])
    }

    @Test("A journal that is gone is an error, and nothing is written to the orphan")
    func deleted() throws {
        let one = try folder.open()
        try one.append(["a"])
        rename(folder.journalPath, folder.path + "/events.old")
        #expect(throws: JournalError.missing(path: folder.journalPath)) { try one.read() }
        #expect(throws: JournalError.missing(path: folder.journalPath)) { try one.append(["b"]) }
        rename(folder.path + "/events.old", folder.journalPath)
        #expect(try one.read() == ["a"])
    }
}
