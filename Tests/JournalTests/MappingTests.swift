import Dispatch
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Journal

@Suite("Files in memory that somebody changes", .randomized)
struct MappingTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func file(_ bytes: [UInt8]) throws -> File {
        let path = folder.parent + "/mapped"
        unlink(path)
        let file = try File(creating: path, owner: geteuid(), group: getegid())
        unlink(path)
        try file.write(bytes, at: 0)
        return file
    }

    @Test("A page that is gone is zeros, all of the memory with it, and that is noted", arguments: [false, true])
    func cut(isWritable: Bool) throws {
        let file = try file([UInt8](repeating: 7, count: 5 * 4096))
        let mapping = try Mapping(file, count: 5 * 4096, isWritable: isWritable)
        #expect(mapping.bytes[0] == 7)
        #expect(mapping.bytes[5 * 4096 - 1] == 7)
        try file.truncate(to: 4096)
        #expect(!mapping.isLost)
        #expect(mapping.bytes[0] == 7)
        #expect(mapping.bytes[3 * 4096] == 0)
        #expect(mapping.isLost)
        #expect(mapping.bytes.allSatisfy { $0 == 0 })
        if isWritable { mapping.bytes[1] = 1 }
        #expect(try file.read(2, at: 0) == [7, 7])
    }

    @Test("Another file takes the place of one that is lost, at the same address")
    func becomes() throws {
        let (one, other) = (try file([1]), try file([2]))
        let mapping = try Mapping(one, count: 1, isWritable: true)
        try one.truncate(to: 0)
        #expect(mapping.bytes[0] == 0)
        #expect(mapping.isLost)
        try mapping.become(other)
        #expect(mapping.bytes[0] == 2)
        #expect(!mapping.isLost)
        mapping.bytes[0] = 3
        #expect(try other.read(1, at: 0) == [3])
    }

    @Test("Threads that read while it is cut and made whole meet what was there, or zeros with the note")
    func threads() throws {
        let size = 64 * 4096
        let whole = [UInt8](repeating: 7, count: size)
        let mapped = try file(whole)
        let mapping = try Mapping(mapped, count: size, isWritable: false)
        let isOver = Atomic(false)
        let wrong = Atomic(0)
        let group = DispatchGroup()
        for _ in 0..<4 {
            DispatchQueue(label: "reader").async(group: group) {
                var random = seeded
                while !isOver.load(ordering: .relaxed) {
                    let byte = mapping.bytes[Int.random(in: 0..<size, using: &random)]
                    guard byte != 7 else { continue }
                    // Zeros are also what a file that is being made whole has where it is not yet.
                    if byte != 0 { wrong.add(1, ordering: .relaxed) }
                }
            }
        }
        for _ in 0..<500 {
            try mapped.truncate(to: Int64.random(in: 0..<Int64(size), using: &seeded))
            try mapped.write(whole, at: 0)
            if mapping.isLost { try mapping.become(mapped) }
        }
        isOver.store(true, ordering: .relaxed)
        group.wait()
        if mapping.isLost { try mapping.become(mapped) }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(mapping.bytes.allSatisfy { $0 == 7 })
        #expect(!mapping.isLost)
    }

    @Test("A fault that is nobody's ends the process, as it did")
    func foreign() async {
        await #expect(processExitsWith: .signal(SIGBUS)) {
            let path = "/tmp/journal-test-\(getpid())"
            let file = try File(creating: path, owner: geteuid(), group: getegid())
            unlink(path)
            try file.write([UInt8](repeating: 7, count: 16), at: 0)
            let mapping = try Mapping(file, count: 16, isWritable: false)
            let other = mmap(nil, 4096, PROT_READ, MAP_SHARED, file.descriptor, 0)
            try file.truncate(to: 0)
            precondition(mapping.bytes[0] == 0 && mapping.isLost)
            precondition(other?.load(as: UInt8.self) == 1)
        }
    }

    // MARK: The memory that counts changes

    enum Act: String, CaseIterable {
        case deleted, emptied, halved, zeroed, older, replacedByOlder
    }

    /// Of how often all of them look, by far longer than an append takes here, which has to be waited for.
    private static let interval: Int64 = 400

    @Test(
        "Whatever becomes of the memory that counts changes, what was acknowledged is seen by whoever looks later",
        arguments: Act.allCases
    )
    func changes(act: Act) throws {
        let (reader, writer) = (
            try folder.open(lookInterval: Self.interval), try folder.open(lookInterval: Self.interval)
        )
        let path = folder.path + "/changes"
        try writer.append(["a"])
        #expect(try reader.read() == ["a"])
        let older = try contents(path)
        for number in 0..<3 {
            try writer.append(["b"])
            let before = try reader.read()
            switch act {
            case .deleted: unlink(path)
            case .emptied: truncate(path, 0)
            case .halved: truncate(path, 2048)
            case .zeroed: try overwrite(path, [UInt8](repeating: 0, count: 4096))
            case .older: try overwrite(path, older)
            case .replacedByOlder:
                try makeFile(path + ".older", older)
                rename(path + ".older", path)
            }
            try writer.append(["after \(number)"])
            #expect(try reader.read() == before + ["after \(number)"])
        }
        // And then counting goes on: nobody waits, and everything is seen.
        for number in 0..<20 {
            try writer.append(["c"])
            #expect(try reader.read().count == 7 + number + 1)
        }
    }

    @Test("A writer who comes when another has made the memory anew waits as well")
    func changesOfOthers() throws {
        let (reader, writer, other) = (
            try folder.open(lookInterval: Self.interval), try folder.open(lookInterval: Self.interval),
            try folder.open(lookInterval: 0)
        )
        try writer.append(["a"])
        for number in 0..<3 {
            let before = try reader.read()
            unlink(folder.path + "/changes")
            other.folder.changes.look(in: other.folder)
            writer.folder.changes.look(in: writer.folder)
            try writer.append(["after \(number)"])
            #expect(try reader.read() == before + ["after \(number)"])
        }
    }

    @Test("However often the memory is taken away, a process has it mapped once")
    func mappings() throws {
        let one = try folder.open()
        try one.append(["a"])
        _ = try one.read()
        let address = try #require(one.folder.changes.address)
        for _ in 0..<500 {
            unlink(folder.path + "/changes")
            one.folder.changes.look(in: one.folder)
            #expect(one.folder.changes.address == address)
        }
        #expect(try one.read() == ["a"])
    }

    // MARK: Journals

    @Test("A journal that is cut in place is damaged, also where the lock file is gone that knew its size")
    func shortened() throws {
        let one = try folder.open()
        try one.append(["token"])
        let short = try folder.bytes()
        try one.append(["revocation"])
        #expect(try one.read() == ["token", "revocation"])
        let whole = try folder.bytes()
        try folder.setBytes(short)
        #expect(throws: JournalError.self) { try one.read() }
        #expect(throws: JournalError.self) { try one.append(["c"]) }
        // Whoever puts it back puts it back.
        try folder.setBytes(whole)
        #expect(try one.read() == ["token", "revocation"])
        try folder.replaceFile(with: short)
        #expect(try one.read() == ["token"])
        try one.append(["d"])
        #expect(try folder.open().read() == ["token", "d"])
    }

    @Test("Of another journal that is being written over this one nothing is told before it is quiet")
    func copiedOver() throws {
        let one = try folder.open()
        try one.append(["a", "b"])
        #expect(try one.read() == ["a", "b"])
        let other = try TemporaryFolder()
        try other.open().append(["x"])
        let half = try other.bytes()
        try other.open().append(["y"])
        try folder.setBytes(half)
        #expect(throws: JournalError.foreignFile(path: folder.journalPath)) { try one.read() }
        try folder.setBytes(try other.bytes())
        var texts: [String]?
        for _ in 0..<2000 where texts == nil {
            texts = try? one.read()
            if texts == nil { usleep(5000) }
        }
        #expect(texts == ["x", "y"])
    }

    private func contents(_ path: String) throws -> [UInt8] {
        let file = try File(opening: path, owner: geteuid())
        return try file.read(Int(try file.status().size), at: 0)
    }

    private func overwrite(_ path: String, _ bytes: [UInt8]) throws {
        try File(opening: path, owner: geteuid()).write(bytes, at: 0)
    }

    private func makeFile(_ path: String, _ bytes: [UInt8]) throws {
        try File(creating: path, owner: geteuid(), group: getegid()).write(bytes, at: 0)
    }
}

@Suite("A process that lives long")
struct LongLifeTests {
    @Test("Hundreds of thousands of syncs cost what the first ones cost")
    func syncs() async {
        await #expect(processExitsWith: .success) {
            let temporary = try TemporaryFolder()
            var calls = DiskCalls()
            calls.sync = { _ in 0 }
            let folder = try JournalFolder(
                opening: temporary.path,
                kind: "test",
                version: 1,
                patience: .seconds(5),
                system: ReplacedCalls(calls)
            )
            let count = Atomic(0)
            folder.whenSynced { _, _ in count.add(1, ordering: .relaxed) }
            let file = try File(opening: temporary.journalPath, owner: geteuid())
            for _ in 0..<400_000 { try folder.sync(file) }
            precondition(count.load(ordering: .relaxed) == 400_000)
        }
    }
}
