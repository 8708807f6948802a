import Glibc
import TestSupport
import Testing

@testable import Journal

@Suite("Torn tails and damage", .randomized)
struct DamageTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("Of a last group that is torn at any byte nothing is told, and the next writer cuts it off")
    func torn() throws {
        let one = try folder.open()
        try one.append(["a"])
        let before = try folder.bytes()
        try one.append(["b", "c"])
        let whole = try folder.bytes()
        for length in before.count..<whole.count {
            try folder.setBytes(Array(whole[..<length]))
            let reader = try folder.open()
            #expect(try reader.read() == ["a"])
            if length % 7 == 0 {
                try reader.append(["d"])
                #expect(try folder.open().read() == ["a", "d"])
                try folder.setBytes(before)
            }
        }
    }

    @Test("A reader that saw a torn tail sees the group that takes its place, even one of the same length")
    func tornThenReplaced() throws {
        let one = try folder.open()
        try one.append(["a"])
        let before = try folder.bytes()
        try one.append(["b"])
        let whole = try folder.bytes()
        var torn = whole
        torn[whole.count - 3] ^= 0xFF
        try folder.setBytes(torn)
        let reader = try folder.open()
        #expect(try reader.read() == ["a"])
        try folder.setBytes(before)
        try folder.setBytes(whole)
        #expect(try reader.read() == ["a", "b"])
    }

    @Test(
        "A bit that flips anywhere is found: what is known to be synced is damage, what is not is cut off",
        arguments: [true, false]
    )
    func bitFlips(sameBoot: Bool) throws {
        let one = try folder.open()
        for number in 0..<(LongTests.are ? 67 : 12) { try one.append(["event \(number)", "and another"]) }
        let whole = try folder.bytes()
        let all = try one.read()
        let header = try #require(FileHeader(name: "events", parsing: whole[...]))
        let mark = sameBoot ? Int64(whole.count) : ChainPosition(after: header).greatestMark(in: whole[...])
        let bits = whole.indices.flatMap { position in
            (LongTests.are ? Array(0..<8) : [position % 8]).map { (position, UInt8($0)) }
        }
        for (position, bit) in bits {
            var bytes = whole
            bytes[position] ^= 1 << bit
            try folder.setBytes(bytes, sameBoot: sameBoot)
            do {
                let texts = try folder.open().read()
                #expect(position >= mark, "byte \(position) was synced")
                #expect(texts == Array(all.prefix(texts.count)), "byte \(position) changed a meaning")
                #expect(texts.count < all.count)
            } catch JournalError.damaged(_, let line, let offset) {
                #expect(Int64(position) >= offset)
                #expect(line > 1)
                guard position % 16 == 0 else { continue }
                #expect(throws: JournalError.self) { try folder.open().append(["more"]) }
                #expect(try folder.bytes() == bytes)
            } catch JournalError.foreignFile {
                #expect(position < header.line.count)
            }
        }
    }

    @Test("Lines that are swapped, doubled or left out are damage")
    func lines() throws {
        let one = try folder.open()
        for number in 0..<6 { try one.append(["event \(number)", "and another"]) }
        let lines = try folder.bytes().split(separator: 0x0A).map { Array($0) + [0x0A] }
        for position in 1..<10 {
            var swapped = lines
            swapped.swapAt(position, position + 1)
            var doubled = lines
            doubled.insert(lines[position], at: position)
            var without = lines
            without.remove(at: position)
            for changed in [swapped, doubled, without] {
                try folder.setBytes(Array(changed.joined()))
                #expect(throws: JournalError.self) { try folder.open().read() }
            }
        }
    }

    @Test("Zeros or noise at the end are a torn tail", arguments: [1, 511, 4096, 1 << 20])
    func noise(length: Int) throws {
        let one = try folder.open()
        try one.append(["a"])
        let whole = try folder.bytes()
        var generator = seeded
        for tail in [
            [UInt8](repeating: 0, count: length), (0..<length).map { _ in generator.next() },
            [UInt8](repeating: 0x23, count: length),
        ] {
            try folder.setBytes(whole + tail)
            let reader = try folder.open()
            #expect(try reader.read() == ["a"])
            try reader.append(["b"])
            #expect(try folder.open().read() == ["a", "b"])
        }
    }

    @Test("Two journals joined are no journal")
    func joined() throws {
        let other = try TemporaryFolder()
        try folder.open().append(["a"])
        try other.open().append(["b"])
        let tail = try other.bytes()
        try folder.setBytes(try folder.bytes() + tail)
        #expect(try folder.open().read() == ["a"])
    }

    @Test("After a power cut a good group behind a bad one is cut off with it, since nobody was told of either")
    func reordered() throws {
        let header = try #require(FileHeader(name: "events", parsing: try folder.bytes()[...]))
        var position = ChainPosition(after: header)
        func group(_ text: String, synced: Int64) -> [UInt8] {
            position.group(of: [Event(time: .now(), [Array(text.utf8)])], synced: synced)
        }
        let start = position.offset
        let first = group("a", synced: start)
        _ = position.take(first)
        let afterFirst = position.offset
        let second = group("b", synced: afterFirst)
        _ = position.take(second)
        let unsynced = group("c", synced: afterFirst)
        let synced = group("c", synced: position.offset)
        let hole = [UInt8](repeating: 0, count: second.count)

        try folder.setBytes(header.line + first + hole + unsynced)
        let reader = try folder.open()
        #expect(try reader.read() == ["a"])
        try reader.append(["d"])
        #expect(try folder.open().read() == ["a", "d"])

        try folder.setBytes(header.line + first + hole + synced)
        #expect(throws: JournalError.damaged(path: folder.journalPath, line: 4, offset: afterFirst)) {
            try folder.open().read()
        }
        #expect(throws: JournalError.self) { try folder.open().append(["d"]) }
        #expect(try folder.bytes() == header.line + first + hole + synced)
    }
}
