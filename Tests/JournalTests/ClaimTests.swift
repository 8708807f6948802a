import CLinux
import Foundation
import Glibc
import Testing

@testable import Journal

/// Two journals of one folder, each of which says how far the other was on disk.
@Suite("What journals say of each other")
struct ClaimTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder(journals: ["events", "others"])
    }

    /// All that one process has open.
    private struct Process {
        let events, others: Reader

        init(_ folder: TemporaryFolder) throws {
            let open = try JournalFolder(opening: folder.path, kind: "test", version: 1, lookInterval: 0)
            events = Reader(try Journal(opening: "events", in: open), open)
            others = Reader(try Journal(opening: "others", in: open), open)
        }

        /// As whoever opens a store.
        func read() throws -> [[String]] {
            let texts = [try events.read(), try others.read()]
            try events.readAnew()
            try others.readAnew()
            return texts
        }
    }

    /// As after a boot from which not even the lock file came back.
    private func boot() throws { try folder.forgetSyncs(of: ["events", "others"]) }

    private func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + name)))
    }

    private func set(_ name: String, _ bytes: [UInt8]) throws {
        let file = try File(opening: folder.path + "/" + name, owner: geteuid())
        try file.truncate(to: 0)
        try file.write(bytes, at: 0)
    }

    @Test("A file that lost its end in another boot is refused wherever it was cut, and so is one whose end is zeros")
    func cut() throws {
        let process = try Process(folder)
        for text in ["a", "b", "c"] { try process.events.append([text]) }
        let whole = try bytes("events")
        try process.others.append(["x"])
        let first = try #require(whole.firstIndex(of: 0x0A)) + 1
        for length in first..<whole.count {
            for zeros in [0, whole.count - length] {
                try set("events", Array(whole[..<length]) + [UInt8](repeating: 0, count: zeros))
                try boot()
                #expect(throws: JournalError.self, "\(length)") { try Process(folder).read() }
                #expect(throws: JournalError.self) {
                    let process = try Process(folder)
                    _ = try process.others.read()
                    try process.events.append(["d"])
                }
                #expect(try bytes("events").count == length + zeros)
            }
        }
        try set("events", whole)
        #expect(try Process(folder).read() == [["a", "b", "c"], ["x"]])
    }

    @Test("What the lock file says is true in the next boot as well, but for what is about memory")
    func lockFile() throws {
        let process = try Process(folder)
        for text in ["a", "b"] { try process.events.append([text]) }
        let whole = try bytes("events")
        // Another boot is one of another id.
        let path = folder.path + "/lock"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let boot = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
            .filter { $0.isHexDigit }
        let other = String(repeating: "0", count: 32)
        let slots = text.split(separator: "\n").map { line -> [UInt8] in
            var columns = line.split(separator: "\t").map(String.init)
            guard columns.count == 7, columns[1] == boot else { return Array(line.utf8) + [0x0A] }
            columns[1] = other
            let content = Array(columns.dropLast().joined(separator: "\t").utf8)
            let slot = content + Line.checksum(content, seed: 0).dropLast()
            return slot + [UInt8](repeating: 0x20, count: 159 - slot.count) + [0x0A]
        }
        let later = Array(slots.joined())
        func reboot() throws {
            try Data(later).write(to: URL(fileURLWithPath: path))
            chmod(path, 0o600)
        }
        try reboot()
        #expect(try folder.record() == nil)
        #expect(try Process(folder).read() == [["a", "b"], []])
        try set("events", Array(whole.dropLast(40)))
        try reboot()
        #expect(throws: JournalError.self) { try Process(folder).read() }
        try set("events", whole)
        try reboot()
        try Process(folder).events.append(["c"])
        #expect(try Process(folder).read() == [["a", "b", "c"], []])
    }

    @Test("An older copy, another store's journal, and one that was compacted from another are not what was there")
    func replaced() throws {
        let process = try Process(folder)
        try process.events.append(["a"])
        let old = try bytes("events")
        try process.events.append(["b"])
        #expect(try process.events.compact { $0 })
        let compacted = try bytes("events")
        try process.others.append(["x"])
        let fork = try #require(FileHeader(name: "events", parsing: old[...])?.compacted(Linux())).line
        for bytes in [old, FileHeader(new: "events", Linux()).line, fork] {
            unlink(folder.path + "/events")
            let file = try File(creating: folder.path + "/events", owner: geteuid(), group: getegid())
            try file.write(bytes, at: 0)
            try boot()
            #expect(throws: JournalError.replaced(path: folder.path + "/events")) { try Process(folder).read() }
        }
        try set("events", compacted)
        #expect(try Process(folder).read() == [["a", "b"], ["x"]])
    }

    @Test("A repair takes what is there, whatever others say, and they say so no more")
    func repaired() throws {
        let process = try Process(folder)
        for text in ["a", "b"] { try process.events.append([text]) }
        let short = try bytes("events")
        try process.events.append(["c"])
        try process.others.append(["x"])
        for bytes in [short, FileHeader(new: "events", Linux()).line, []] {
            try set("events", bytes)
            try boot()
            #expect(throws: JournalError.self) { try Process(folder).read() }
            let open = try JournalFolder(opening: folder.path, kind: "test", version: 1)
            let results = try open.repair(["events", "others"])
            #expect(results.map(\.hasLostEnd) == [true, false])
            #expect(results.map(\.wasWhole) == [false, true])
            let kept = bytes == short ? ["a", "b"] : []
            #expect(try Process(folder).read() == [kept, ["x"]])
            #expect(try process.read() == [kept, ["x"]])
            try boot()
            #expect(try Process(folder).read() == [kept, ["x"]])
            // Also when it was compacted, and others have said more of it.
            let later = try Process(folder)
            try later.events.append(["d"])
            #expect(try later.events.compact { _ in kept })
            try boot()
            #expect(try Process(folder).read() == [kept, ["x"]])
            #expect(try open.repair(["events", "others"]).allSatisfy(\.wasWhole))
        }
        unlink(folder.path + "/events")
        let open = try JournalFolder(opening: folder.path, kind: "test", version: 1)
        #expect(try open.repair(["events", "others"]).map(\.wasWhole) == [false, true])
        #expect(try Process(folder).read() == [[], ["x"]])
    }

    @Test("A group says nothing of another journal that this one has said before, and events are told as they are")
    func saidOnce() throws {
        let process = try Process(folder)
        try process.events.append(["a"])
        for text in ["x", "y", "#synced", "#z"] { try process.others.append([text]) }
        let said = String(decoding: try bytes("others"), as: UTF8.self).split(separator: "\n")
            .filter { $0.contains("\t#synced\tevents\t") }
        #expect(said.count == 1)
        #expect(try Process(folder).read() == [["a"], ["x", "y", "#synced", "#z"]])
    }

    @Test("What is cut off and is more than an unfinished group is kept beside the file, and said")
    func setAside() throws {
        let process = try Process(folder)
        for text in ["a", "b", "c"] { try process.events.append([text]) }
        let whole = try bytes("events")
        let header = try #require(FileHeader(name: "events", parsing: whole[...]))
        var position = ChainPosition(after: header)
        _ = position.take(Array(whole[Int(position.offset)...]))
        let tail = Array(whole[Int(position.offset)...])
        let next = position.group(of: [Event(time: .now(), [Array("n".utf8)])], synced: position.offset)
        for length in next.indices.dropFirst() {
            try set("events", Array(whole[..<Int(position.offset)]) + next[..<length])
            try boot()
            try Process(folder).events.append(["d"])
            #expect(try folder.sideFiles() == [], "\(length) bytes of a group")
        }
        for tail in [tail.dropFirst(30), [UInt8](repeating: 0, count: 512)[...], next[...] + [0x23, 0x09, 0x0A]] {
            try set("events", Array(whole[..<Int(position.offset)] + tail))
            // A mark of the last of them would make it damage.
            try boot()
            let process = try Process(folder)
            guard (try? process.events.read()) != nil else { continue }
            let whole = try bytes("events")
            try process.events.append(["d"])
            guard tail != next[...] + [0x23, 0x09, 0x0A] else { continue }
            let side = try #require(try folder.sideFiles().first)
            #expect(try bytes(side) == Array(whole[Int(position.offset)...]))
            unlink(folder.path + "/" + side)
        }
    }

    @Test("Whoever decides what to write holds a lock on the journal itself, at the first write of a process as well")
    func ownLock() throws {
        for process in [try Process(folder), try Process(folder)] {
            for text in ["a", "b"] {
                try process.events.append { _ in
                    let other = try? File(opening: folder.path + "/events", owner: geteuid())
                    #expect(other.map { linux_lock_exclusive($0.descriptor, 0, true) } == -1)
                    return [text]
                }
            }
        }
    }

    @Test("Where another lock file was put there, two writers still wait for each other, and nothing is lost")
    func lockReplaced() async throws {
        let folder = folder
        let processes = try (0..<4).map { _ in try Process(folder) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, process) in processes.enumerated() {
                group.addTask {
                    try await onThread {
                        for round in 0..<100 { try process.events.append(["\(number)-\(round)"]) }
                    }
                }
            }
            group.addTask {
                try await onThread {
                    for _ in 0..<40 {
                        let copy = folder.path + "/lock.copy"
                        let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/lock"))
                        let file = try File(creating: copy, owner: geteuid(), group: getegid())
                        try file.write(Array(bytes), at: 0)
                        rename(copy, folder.path + "/lock")
                        usleep(2000)
                    }
                }
            }
            try await group.waitForAll()
        }
        let texts = try Process(folder).events.read()
        #expect(texts.count == 400)
        #expect(Set(texts).count == 400)
        for number in 0..<4 {
            #expect(texts.filter { $0.hasPrefix("\(number)-") } == (0..<100).map { "\(number)-\($0)" })
        }
    }

    @Test("However often a journal is made anew, what others have said of it is answered")
    func manyRepairs() throws {
        try Process(folder).events.append(["a"])
        try Process(folder).others.append(["x"])
        for _ in 0..<70 {
            var bytes = try bytes("events")
            bytes[bytes.count - 3] ^= 1
            try set("events", bytes)
            let open = try JournalFolder(opening: folder.path, kind: "test", version: 1)
            _ = try open.repair(["events", "others"], closing: { $0 == "events" ? [Event([[0x62]])] : [] })
            for side in try folder.sideFiles() { unlink(folder.path + "/" + side) }
            #expect(try Process(folder).read().last == ["x"])
        }
        try boot()
        #expect(try Process(folder).read() == [["b"], ["x"]])
    }

    @Test("A lock file of noise is written over where a record is needed")
    func noisyLock() throws {
        for byte in [0x00, 0x41, 0x20, 0xFF] as [UInt8] {
            let lock = try File(opening: folder.path + "/lock", owner: geteuid())
            try lock.truncate(to: 0)
            try lock.write([UInt8](repeating: byte, count: 5000), at: 0)
            let process = try Process(folder)
            try process.events.append(["a"])
            try process.others.append(["x"])
            #expect(try folder.record()?.failure == 0)
        }
        #expect(try Process(folder).events.read().count == 4)
    }

    @Test("Whoever opens the folder removes what no living process is making, and nothing else")
    func leftovers() throws {
        let dead = [
            Leftovers.name(besides: "events", Linux()), Leftovers.name(besides: ".key.jwk", Linux()),
            ".4194305-key.jwk",
        ]
        let others = ["events.new", "events.new-2026113019000", "events.new-2026113019000abcdef12", ".back", ".12-key"]
        for name in dead + others { try Data([1]).write(to: URL(fileURLWithPath: folder.path + "/" + name)) }
        for name in dead + others { chmod(folder.path + "/" + name, 0o600) }
        let kept = Leftovers.name(besides: "others", Linux())
        let alive = try File(creating: folder.path + "/" + kept, owner: geteuid(), group: getegid())
        _ = try Process(folder)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(Set(names).isDisjoint(with: dead))
        #expect(names.contains(kept))
        #expect(Set(names).isSuperset(of: others))
        withExtendedLifetime(alive) {}
    }
}

private func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
