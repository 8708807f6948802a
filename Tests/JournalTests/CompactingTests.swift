import Foundation
import Glibc
import Synchronization
import Testing

@testable import Journal

@Suite("Compacting a journal")
struct CompactingTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func events(_ texts: [String]) -> [Event] { texts.map { Event([Array($0.utf8)]) } }

    /// Keeps the texts that begin with k.
    private func compact(
        _ reader: Reader,
        meanwhile: () throws -> Void = {}
    ) throws -> Bool {
        try reader.compact { texts in
            try meanwhile()
            return texts.filter { $0.hasPrefix("k") }
        }
    }

    private func leftovers() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.contains(".new") }
    }

    @Test("What counts stays, in its order, and everybody goes on")
    func keeps() throws {
        let (one, other) = (try folder.open(), try folder.open())
        try one.append((0..<2000).map { $0 % 2 == 0 ? "k\($0)" : "d\($0)" })
        _ = try other.read()
        let before = try folder.bytes().count
        #expect(try compact(one))
        let kept = (0..<1000).map { "k\(2 * $0)" }
        #expect(try folder.bytes().count < before * 6 / 10)
        #expect(try one.read() == kept)
        #expect(try other.read() == kept)
        #expect(try folder.open().read() == kept)
        try other.append(["k-later"])
        try one.append(["k-last"])
        #expect(try one.read() == kept + ["k-later", "k-last"])
        #expect(try folder.open().read() == one.read())
        #expect(try leftovers().isEmpty)
        #expect(other.resets == 1)
    }

    @Test("What others append while it is written is not lost, in whatever state they are")
    func meanwhile() throws {
        let (one, other) = (try folder.open(), try folder.open())
        try one.append(["k1", "d1"])
        #expect(try compact(one) { for number in 0..<700 { try other.append(["m\(number)"]) } })
        let all = ["k1"] + (0..<700).map { "m\($0)" }
        #expect(try one.read() == all)
        #expect(try other.read() == all)
        #expect(try folder.open().read() == all)
    }

    @Test(
        "Who followed the old file, to its end or not, goes on in the new one behind what he knows, whatever comes meanwhile"
    )
    func goesOn() throws {
        let (one, upToDate, behind, idle) = (try folder.open(), try folder.open(), try folder.open(), try folder.open())
        let texts = (0..<200).map { $0 % 2 == 0 ? "k\($0)" : "d\($0)" }
        try one.append(texts)
        #expect(try behind.goOn() == texts)
        #expect(try idle.goOn() == texts)
        #expect(try upToDate.goOn() == texts)
        #expect(try compact(one) { try one.append(["k-meanwhile"]) })
        let known = texts + ["k-meanwhile"]
        // What is told twice or not at all would show; so would what the new file left out.
        #expect(try upToDate.goOn() == known)
        #expect(try behind.goOn() == known)
        try upToDate.append(["k-later"])
        #expect(try one.read().last == "k-later")
        #expect(try behind.goOn() == known + ["k-later"])
        #expect([upToDate, behind].map { $0.handovers.withLock { $0 } } == [[101], [101]])
        #expect([upToDate, behind].map(\.resets) == [0, 0])
        #expect(try folder.open().goOn() == one.texts)
        // Of the file that two compactions ago took the place of his nobody knows any more.
        #expect(try compact(one))
        #expect(try idle.goOn() == one.read())
        #expect(idle.handovers.withLock { $0 } == [])
        #expect(idle.resets == 1)
        #expect(try behind.goOn() == known + ["k-later"])
        #expect(behind.handovers.withLock { $0 } == [101, 102])
    }

    @Test("Nobody goes on in a file that says more, another one, or one whose handover is damaged", arguments: 0..<4)
    func doesNotGoOn(way: Int) throws {
        let (one, other) = (try folder.open(), try folder.open())
        try one.append(["k1", "d1"])
        _ = try other.goOn()
        if way == 0 {
            #expect(try one.compact(saysMore: true) { $0 + ["more"] })
        } else {
            #expect(try compact(one))
        }
        try one.append(["k2"])
        let path = folder.path + "/lock"
        switch way {
        case 1:
            var lock = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            let place = try #require(lock.firstRange(of: Array("events.base".utf8)))
            lock[place.upperBound + 40] ^= 1
            let descriptor = open(path, O_WRONLY)
            defer { close(descriptor) }
            #expect(pwrite(descriptor, lock, lock.count, 0) == lock.count)
        case 2: try folder.replaceLock()
        case 3:
            try folder.replaceFile(with: try folder.bytes())
        default: break
        }
        if way > 1 {
            // A copy of the compacted file is as good, and who has opened a lock file goes on to read it.
            #expect(try other.goOn() == ["k1", "d1", "k2"])
        } else {
            #expect(try other.goOn() == folder.open().read())
            #expect(other.handovers.withLock { $0 } == [])
        }
    }

    @Test("Readers wait neither for the disk nor for whoever reads the new file")
    func nobodyWaits() throws {
        let (one, other) = (try folder.open(), try folder.open())
        try one.append(["k1", "d1"])
        _ = try other.goOn()
        #expect(try compact(one))
        try one.append(["k2"])
        let (hasBegun, mayGoOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let replayed = Mutex<[String]>([])
        let isDone = Mutex<Bool?>(nil)
        let thread = DispatchGroup()
        DispatchQueue(label: "replay").async(group: thread) {
            let result = try? other.replay { text in
                hasBegun.signal()
                mayGoOn.wait()
                replayed.withLock { $0.append(text) }
            }
            isDone.withLock { $0 = result }
        }
        hasBegun.wait()
        // It stands at the first line, and all others go on.
        #expect(try other.goOn() == ["k1", "d1", "k2"])
        try other.append(["k3"])
        try one.append(["k4"])
        #expect(try other.goOn() == ["k1", "d1", "k2", "k3", "k4"])
        for _ in 0..<10 { mayGoOn.signal() }
        thread.wait()
        #expect(isDone.withLock { $0 } == true)
        // When it is done both were told the same, but for what nobody needs.
        #expect(replayed.withLock { $0 } == ["k1", "k2", "k3", "k4"])
        #expect(other.putTexts.withLock { $0 } == other.texts)
    }

    @Test("Of two at once one gives up, and removes what it wrote")
    func two() throws {
        let (one, other) = (try folder.open(), try folder.open())
        try one.append(["k1", "d1"])
        var isOthersDone = false
        #expect(try !compact(one) { isOthersDone = try compact(other) })
        #expect(isOthersDone)
        #expect(try one.read() == ["k1"])
        #expect(try leftovers().isEmpty)
        try one.append(["k2"])
        #expect(try other.read() == ["k1", "k2"])
    }

    @Test("However many follow on each other, none takes away what the next one writes")
    func many() throws {
        let readers = try (0..<4).map { _ in try folder.open() }
        try readers[0].append(["k1", "d1"])
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { number in
            for _ in 0..<100 {
                do { _ = try readers[number].compact { $0 } } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try readers.map { try $0.read() } == Array(repeating: ["k1", "d1"], count: 4))
        #expect(try leftovers().isEmpty)
    }

    @Test("A file that was written over meanwhile stays as it is")
    func replaced() throws {
        let one = try folder.open()
        try one.append(["k1", "k2", "d3"])
        let other = try TemporaryFolder()
        try other.replaceFile(with: try folder.bytes())
        try other.open().append(["x4", "x5"])
        try one.append(["k4"])
        #expect(try !compact(one) { try folder.setBytes(try other.bytes()) })
        #expect(try folder.open().read() == ["k1", "k2", "d3", "x4", "x5"])
    }

    @Test("What a killed one left is removed by the next")
    func leftover() throws {
        let one = try folder.open()
        try one.append(["k1"])
        _ = FileManager.default.createFile(atPath: folder.journalPath + ".new-abc", contents: Data("half".utf8))
        #expect(try compact(one))
        #expect(try leftovers().isEmpty)
    }

    @Test("Nothing to keep is nothing, and then it fills again")
    func empty() throws {
        let one = try folder.open()
        try one.append(["d1", "d2"])
        #expect(try compact(one))
        #expect(try one.read() == [])
        try one.append(["k1"])
        #expect(try folder.open().read() == ["k1"])
    }

    @Test("When a write or a sync fails, the old file is there, and whole", arguments: [true, false], 0..<2)
    func faults(isWrite: Bool, number: Int) throws {
        try folder.open().append(["k1", "d1"] + (0..<1300).map { "k\($0)" + String(repeating: "x", count: 900) })
        let expected = try folder.open().read()
        let counter = Counter()
        var calls = DiskCalls()
        if isWrite {
            calls.write = { descriptor, bytes, offset in
                if counter.next() == number {
                    errno = ENOSPC
                    return -1
                }
                return pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
            }
        } else {
            calls.sync = { descriptor in
                if counter.next() == number {
                    errno = EIO
                    return -1
                }
                return fdatasync(descriptor)
            }
        }
        let one = try folder.open(calls: calls)
        _ = try one.read()
        let isDone = (try? compact(one)) ?? false
        let now = try folder.open().read()
        #expect(now == (isDone ? expected.filter { $0.hasPrefix("k") } : expected))
        #expect(try leftovers().isEmpty)
        try folder.open().append(["k-later"])
        #expect(try folder.open().read() == now + ["k-later"])
    }

    @Test("After it, everything that is missing is damage")
    func damage() throws {
        let one = try folder.open()
        try one.append((0..<1500).map { "k\($0)" })
        #expect(try compact(one))
        let bytes = try folder.bytes()
        var broken = bytes
        broken[bytes.count / 2] ^= 1
        try folder.setBytes(broken)
        #expect(throws: JournalError.self) { try folder.open().read() }
    }
}

/// Counts calls, from 0 on.
private final class Counter: Sendable {
    private let value = Atomic(0)

    func next() -> Int { value.add(1, ordering: .relaxed).oldValue }
}
