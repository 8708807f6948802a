import Foundation
import Glibc
import TestSupport
import Testing

@testable import Journal

@Suite("Repairing a journal", .randomized)
struct RepairTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func repair() throws -> JournalFolder.Repair {
        try #require(try JournalFolder(opening: folder.path, kind: "test", version: 1).repair(["events"]).first)
    }

    private func removeSideFiles() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.contains(".dropped-") {
            unlink(folder.path + "/" + name)
        }
    }

    @Test("A whole one stays as it is, to the byte")
    func whole() throws {
        try folder.open().append(["a", "b"])
        let before = try folder.bytes()
        let result = try repair()
        #expect(result.events == 2)
        #expect(result.dropped == 0)
        #expect(result.sideFile == nil)
        #expect(try folder.bytes() == before)
    }

    @Test(
        "Whatever is damaged, what is kept was there, in its order; what is not damaged is kept; then it can be used again"
    )
    func damage() throws {
        var generator = seeded
        for round in 0..<60 {
            let reader = try folder.open()
            let texts = (0..<40).map { "r\(round)-\($0)" }
            for text in texts { try reader.append([text]) }
            let original = try folder.open().read()
            var bytes = try folder.bytes()
            let first = try #require(bytes.firstIndex(of: 0x0A)) + 1
            let changes = Int.random(in: 1...4, using: &generator)
            for _ in 0..<changes {
                let position = Int.random(in: first..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 1:
                    bytes.removeSubrange(
                        position..<min(bytes.count, position + Int.random(in: 1...200, using: &generator))
                    )
                case 2: bytes.insert(contentsOf: [0, 0x0A, 0x23, 0x09], at: position)
                default: bytes.insert(contentsOf: bytes[first..<min(bytes.count, first + 300)], at: position)
                }
                guard bytes.count > first else { break }
            }
            try folder.setBytes(bytes)
            _ = try repair()
            let kept = try folder.open().read()
            var rest = original[...]
            for text in kept {
                let position = try #require(rest.firstIndex(of: text), "\(text) twice, or from nowhere")
                rest = rest[(position + 1)...]
            }
            // A change touches a few groups, of which two may have 64 events.
            #expect(kept.count >= original.count - changes * (2 * 64 + 8), "\(kept.count) of \(original.count)")
            try folder.open().append(["later"])
            #expect(try folder.open().read() == kept + ["later"])
            try removeSideFiles()
        }
    }

    @Test("What is dropped stands in the side file, byte by byte")
    func sideFile() throws {
        try folder.open().append(["a"])
        try folder.open().append(["b"])
        let good = try folder.bytes()
        try folder.setBytes(good + Array("nonsense\nmore".utf8))
        let result = try repair()
        #expect(result.events == 2)
        #expect(result.dropped == 13)
        let side = try String(contentsOfFile: try #require(result.sideFile), encoding: .utf8)
        #expect(side == "nonsense\nmore")
        #expect(
            try FileManager.default.attributesOfItem(atPath: try #require(result.sideFile))[.posixPermissions] as? Int
                == 0o600
        )
        try removeSideFiles()
    }

    @Test("A first line that cannot be read costs no event, whichever of its bytes is another one")
    func header() throws {
        for text in ["a", "b"] { try folder.open().append([text]) }
        let good = try folder.bytes()
        let first = try #require(good.firstIndex(of: 0x0A)) + 1
        for position in 0..<first {
            var bytes = good
            bytes[position] ^= 1 << (position % 8)
            try folder.setBytes(bytes)
            let result = try repair()
            #expect(result.events == 2, "byte \(position)")
            #expect(!result.wasWhole, "byte \(position)")
            #expect(try folder.open().read() == ["a", "b"], "byte \(position)")
            try removeSideFiles()
        }
        try folder.setBytes(Array(good[first...]))
        #expect(try repair().events == 2)
        #expect(try folder.open().read() == ["a", "b"])
    }

    @Test("What an editor has done to it is undone: a byte order mark, carriage returns")
    func editor() throws {
        for text in ["a", "b"] { try folder.open().append([text]) }
        let good = try folder.bytes()
        let returned = good.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
        for bytes in [[0xEF, 0xBB, 0xBF] + good, returned, [0xEF, 0xBB, 0xBF] + returned] {
            try folder.setBytes(bytes)
            #expect(throws: JournalError.foreignFile(path: folder.journalPath)) { try folder.open().read() }
            let result = try repair()
            #expect(result.events == 2)
            #expect(result.dropped == 0)
            #expect(!result.wasWhole)
            #expect(try folder.open().read() == ["a", "b"])
        }
    }

    @Test("What has nothing of a journal, or is the journal of another name, stays as it is")
    func foreign() throws {
        let other = FileHeader(new: "others", Linux()).line
        for bytes in [Array("root:x:0:0::/root:/bin/sh\n".utf8), other] {
            try folder.setBytes(bytes)
            #expect(throws: JournalError.foreignFile(path: folder.journalPath)) { try repair() }
            #expect(try folder.bytes() == bytes)
        }
    }

    @Test("Groups that were moved or doubled count in the order of their numbers, each once")
    func moved() throws {
        for text in ["a", "b", "c", "d", "e"] { try folder.open().append([text]) }
        let lines = try folder.bytes().split(separator: 0x0A).map { Array($0) + [0x0A] }
        let groups = stride(from: 1, to: lines.count, by: 2).map { lines[$0] + lines[$0 + 1] }
        let generator = seeded
        for _ in 0..<20 {
            let order = groups.indices.map { ($0, generator.next()) }.sorted { $0.1 < $1.1 }.map(\.0)
            let doubled = order + order.prefix(2)
            try folder.setBytes(lines[0] + doubled.flatMap { groups[$0] })
            let result = try repair()
            #expect(result.events == 5, "\(doubled)")
            #expect(result.missingGroups == 0, "\(doubled)")
            #expect(result.dropped == 0, "\(doubled)")
            #expect(try folder.open().read() == ["a", "b", "c", "d", "e"], "\(doubled)")
        }
    }

    @Test("Nothing is changed by asking what would be, and what is dropped can be read")
    func dryRun() throws {
        for text in ["a", "b", "c"] { try folder.open().append([text]) }
        var bytes = try folder.bytes()
        let place = try #require(bytes.firstRange(of: Array("\tb\t".utf8)))
        bytes[place.lowerBound + 1] = UInt8(ascii: "x")
        try folder.setBytes(bytes)
        let open = try JournalFolder(opening: folder.path, kind: "test", version: 1)
        let result = try #require(try open.repair(["events"], isDryRun: true).first)
        #expect(result.events == 2)
        #expect(result.sideFile == nil)
        #expect(!result.wasWhole)
        try #require(result.droppedLines.count == 1)
        #expect(result.droppedLines[0].suffix(2) == Array("\tx".utf8))
        #expect(try folder.bytes() == bytes)
    }

    @Test("A group that is missing, or a file that was cut off behind one, is no whole journal, and is one then")
    func missing() throws {
        let reader = try folder.open()
        for text in ["a", "b", "c", "d"] { try reader.append([text]) }
        let lines = try folder.bytes().split(separator: 0x0A).map { Array($0) + [0x0A] }
        for (bytes, kept) in [
            (Array((lines[..<3] + lines[5...]).joined()), ["a", "c", "d"]),
            (Array(lines[..<7].joined()), ["a", "b", "c"]),
        ] {
            try folder.setBytes(bytes, sameBoot: true)
            #expect(throws: JournalError.self) { try folder.open().read() }
            let result = try repair()
            #expect(!result.wasWhole)
            #expect(result.events == kept.count)
            #expect(result.dropped == 0)
            #expect(result.sideFile == nil)
            #expect(result.hasLostEnd)
            #expect(result.missingGroups == (kept.last == "d" ? 1 : 0))
            #expect(try folder.open().read() == kept)
            try folder.open().append(["e"])
            #expect(try repair().wasWhole)
            try folder.setBytes(Array(lines.joined()))
            try folder.open().append([])
        }
    }
}
