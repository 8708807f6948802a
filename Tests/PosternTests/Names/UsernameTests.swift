import Postern
import Testing

@Suite("Usernames")
struct UsernameTests {
    @Test("A name that Django takes is taken", arguments: ["a", "ann", "Ann.Bee@example.org", "a+b-c_d", "émile", "Ж"])
    func taken(name: String) throws {
        #expect(try Username(name.utf8).description == name)
    }

    @Test(
        "A name that could end a field, a line or a user-id is refused",
        arguments: [
            "", "a:b", "a\nb", "a\r\nSet-Cookie: s=1", "a\tb", "a\0", "\u{7F}", "a\u{2028}b", "a\u{202E}b", " a", "a ",
            "\u{A0}a",
        ]
    )
    func refused(name: String) {
        #expect(throws: UsernameError.self) { try Username(name.utf8) }
    }

    @Test("150 characters are taken, 151 are not, whatever they are")
    func length() throws {
        #expect(try Username(String(repeating: "é", count: 150).utf8).bytes.count == 300)
        #expect(throws: UsernameError.tooLong) { try Username(String(repeating: "é", count: 151).utf8) }
        #expect(throws: UsernameError.tooLong) { try Username([UInt8](repeating: 0x61, count: 1_000_000)) }
    }

    @Test("Bytes that are not UTF-8 are refused")
    func notUTF8() {
        #expect(throws: UsernameError.notUTF8) { try Username([0x61, 0xFF]) }
    }

    @Test("Names of different bytes are different names, though Swift's strings would be equal")
    func canonicalEquivalence() throws {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        #expect(composed == decomposed)
        #expect(try Username(composed.utf8) != Username(decomposed.utf8))
        #expect(try Username("\u{212A}".utf8) != Username("K".utf8))
    }
}
