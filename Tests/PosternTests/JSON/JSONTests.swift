import TestSupport
import Testing

@testable import Postern

@Suite("JSON", .randomized)
struct JSONTests {
    private func read(_ text: String) throws -> String {
        String(decoding: JSONWriter.bytes(of: try JSONReader.read(Array(text.utf8))), as: UTF8.self)
    }

    @Test(
        "Texts are the same when their bytes are, whatever Unicode says",
        arguments: ["", "jti", "a long name, longer than 15"]
    )
    func bytes(text: String) {
        #expect(text.hasSameBytes(as: String(decoding: Array(text.utf8), as: UTF8.self)))
        #expect(!text.hasSameBytes(as: text + "a"))
        #expect(!(text + "a").hasSameBytes(as: text + "b"))
        let (composed, decomposed) = (text + "\u{E9}", text + "e\u{301}")
        #expect(composed == decomposed)
        #expect(!composed.hasSameBytes(as: decomposed))
        let (one, other) = (text + "a\u{323}\u{307}", text + "a\u{307}\u{323}")
        #expect(one == other)
        #expect(!one.hasSameBytes(as: other))
    }

    @Test(
        "What CPython reads and DRF writes",
        arguments: [
            ("null", "null"), (" [ 1 , 2.50 , -0 , 1e2 , 1E-7 ] ", "[1,2.5,0,100.0,1e-07]"),
            (#"{"a":1,"b":2,"a":3}"#, #"{"a":3,"b":2}"#),
            (#""\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\""#, "\"é😀/\\b\\f\\n\\r\\t\\\"\\\\\""),
            (#""\u2028\u2029\u0000\u001f\u007f""#, "\"\\u2028\\u2029\\u0000\\u001f\u{7F}\""),
            ("123456789012345678901234567890", "123456789012345678901234567890"), ("{}", "{}"), ("[]", "[]"),
        ]
    )
    func roundTrip(text: String, written: String) throws {
        #expect(try read(text) == written)
    }

    @Test(
        "Of doubled names the last counts in the place of the first, among few members and among many",
        arguments: [2, 16, 17, 40]
    )
    func doubledNames(count: Int) throws {
        let names = (0..<count).map { "\"n\($0)\":\($0)" }
        for doubled in [0, count - 1] {
            let text = "{" + (names + ["\"n\(doubled)\":\"last\""]).joined(separator: ",") + "}"
            guard case .object(let members) = try JSONReader.read(Array(text.utf8)) else {
                throw JSONError("no object")
            }
            #expect(members.map(\.name) == (0..<count).map { "n\($0)" })
            guard case .string("last") = members[doubled].value else { throw JSONError("not the last") }
            #expect(throws: JSONError.self) {
                try JSONReader.read(Array(text.utf8), JSONReader.Limits(allowsDoubledNames: false))
            }
        }
    }

    @Test("Half a surrogate pair is remembered, and written as U+FFFD")
    func surrogates() throws {
        guard case .brokenString(let surrogate, let text) = try JSONReader.read(Array(#""a\udc00\ud800b""#.utf8)) else {
            Issue.record("no broken string")
            return
        }
        #expect(surrogate == 0xDC00)
        #expect(text == "a\u{FFFD}\u{FFFD}b")
    }

    @Test("Nesting has a limit, and nothing of any depth is a crash")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(try read(nested(128)) == nested(128))
        #expect(throws: JSONError.self) { try read(nested(129)) }
        #expect(throws: JSONError.self) { try read(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONError.self) { try read(String(repeating: #"{"a":"#, count: 100_000)) }
    }

    @Test("No mutation of a text is a crash")
    func mutations() {
        let text = Array(#"{"a":[1,-2.5e3,true,null,"\u00e9\ud83d\ude00x"],"b":{"c":"é"}}"#.utf8)
        var generator = seeded
        for _ in 0..<20_000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[position] = generator.next()
                case 1: bytes.remove(at: position)
                default: bytes.insert(bytes.randomElement(using: &generator) ?? 0, at: position)
                }
            }
            guard let value = try? JSONReader.read(bytes) else { continue }
            #expect((try? JSONReader.read(JSONWriter.bytes(of: value, indent: 2))) != nil)
        }
    }

    @Test("An indented text is that of Python")
    func indented() throws {
        let value = try JSONReader.read(Array(#"{"a":[1,{}],"b":[]}"#.utf8))
        #expect(
            String(decoding: JSONWriter.bytes(of: value, indent: 2), as: UTF8.self)
                == "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"
        )
    }
}
