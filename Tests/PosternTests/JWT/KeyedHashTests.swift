import Crypto
import Testing

@testable import Postern

@Suite("HMAC with SHA-256")
struct KeyedHashTests {
    @Test("It is swift-crypto's, for keys and texts of every length around a block's")
    func same() {
        for keyLength in [0, 1, 20, 32, 63, 64, 65, 131, 200] {
            let key = SymmetricKey(data: (0..<keyLength).map { UInt8($0) })
            let hash = KeyedHash(key)
            for length in [0, 1, 31, 32, 55, 56, 63, 64, 65, 127, 128, 300] {
                let text = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                let code = HMAC<SHA256>.authenticationCode(for: text, using: key)
                // Twice: what it was given before is left as it was.
                #expect(Array(hash.code(of: text[...])) == Array(code))
                #expect(Array(hash.code(of: ([1] + text)[1...])) == Array(code))
            }
        }
    }

    /// RFC 4231, section 4.3.
    @Test("It is that of the standard")
    func standard() {
        let hash = KeyedHash(SymmetricKey(data: Array("Jefe".utf8)))
        let code = hash.code(of: Array("what do ya want for nothing?".utf8)[...])
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        #expect(code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == expected)
    }
}
