import Testing

@testable import Postern

@Suite("Tokens in clear")
struct TokenSecretTests {
    @Test("A new token has its prefix, its length and a checksum that holds")
    func form() {
        let text = TokenSecret.random().text
        #expect(text.hasPrefix("pst_"))
        #expect(text.utf8.count == 40)
        #expect(TokenSecret.form(of: Array(text.utf8)[...]) == .sha256)
    }

    @Test("No two tokens are the same")
    func distinct() {
        #expect(Set((0..<10_000).map { _ in TokenSecret.random().text }).count == 10_000)
    }

    @Test("A character changed anywhere breaks the checksum")
    func checksum() {
        let text = Array(TokenSecret.random().text.utf8)
        for position in text.indices {
            var changed = text
            changed[position] = changed[position] == UInt8(ascii: "x") ? UInt8(ascii: "y") : UInt8(ascii: "x")
            #expect(TokenSecret.form(of: changed[...]) == nil)
        }
        #expect(TokenSecret.form(of: text.dropLast()) == nil)
        #expect(TokenSecret.form(of: (text + [UInt8(ascii: "0")])[...]) == nil)
    }

    @Test("The checksum is the CRC-32 of zip and PNG, in base62")
    func vector() {
        // CRC-32("pst_" + 30 zeros) was computed with Python's zlib.crc32.
        let body = "pst_" + String(repeating: "0", count: 30)
        #expect(TokenSecret.form(of: Array((body + "1uhv1w").utf8)[...]) == .sha256)
    }

    @Test("A key of DRF's form is worth a look-up, noise is not")
    func shapes() {
        #expect(TokenSecret.form(of: Array("9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b".utf8)[...]) == .sha256)
        #expect(TokenSecret.form(of: Array("9944B09199C62BCF9418AD846DD0E4BBDFC6EE4B".utf8)[...]) == nil)
        #expect(TokenSecret.form(of: Array("9944b09199c62bcf9418ad846dd0e4bbdfc6ee4".utf8)[...]) == nil)
        #expect(TokenSecret.form(of: []) == nil)
        #expect(TokenSecret.form(of: [UInt8](repeating: 0x61, count: 10_000)[...]) == nil)
    }

    @Test("The digest is SHA-256 (FIPS 180-4), and reads back from its digits")
    func digest() throws {
        let digest = SecretDigest(of: Array("abc".utf8)[...])
        let digits = Array("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".utf8)
        #expect(digest.hexadecimal == digits)
        #expect(SecretDigest(hexadecimal: digits) == digest)
        #expect(SecretDigest(hexadecimal: Array(digits.dropLast())) == nil)
        #expect(SecretDigest(hexadecimal: Array(digits.dropLast()) + [UInt8(ascii: "G")]) == nil)
        #expect(
            SecretDigest(of: []).hexadecimal
                == Array("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".utf8)
        )
    }
}
