import Testing

@testable import Postern

@Suite("The words of Authorization")
struct AuthorizationWordsTests {
    @Test("Six bytes part words, wherever they stand in a long one, and no others do")
    func words() {
        let whiteSpace: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D]
        let token = Array(String(repeating: "abcdefgh~", count: 4).utf8)
        for byte in 0...UInt8.max {
            for place in 1..<token.count - 1 {
                var text = token
                text[place] = byte
                let words = AuthorizationWords((Array("Token ".utf8) + text)[...])
                let parts = text.split { whiteSpace.contains($0) }
                #expect(words.scheme == Array("Token".utf8)[...])
                #expect(words.count == 1 + parts.count)
                #expect(words.second == parts[0])
            }
        }
    }
}
