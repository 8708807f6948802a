import Foundation
import Glibc
import Testing

@testable import Journal

@Suite("Repairing a journal")
struct RepairTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func repair() throws -> JournalFolder.Repair {
        try JournalFolder(opening: folder.path, kind: "test", version: 1).repair("events")
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
        #expect(result.events == 2 && result.dropped == 0 && result.sideFile == nil)
        #expect(try folder.bytes() == before)
    }

    @Test(
        "Whatever is damaged, what is kept was there, in its order; what is not damaged is kept; then it can be used again"
    )
    func damage() throws {
        var generator = SystemRandomNumberGenerator()
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
        #expect(result.events == 2 && result.dropped == 13)
        let side = try String(contentsOfFile: try #require(result.sideFile), encoding: .utf8)
        #expect(side == "nonsense\nmore")
        #expect(
            try FileManager.default.attributesOfItem(atPath: try #require(result.sideFile))[.posixPermissions] as? Int
                == 0o600
        )
        try removeSideFiles()
    }

    @Test("Without its first line nothing of it can be believed")
    func header() throws {
        try folder.open().append(["a"])
        var bytes = try folder.bytes()
        bytes[0] ^= 1
        try folder.setBytes(bytes)
        #expect(throws: JournalError.foreignFile(path: folder.journalPath)) { try repair() }
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
            #expect(!result.wasWhole && result.events == kept.count && result.dropped == 0 && result.sideFile == nil)
            #expect(try folder.open().read() == kept)
            try folder.open().append(["e"])
            #expect(try repair().wasWhole)
            try folder.setBytes(Array(lines.joined()))
            try folder.open().append([])
        }
    }
}
