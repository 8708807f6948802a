import CLinux
import Glibc
import Synchronization
import Testing

@testable import Journal

@Suite("What is known to be synced, and files that are changed from outside")
struct KnownSyncedTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("A write that the system only claims to have done is no acknowledgement")
    func claimedWrite() throws {
        var calls = DiskCalls()
        let write = calls.write
        calls.write = { descriptor, bytes, offset in
            bytes.count > 100 ? 3 : write(descriptor, bytes, offset)
        }
        let (before, long) = (try folder.bytes(), String(repeating: "a", count: 100))
        #expect(throws: JournalError.self) { try folder.open(calls: calls).append([long]) }
        #expect(try folder.bytes() == before)
        try folder.open().append(["b"])
        #expect(try folder.open().read() == ["b"])
    }

    @Test("The last group, once synced, is not cut off as a torn tail: within a boot its damage is known as such")
    func damagedLastGroup() throws {
        let one = try folder.open()
        try one.append(["a"])
        let start = try folder.bytes().count
        try one.append(["b"])
        let whole = try folder.bytes()
        var flipped = whole
        flipped[whole.count - 3] ^= 1
        for bytes in [flipped, Array(whole.dropLast()), Array(whole[..<start])] {
            try folder.setBytes(bytes, sameBoot: true)
            let (size, synced) = (Int64(bytes.count), Int64(whole.count))
            let error: JournalError =
                size < synced
                ? .cutShort(path: folder.journalPath, size: size, synced: synced)
                : .damaged(path: folder.journalPath, line: 4, offset: Int64(start))
            #expect(throws: error) { try folder.open().append(["c"]) }
            #expect(throws: error) { try folder.open().read() }
            #expect(try folder.bytes() == bytes)
        }
        // The bytes as such may be all that a power cut left.
        try folder.forgetSyncs()
        try folder.open().append(["c"])
        #expect(try folder.open().read() == ["a", "c"])
    }

    @Test("A journal that is cut short in place revives nothing in those who follow it")
    func shortened() throws {
        let one = try folder.open()
        try one.append(["token"])
        let short = try folder.bytes()
        try one.append(["revocation"])
        try folder.setBytes(short, sameBoot: true)
        #expect(throws: JournalError.self) { try one.read() }
        #expect(throws: JournalError.self) { try one.read() }
        #expect(throws: JournalError.self) { try one.append(["c"]) }
    }

    @Test("What was found to be damaged is not read again until something changes")
    func verdict() throws {
        let one = try folder.open()
        let long = String(repeating: "a", count: 1000)
        for _ in 0..<20 { try one.append([long]) }
        let good = try folder.bytes()
        var bad = good
        bad[400] ^= 1
        try folder.overwrite(bad)
        let other = try folder.open()
        func bytesRead() throws -> Int {
            let before = try Self.bytesReadByThread()
            #expect(throws: JournalError.self) { try other.read() }
            return try Self.bytesReadByThread() - before
        }
        #expect(try bytesRead() > good.count)
        // A file that was changed just now is read again: the clock of its times ticks slowly.
        let deadline = ContinuousClock.now + .seconds(20)
        while try bytesRead() > 5000 { try #require(ContinuousClock.now < deadline) }
        #expect(try bytesRead() < 5000)
        try folder.overwrite(good)
        #expect(try other.read().count == 20)
    }

    private static func bytesReadByThread() throws -> Int {
        let descriptor = Glibc.open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var text = [UInt8](repeating: 0, count: 256)
        let count = Glibc.read(descriptor, &text, text.count)
        let first = String(decoding: text.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").first
        return try #require(first.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) })
    }

    @Test("Other contents in the same file are told from the beginning, and none of them is cut off")
    func overwritten() throws {
        let one = try folder.open()
        try one.append(["a"])
        let common = try folder.bytes()
        try one.append(["b"])
        let other = try TemporaryFolder()
        try other.replaceFile(with: common)
        try other.open().append(["x", "y", "z"])
        try folder.setBytes(try other.bytes())
        try one.append(["c"])
        #expect(try one.read() == ["a", "x", "y", "z", "c"])
        #expect(try folder.open().read() == ["a", "x", "y", "z", "c"])
    }

    @Test("What was synced of a longer text in the same file vouches for nothing that follows on a shorter one")
    func shorterText() throws {
        // Bytes that were written and not synced.
        let unsynced = Atomic(false)
        var calls = DiskCalls()
        let (write, sync) = (calls.write, calls.sync)
        calls.write = { descriptor, bytes, offset in
            unsynced.store(true, ordering: .relaxed)
            return write(descriptor, bytes, offset)
        }
        calls.sync = { descriptor in
            unsynced.store(false, ordering: .relaxed)
            return sync(descriptor)
        }
        let one = try folder.open(calls: calls)
        try one.append(["a"])
        let short = try folder.bytes()
        try one.append([String(repeating: "b", count: 1000)])
        try folder.setBytes(short)
        try folder.setRepaired()
        #expect(try one.read() == ["a"])
        try one.append(["c"])
        let isSynced = !unsynced.load(ordering: .relaxed)
        #expect(isSynced)
        #expect(try folder.open().read() == ["a", "c"])
    }

    @Test("A lock file that takes the place of the lock is the one that counts from then on")
    func lockReplaced() throws {
        let one = try folder.open(patience: .milliseconds(50))
        try one.append(["a"])
        try folder.replaceLock()
        let holder = try File(opening: folder.path + "/lock", owner: geteuid())
        #expect(linux_lock_exclusive(holder.descriptor, 0, true) == 0)
        #expect(throws: JournalError.locked(path: folder.path + "/lock", holder: 0)) { try one.append(["b"]) }
        #expect(linux_lock_exclusive(holder.descriptor, 0, false) == 0)
        try one.append(["b"])
        #expect(try folder.open().read() == ["a", "b"])
    }

    @Test("What is copied on the way back from a failed sync is checked, and refused when it is not whole")
    func rewriteChecks() throws {
        let one = try folder.open()
        try one.append(["a"])
        try one.append(["b"])
        var calls = DiskCalls()
        calls.sync = { _ in
            errno = EIO
            return -1
        }
        #expect(throws: JournalError.self) { try folder.open(calls: calls).append(["lost"]) }
        // A reader that has everything meets a page that the disk gives back otherwise.
        let good = try folder.bytes()
        var bad = good
        bad[bad.firstIndex(of: 0x0A)! + 60] ^= 1
        try folder.overwrite(bad)
        #expect(throws: JournalError.poisoned(path: folder.journalPath, errno: EIO)) { try one.append(["c"]) }
        try folder.overwrite(good)
        try one.append(["c"])
        #expect(try folder.open().read() == ["a", "b", "c"])
    }
}
