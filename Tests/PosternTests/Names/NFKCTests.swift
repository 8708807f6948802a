import CUnicode
import Foundation
import TestSupport
import Testing

@testable import Postern

@Suite("Names composed by NFKC", .randomized)
struct NFKCTests {
    @Test(
        "Spellings of one name become one",
        arguments: [
            ("ann", "ann"), ("", ""), ("e\u{301}mile", "\u{E9}mile"), ("ａｎｎ", "ann"), ("ﬁn", "fin"), ("\u{212A}", "K"),
            ("½", "1\u{2044}2"), ("\u{1100}\u{1161}\u{11A8}", "\u{AC01}"), ("\u{AC00}\u{11A8}", "\u{AC01}"),
            // A tail beside a whole syllable stays, marks are ordered, and one of a class blocks the next.
            ("\u{AC01}\u{11A8}", "\u{AC01}\u{11A8}"), ("q\u{307}\u{323}", "q\u{323}\u{307}"),
            ("a\u{300}\u{301}", "\u{E0}\u{301}"), ("a\u{305}\u{301}", "a\u{305}\u{301}"),
            // Excluded from composition, and a composite behind 16 bits.
            ("\u{958}", "\u{915}\u{93C}"), ("\u{11099}\u{110BA}", "\u{1109A}"), ("\u{2F800}", "\u{4E3D}"),
        ]
    )
    func spellings(typed: String, composed: String) {
        #expect(Array(NFKC.composed(typed).utf8) == Array(composed.utf8))
    }

    @Test(
        "All of Unicode's own cases pass, and what they leave out stays as it is",
        .needs("unicode-data", at: UnicodeData.scripts),
        .enabled(if: UnicodeData.isNoOther, "unicode-data is of another version")
    )
    func cases() throws {
        let text = try UnicodeData.python(
            "import bz2; print(bz2.open('\(UnicodeData.folder)/NormalizationTest.txt.bz2', 'rt').read())"
        )
        var listed: Set<UInt32> = []
        var (part, count) = (Substring(), 0)
        for line in text.split(separator: "\n") {
            if line.hasPrefix("@") { part = line.prefix(6) }
            guard !line.hasPrefix("#"), !line.hasPrefix("@") else { continue }
            let columns = line.split(separator: ";").prefix(5).map { UnicodeData.scalars(String($0)) }
            if part == "@Part1" { listed.formUnion(columns[0].map(\.value)) }
            for column in columns where NFKC.composed(column) != columns[3] {
                Issue.record("\(line): \(NFKC.composed(column).map { String($0.value, radix: 16) })")
            }
            count += 1
        }
        #expect(count > 19_000)
        #expect(listed.count > 16_000)
        for scalar in UnicodeData.scalars where !listed.contains(scalar.value) {
            if NFKC.composed(CollectionOfOne(scalar)) != [scalar] { Issue.record("\(String(scalar.value, radix: 16))") }
        }
    }

    /// A Python that is newer than our table knows characters that this does not: then those of Unicode 3.2 are compared, which
    /// it knows apart.
    @Test("Python, which Django asks, composes each character that both know to the same, and made-up texts of them")
    func python() throws {
        let seed = Int(Randomized.seed % (1 << 32))
        print("seed \(seed)")
        let text = try UnicodeData.python(
            """
            import random, unicodedata
            ages = [unicodedata.category] if unicodedata.unidata_version < "16" else [unicodedata.category, unicodedata.ucd_3_2_0.category]
            known = [c for c in map(chr, range(0x110000)) if all(age(c) not in ("Cn", "Cs") for age in ages)]
            moved = [c for c in known if unicodedata.normalize("NFKD", c) != c or unicodedata.combining(c)]
            choice = random.Random(\(seed)).choice
            texts = known + ["".join(choice(choice((moved, known))) for _ in range(choice(range(2, 12)))) for _ in range(20000)]
            for text in texts:
                print(*[" ".join(f"{ord(c):x}" for c in t) for t in (text, unicodedata.normalize("NFKC", text))], sep=";")
            """
        )
        var count = 0
        for line in text.split(separator: "\n") {
            let columns = line.split(separator: ";").map { UnicodeData.scalars(String($0)) }
            let composed = NFKC.composed(columns[0])
            if composed != columns[1] {
                Issue.record("\(line): \(composed.map { String($0.value, radix: 16) })")
            }
            count += 1
        }
        #expect(count > 100_000)
    }

    @Test("As many marks as a name can have take no long time to order")
    func marks() {
        let marks = (0..<150).map { Unicode.Scalar($0.isMultiple(of: 2) ? 0x301 : 0x323)! }
        let composed = NFKC.composed(["a"] + marks)
        #expect(
            composed == ["\u{1EA1}"] + [Unicode.Scalar](repeating: "\u{323}", count: 74)
                + marks.filter { $0 == "\u{301}" }
        )
    }
}

/// Debian's package unicode-data, and Python.
enum UnicodeData {
    static let folder = "/usr/share/unicode"
    static let scripts = folder + "/Scripts.txt"
    static let maker = Repository.path + "/Sources/CUnicode/make-tables"

    /// Whether it is of the version that our table was made from, if it is there.
    static var isNoOther: Bool {
        let first = (try? String(contentsOfFile: scripts, encoding: .utf8))?.prefix { $0 != "\n" }
        return first?.contains("-\(String(cString: unicode_version())).txt") ?? true
    }

    /// Those of all planes that hold characters.
    static var scalars: some Sequence<Unicode.Scalar> {
        [0...0x3FFFF, 0xE0000...0xE0FFF].joined().lazy.compactMap { Unicode.Scalar(UInt32($0)) }
    }

    /// Code points in hexadecimal between spaces.
    static func scalars(_ text: String) -> [Unicode.Scalar] {
        text.split(separator: " ").compactMap { UInt32($0, radix: 16).flatMap(Unicode.Scalar.init) }
    }

    /// What a program prints.
    static func python(_ program: String) throws -> String { try run(["-c", program]) }

    static func run(_ arguments: [String]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["PYTHONIOENCODING=utf-8", "python3"] + arguments
        process.standardOutput = pipe
        try process.run()
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: bytes, as: UTF8.self)
    }
}
