import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Journal

@Suite("Writers share a sync", .timeLimit(.minutes(15)))
struct GroupCommitTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.open().append(["first"])
    }

    @Test("All that is appended while a sync runs gets on disk with the next one", arguments: [1, 4])
    func shared(processes: Int) throws {
        let disk = Disk()
        let writers = 12
        disk.firstSyncWaits { disk.writes == writers }
        let readers = try (0..<processes).map { _ in try folder.open(calls: disk.calls) }
        let failures = Mutex<[any Error]>([])
        inParallel(writers) { number in
            do {
                try readers[number % processes].append(["\(number)"])
            } catch {
                failures.withLock { $0.append(error) }
            }
        }
        #expect(failures.withLock { $0 }.isEmpty)
        #expect(disk.syncs == 2)
        #expect(try folder.open().read().dropFirst().sorted() == (0..<writers).map(String.init).sorted())
        for reader in readers { #expect(try reader.read().count == writers + 1) }
    }

    @Test("When it fails, nobody whose events came with it or after it is told that they are there", arguments: [1, 3])
    func failed(processes: Int) throws {
        let disk = Disk()
        disk.firstSyncWaits(thenFails: true) { disk.writes == 3 }
        let readers = try (0..<processes).map { _ in try folder.open(calls: disk.calls) }
        let refused = Mutex(0)
        inParallel(3) { number in
            do {
                try readers[number % processes].append(["\(number)"])
            } catch {
                refused.withLock { $0 += 1 }
            }
        }
        #expect(refused.withLock { $0 } == 3)
        try readers[0].append(["later"])
        for reader in readers { #expect(try reader.read() == ["first", "later"]) }
        #expect(try folder.open().read() == ["first", "later"])
    }

    @Test("Who decides on what is not on disk yet, and writes nothing, waits for it all the same", arguments: [1, 2])
    func decision(processes: Int) throws {
        let disk = Disk()
        let isDecided = Atomic(false)
        disk.firstSyncWaits { isDecided.load(ordering: .acquiring) }
        let readers = try (0..<processes).map { _ in try folder.open(calls: disk.calls) }
        let syncsSeen = Mutex<[Int]>([])
        inParallel(2) { number in
            if number == 0 {
                try? readers[0].append(["a"])
            } else {
                disk.wait { disk.writes == 1 }
                try? readers[number % processes].append { texts in
                    isDecided.store(texts.contains("a"), ordering: .releasing)
                    return []
                }
                syncsSeen.withLock { $0.append(disk.syncs) }
            }
        }
        #expect(syncsSeen.withLock { $0 } == [1])
    }

    @Test("A sync that runs keeps no reader from what was appended before it")
    func reader() throws {
        let disk = Disk()
        let isRead = Atomic(false)
        disk.firstSyncWaits { isRead.load(ordering: .acquiring) }
        let one = try folder.open(calls: disk.calls)
        let seen = Mutex<[String]>([])
        inParallel(2) { number in
            if number == 0 {
                try? one.append(["a"])
            } else {
                disk.wait { disk.isSyncing }
                seen.withLock { $0 = (try? one.read()) ?? [] }
                isRead.store(true, ordering: .releasing)
            }
        }
        #expect(seen.withLock { $0 } == ["first", "a"])
    }

    @Test("What waits for a sync while the journal is compacted is there, and acknowledged")
    func compacted() throws {
        let readers = try (0..<3).map { _ in try folder.open() }
        let acknowledged = Mutex<[String]>([])
        let compactions = Atomic(0)
        inParallel(9) { number in
            if number == 8 {
                for _ in 0..<40 where (try? readers[2].compact { $0 }) == true {
                    compactions.add(1, ordering: .relaxed)
                }
                return
            }
            for round in 0..<25 {
                let text = "\(number).\(round)"
                guard (try? readers[number % 3].append([text])) != nil else { continue }
                acknowledged.withLock { $0.append(text) }
            }
        }
        #expect(compactions.load(ordering: .relaxed) > 0)
        let all = acknowledged.withLock { $0 }
        #expect(all.count == 200)
        #expect(try folder.open().read().dropFirst().sorted() == all.sorted())
    }

    @Test("What was known of a file on disk is not believed of the one that took its place: each append is synced")
    func afterCompaction() throws {
        let disk = Disk()
        let (one, other) = (try folder.open(calls: disk.calls), try folder.open())
        try one.append(["a"])
        #expect(try other.compact { $0 })
        for text in ["b", "c"] {
            let before = disk.syncs
            try one.append([text])
            #expect(disk.syncs == before + 1)
        }
    }

    @Test("A record covers what is on disk of its file, or of one that its file was made of, and no other")
    func covers() throws {
        let (old, identity) = (
            FileHeader(new: "events", Linux()), File.Identity(inode: 1, device: 1)
        )
        let needed = SyncRecord(of: "events", old, identity, synced: 100, in: Linux().boot)
        func covers(_ header: FileHeader, inode: UInt = 1, synced: Int64, failure: Int32 = 0) -> Bool {
            var record = SyncRecord(
                of: "events",
                header,
                File.Identity(inode: inode, device: 1),
                synced: synced,
                in: Linux().boot
            )
            record.failure = failure
            return record.covers(needed)
        }
        #expect(covers(old, synced: 100))
        #expect(!covers(old, synced: 99))
        #expect(covers(old, synced: 100, failure: EIO))
        #expect(!covers(old, inode: 2, synced: 100))
        let compacted = try #require(old.compacted(Linux()))
        #expect(covers(compacted, inode: 2, synced: 50))
        #expect(covers(try #require(compacted.compacted(Linux())), inode: 2, synced: 50))
        #expect(!covers(compacted, inode: 2, synced: 100, failure: EIO))
        #expect(!covers(FileHeader(new: "events", Linux()), inode: 2, synced: 100))
    }
}

extension GroupCommitTests {
    @Test("Who rests on what was told waits until it is on disk, without a sync of its own where it is known to be")
    func followSynced() throws {
        let (disk, own) = (Disk(), Disk())
        let (writer, reader) = (try folder.open(calls: disk.calls), try folder.open(calls: own.calls))
        #expect(try reader.readSynced() == ["first"])
        try writer.append(["second"])
        #expect(try reader.readSynced() == ["first", "second"])
        #expect(own.syncs == 0)

        // While the sync runs it is told, and not on disk; when it fails it never was.
        let isAsked = Atomic(false)
        disk.firstSyncWaits(thenFails: true) { isAsked.load(ordering: .acquiring) }
        let results = Mutex<[[String]?]>([])
        inParallel(2) { number in
            if number == 0 {
                try? writer.append(["lost"])
                return
            }
            disk.wait { disk.isSyncing }
            let seen = try? reader.read()
            isAsked.store(true, ordering: .releasing)
            let synced = try? reader.readSynced()
            results.withLock { $0 = [seen, synced] }
        }
        let (seen, synced) = (results.withLock { $0[0] }, results.withLock { $0[1] })
        #expect(seen == ["first", "second", "lost"])
        #expect(synced == nil || synced == ["first", "second"])
        #expect(try reader.readSynced() == ["first", "second"])
        // After a boot nobody knows, and it is synced then.
        try folder.forgetSyncs()
        let other = Disk()
        #expect(try folder.open(calls: other.calls).readSynced() == ["first", "second"])
        #expect(other.syncs > 0)
    }
}

/// Calls the body with 0, 1, … on as many threads, and waits for all.
private func inParallel(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let group = DispatchGroup()
    for number in 0..<count { DispatchQueue(label: "writer \(number)").async(group: group) { body(number) } }
    group.wait()
}

/// Counts what is written and synced, and holds the first sync up.
private final class Disk: Sendable {
    private struct State {
        var writes = 0
        var begun = 0
        var syncs = 0
        var fails = false
        var condition: (@Sendable () -> Bool)?
    }

    private let state = Mutex(State())

    var writes: Int { state.withLock { $0.writes } }
    /// Those that are done, well or not.
    var syncs: Int { state.withLock { $0.syncs } }
    var isSyncing: Bool { state.withLock { $0.begun > $0.syncs } }

    func firstSyncWaits(thenFails: Bool = false, until condition: @escaping @Sendable () -> Bool) {
        state.withLock { ($0.fails, $0.condition) = (thenFails, condition) }
    }

    func wait(until condition: () -> Bool) {
        while !condition() { usleep(200) }
    }

    var calls: DiskCalls {
        var calls = DiskCalls()
        calls.write = { descriptor, bytes, offset in
            let count = pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
            self.state.withLock { $0.writes += 1 }
            return count
        }
        calls.sync = { descriptor in
            let (condition, fails) = self.state.withLock { state in
                state.begun += 1
                defer { (state.condition, state.fails) = (nil, false) }
                return (state.condition, state.fails)
            }
            if let condition { self.wait(until: condition) }
            let result = fails ? -1 : fdatasync(descriptor)
            self.state.withLock { $0.syncs += 1 }
            if fails { errno = EIO }
            return result
        }
        return calls
    }
}
