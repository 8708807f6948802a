import TestSupport
import Testing

@testable import Journal

@Suite("The format of a journal", .randomized)
struct FormatTests {
    @Test("CRC-32C and CRC-32 give the values that their standards give")
    func checksums() {
        let digits = Array("123456789".utf8)
        #expect(CRC32.castagnoli.checksum(of: digits) == 0xE306_9283)
        #expect(CRC32.ieee.checksum(of: digits) == 0xCBF4_3926)
        // RFC 3720, appendix B.4.
        #expect(CRC32.castagnoli.checksum(of: [UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32.castagnoli.checksum(of: [UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32.castagnoli.checksum(of: Array(0..<32)) == 0x46DD_794E)
    }

    @Test("A checksum goes on where another one ended, wherever that is", arguments: 0..<20)
    func continued(split: Int) {
        let bytes = Array("a text that is longer than twenty bytes".utf8)
        let first = CRC32.castagnoli.checksum(of: bytes[..<split])
        #expect(CRC32.castagnoli.checksum(of: bytes[split...], seed: first) == CRC32.castagnoli.checksum(of: bytes))
    }

    @Test(
        "A moment reads back from what it is written as",
        arguments: [
            0, 1, -1, 951_782_400_000_000, 1_795_445_580_123_456, 253_402_300_799_999_999, -62_135_596_800_000_000,
        ] as [Int64]
    )
    func timestamps(microseconds: Int64) {
        let time = Timestamp(microseconds: microseconds)
        #expect(Timestamp(rfc3339: Array(time.rfc3339.utf8)[...]) == time)
    }

    @Test("Moments are written as RFC 3339 writes them")
    func rfc3339() {
        #expect(Timestamp(microseconds: 0).rfc3339 == "1970-01-01T00:00:00.000000Z")
        #expect(Timestamp(microseconds: 1_795_445_580_000_001).rfc3339 == "2026-11-23T14:53:00.000001Z")
        #expect(Timestamp(microseconds: 1_709_164_800_000_000).rfc3339 == "2024-02-29T00:00:00.000000Z")
        #expect(Timestamp(rfc3339: Array("2024-02-29T00:00:00Z".utf8)[...])?.microseconds == 1_709_164_800_000_000)
        #expect(Timestamp(rfc3339: Array("2024-02-29T00:00:00.5Z".utf8)[...])?.microseconds == 1_709_164_800_500_000)
    }

    @Test(
        "What is no moment is none",
        arguments: [
            "", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00+00:00",
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00.12a456Z",
            "+024-01-01T00:00:00Z",
        ]
    )
    func noTimestamp(text: String) {
        #expect(Timestamp(rfc3339: Array(text.utf8)[...]) == nil)
    }

    @Test("Any bytes read back from the column that they are written as, which is visible text on one line")
    func columns() {
        var generator = seeded
        var samples: [[UInt8]] = [
            [], Array("plain".utf8), Array("é😀\u{2028}\u{202E}\u{85}".utf8), Array(0...255), [0xC3],
            [0xED, 0xA0, 0x80],
        ]
        for _ in 0..<20_000 {
            samples.append((0..<Int.random(in: 0..<12, using: &generator)).map { _ in generator.next() })
        }
        for sample in samples {
            var line: [UInt8] = []
            Column.escape(sample, into: &line)
            #expect(Column.unescape(line) == sample)
            #expect(!line.contains { $0 < 0x20 || $0 == 0x7F })
            #expect(String(validating: line, as: UTF8.self) != nil)
        }
    }

    @Test(
        "A column with an escape that is never written is none",
        arguments: ["\\", "\\q", "\\x", "\\x1", "\\xZZ", "a\\x0G"]
    )
    func badEscape(text: String) {
        #expect(Column.unescape(Array(text.utf8)) == nil)
    }

    @Test("A group reads back, and only at its own place in the chain")
    func groups() throws {
        let header = FileHeader(name: "events", fileID: Array(repeating: UInt8(ascii: "a"), count: 32))
        let events = [
            Event(time: Timestamp(microseconds: 5), [Array("a\tb".utf8), []]),
            Event(time: Timestamp(microseconds: 6), [[0xFF]]),
        ]
        var writer = ChainPosition(after: header)
        let first = writer.group(of: events, synced: writer.offset)
        let atStart = writer
        #expect(writer.take(first)?.events == events)
        let second = writer.group(of: events, synced: writer.offset)
        var reader = atStart
        #expect(reader.take(second) == nil)
        #expect(reader.take(first)?.length == first.count)
        #expect(reader.take(first) == nil)
        #expect(reader.take(second)?.length == second.count)

        let other = FileHeader(name: "events", fileID: Array(repeating: UInt8(ascii: "b"), count: 32))
        var foreign = ChainPosition(after: other)
        #expect(foreign.take(first) == nil)
    }

    @Test(
        "A number has digits and nothing else",
        arguments: ["", "+5", "-5", "05", " 5", "5 ", "9223372036854775808", "٥"]
    )
    func numbers(text: String) {
        #expect(Decimal.parse(Array(text.utf8)[...]) == nil)
        #expect(Decimal.parse(Array("9223372036854775807".utf8)[...]) == Int64.max)
        #expect(Decimal.parse(Array("0".utf8)[...]) == 0)
    }
}
