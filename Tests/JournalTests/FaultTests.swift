import Glibc
import Synchronization
import Testing

@testable import Journal

@Suite("Disks that fail")
struct FaultTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("After a failed sync nothing is acknowledged, and the journal comes back as it was synced last")
    func failedSync() throws {
        let fault = Fault()
        let one = try folder.open(calls: fault.calls)
        let other = try folder.open()
        try one.append(["a"])
        fault.failsSync = true
        #expect(throws: JournalError.system(call: "fdatasync", path: folder.journalPath, errno: EIO)) {
            try one.append(["lost"])
        }
        // As long as the disk fails, the file cannot be rewritten either.
        #expect(throws: JournalError.poisoned(path: folder.journalPath, errno: EIO)) { try one.append(["b"]) }
        fault.failsSync = false
        try other.append(["c"])
        #expect(try other.read() == ["a", "c"])
        #expect(try one.read() == ["a", "c"])
        #expect(try folder.open().read() == ["a", "c"])
    }

    @Test("The first sync after a boot that fails loses nothing of what was there")
    func failedFirstSync() throws {
        try folder.open().append(["a", "b"])
        try folder.forgetSyncs()
        let fault = Fault()
        fault.failsSync = true
        #expect(throws: JournalError.self) { try folder.open(calls: fault.calls).append(["lost"]) }
        let reader = try folder.open()
        try reader.append(["c"])
        #expect(try folder.open().read() == ["a", "b", "c"])
    }

    @Test("After a sync whose end nobody noted, what it was to cover is written again before the next one")
    func killedInSync() throws {
        let one = try folder.open()
        try one.append(["a"])
        let (before, record) = (try folder.bytes().count, try #require(try folder.record()))
        try one.append(["b"])
        // As if the process had been killed before it could say what became of this sync.
        var syncing = record
        syncing.isSyncing = true
        try folder.setRecord(syncing)
        let log = CallLog()
        try folder.open(calls: log.calls).append(["c"])
        let size = try folder.bytes().count
        let appended = try #require(log.calls(of: "write").first)
        #expect(log.names == ["write", "write", "sync"])
        #expect(log.calls(of: "write").last == before..<size)
        #expect(appended.upperBound == size)
        let settled = try #require(try folder.record())
        #expect(!settled.isSyncing)
        #expect(settled.failure == 0)
        #expect(settled.synced == size)
        #expect(try folder.open().read() == ["a", "b", "c"])
        #expect(try one.read() == ["a", "b", "c"])
    }

    @Test("While a sync runs the record says so, and a failed one is noted in its place")
    func syncIsNoted() throws {
        let one = try folder.open()
        try one.append(["a"])
        let seen = Mutex<[Bool]>([])
        var calls = DiskCalls()
        let folder = folder
        calls.sync = { _ in
            let record = try? folder.record()
            seen.withLock { $0.append(record?.isSyncing ?? false) }
            errno = EIO
            return -1
        }
        #expect(throws: JournalError.self) { try folder.open(calls: calls).append(["lost"]) }
        #expect(seen.withLock { $0 } == [true])
        let record = try #require(try folder.record())
        #expect(!record.isSyncing)
        #expect(record.failure == EIO)
    }

    @Test("What a sync without an end was to cover is refused when the disk gives it back otherwise")
    func changedAfterSync() throws {
        let one = try folder.open()
        try one.append(["a"])
        var syncing = try #require(try folder.record())
        let before = try folder.bytes().count
        try one.append(["b"])
        syncing.isSyncing = true
        try folder.setRecord(syncing)
        // Behind the back of the one who has read it.
        var calls = DiskCalls()
        let folder = folder
        let write = calls.write
        calls.write = { descriptor, bytes, offset in
            let written = write(descriptor, bytes, offset)
            if var all = try? folder.bytes() {
                all[before + 3] ^= 1
                try? folder.overwrite(all)
            }
            return written
        }
        #expect(throws: JournalError.self) { try folder.open(calls: calls).append(["c"]) }
        #expect(try #require(try folder.record()).synced == before)
    }

    @Test("A write that ends early is cut back, and the next one is good", arguments: [0, 1, 40])
    func shortWrite(length: Int) throws {
        let fault = Fault()
        let one = try folder.open(calls: fault.calls)
        try one.append(["a"])
        let before = try folder.bytes()
        fault.room = length
        #expect(throws: JournalError.system(call: "pwrite", path: folder.journalPath, errno: ENOSPC)) {
            try one.append(["b"])
        }
        #expect(try folder.bytes() == before)
        #expect(try one.read() == ["a"])
        fault.room = nil
        try one.append(["c"])
        #expect(try folder.open().read() == ["a", "c"])
    }

    @Test("Where cutting back fails too, the next writer does it")
    func failedTruncate() throws {
        let fault = Fault()
        let one = try folder.open(calls: fault.calls)
        try one.append(["a"])
        fault.room = 10
        fault.failsTruncate = true
        #expect(throws: JournalError.self) { try one.append(["b"]) }
        #expect(try folder.open().read() == ["a"])
        try folder.open().append(["c"])
        #expect(try one.read() == ["a", "c"])
    }

    @Test("A write in pieces, and calls that a signal interrupts, are not seen")
    func pieces() throws {
        let fault = Fault()
        fault.piece = 7
        let one = try folder.open(calls: fault.calls)
        try one.append(["a", "b"])
        #expect(try folder.open().read() == ["a", "b"])
    }
}

/// The calls that change the disk, in order.
private final class CallLog: Sendable {
    private let all = Mutex<[(name: String, bytes: Range<Int>)]>([])

    var names: [String] { all.withLock { $0.map(\.name) } }

    func calls(of name: String) -> [Range<Int>] { all.withLock { $0.filter { $0.name == name }.map(\.bytes) } }

    var calls: DiskCalls {
        var calls = DiskCalls()
        let (write, sync) = (calls.write, calls.sync)
        calls.write = { descriptor, bytes, offset in
            self.all.withLock { $0.append(("write", Int(offset)..<Int(offset) + bytes.count)) }
            return write(descriptor, bytes, offset)
        }
        calls.sync = { descriptor in
            self.all.withLock { $0.append(("sync", 0..<0)) }
            return sync(descriptor)
        }
        return calls
    }
}

/// System calls that fail as a test wants.
private final class Fault: Sendable {
    private struct State {
        var failsSync = false
        var failsTruncate = false
        var room: Int?
        var piece: Int?
        var interruptsNext = true
    }

    private let state = Mutex(State())

    var failsSync: Bool {
        get { state.withLock { $0.failsSync } }
        set { state.withLock { $0.failsSync = newValue } }
    }

    var failsTruncate: Bool {
        get { state.withLock { $0.failsTruncate } }
        set { state.withLock { $0.failsTruncate = newValue } }
    }

    /// Bytes that the disk still takes.
    var room: Int? {
        get { state.withLock { $0.room } }
        set { state.withLock { $0.room = newValue } }
    }

    /// Bytes that a call writes at most; every second call is interrupted.
    var piece: Int? {
        get { state.withLock { $0.piece } }
        set { state.withLock { $0.piece = newValue } }
    }

    var calls: DiskCalls {
        var calls = DiskCalls()
        calls.write = { descriptor, bytes, offset in
            let allowed = self.state.withLock { state -> Int? in
                if let piece = state.piece {
                    state.interruptsNext.toggle()
                    return state.interruptsNext ? min(piece, bytes.count) : nil
                }
                guard let room = state.room else { return bytes.count }
                state.room = max(0, room - bytes.count)
                return room == 0 ? 0 : min(room, bytes.count)
            }
            guard let allowed else {
                errno = EINTR
                return -1
            }
            guard allowed > 0 else {
                errno = ENOSPC
                return -1
            }
            return pwrite(descriptor, bytes.baseAddress, allowed, off_t(offset))
        }
        calls.sync = { descriptor in
            guard self.failsSync else { return fdatasync(descriptor) }
            errno = EIO
            return -1
        }
        calls.truncate = { descriptor, size in
            guard self.failsTruncate else { return ftruncate(descriptor, off_t(size)) }
            errno = EIO
            return -1
        }
        return calls
    }
}
