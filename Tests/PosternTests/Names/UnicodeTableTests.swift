import Foundation
import TestSupport
import Testing

@testable import Postern

@Suite("The table of Unicode")
struct UnicodeTableTests {
    @Test(
        "The committed table is what Debian's unicode-data makes",
        .needs("unicode-data", at: UnicodeData.scripts),
        .enabled(if: UnicodeData.isNoOther, "unicode-data is of another version")
    )
    func made() throws {
        let committed = try String(
            contentsOfFile: UnicodeData.maker.replacing("make-tables", with: "tables.h"),
            encoding: .utf8
        )
        #expect(try UnicodeData.run([UnicodeData.maker, UnicodeData.folder]) == committed)
    }

    @Test("It holds ASCII, and beyond that letters, marks and digits alone, composed and visible")
    func characters() {
        // RFC 8264, section 9.6: allowed though they are others.
        let exceptions: Set<UInt32> = [0xB7, 0x375, 0x5F3, 0x5F4, 0x6FD, 0x6FE, 0xF0B, 0x3007, 0x30FB]
        for scalar in UnicodeData.scalars {
            let value = scalar.value
            let isHeld = ScriptSet(of: scalar) != []
            if scalar.isASCII || exceptions.contains(value) {
                if isHeld != (value > 0x7F || 0x20..<0x7F ~= value) { Issue.record("\(String(value, radix: 16))") }
                continue
            }
            guard isHeld else { continue }
            let isLetter =
                switch scalar.properties.generalCategory {
                case .uppercaseLetter, .lowercaseLetter, .otherLetter, .modifierLetter, .decimalNumber, .nonspacingMark,
                    .spacingMark:
                    true
                default: false
                }
            if !isLetter || scalar.properties.isDefaultIgnorableCodePoint
                || NFKC.composed(CollectionOfOne(scalar)) != [scalar]
            {
                Issue.record("\(String(value, radix: 16))")
            }
        }
    }

    @Test("Each named script is one, and digits and marks are of all")
    func scripts() {
        let named: [ScriptSet] = [
            .latin, .greek, .hebrew, .han, .hiragana, .katakana, .bopomofo, .hangul, ScriptSet(of: "ا"),
            ScriptSet(of: "ހ"),
        ]
        #expect(named.allSatisfy { $0.rawValue.nonzeroBitCount == 1 })
        #expect(Set(named.map(\.rawValue)).count == named.count)
        #expect(ScriptSet.all.rawValue == 1 << 29 - 1)
        #expect(ScriptSet(of: "\u{301}") == .all)
        #expect(ScriptSet(of: "_") == .all)
        // By Script_Extensions: the mark of long vowels is written in both.
        #expect(ScriptSet(of: "ー") == [.hiragana, .katakana])
    }
}
