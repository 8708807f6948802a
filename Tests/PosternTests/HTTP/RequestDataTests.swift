import TestSupport
import Testing

@testable import Postern

@Suite(
    "What a body holds is made when a view asks for it, and is what CPython and Django make of it at once",
    .randomized
)
struct RequestDataTests {
    private func json(_ text: String) throws -> RequestData { try RequestData(json: Array(text.utf8), .init()) }

    @Test("Of a name that comes several times the last value counts, whatever the names are written with")
    func lastOfName() throws {
        let data = try json(
            #"{"a":1,"c":["z"],"\u0061":"b\u00e9","b":["x","\u00e9","y"],"a\u0000":null,"":{"a":2},"d":[1,"x"]}"#
        )
        #expect(data.string("a") == "bé")
        #expect(data.contains("b"))
        #expect(data.contains("a\u{0}"))
        #expect(data.contains(""))
        #expect(!data.contains("e"))
        #expect(data.text("b") == nil)
        #expect(data["e"] == nil)
        guard case .list(let texts?)? = data["b"], case .list(nil)? = data["d"], case .other(.null)? = data["a\u{0}"],
            case .other(.object)? = data[""]
        else {
            Issue.record("not the values")
            return
        }
        #expect(texts.map(Array.init) == [[0x78], Array("é".utf8), [0x79]])
        for element in ["1", "null", #"["y"]"#, "{}", #""\ud800""#] {
            guard case .list(nil)? = try json("{\"a\":[\"x\",\(element)]}")["a"] else {
                Issue.record("\(element) among texts")
                continue
            }
        }
        #expect(try json(#"{"a":"x","a":1}"#).text("a") == nil)
        let body = Array("a=1&%61=%32&b".utf8)
        let form = RequestData(body, try Form.fields(in: body))
        #expect(form.string("a") == "2")
        #expect(form.string("b") == "")
        #expect(form.texts("a").map(Array.init) == [[0x31], [0x32]])
    }

    @Test("A text with half a surrogate pair is none, and the first half is remembered")
    func halves() throws {
        for (typed, first) in [
            (#"\ud800"#, 0xD800), (#"a\udc01\ud800"#, 0xDC01), (#"\ud83d\ude00\ud801"#, 0xD801),
            (#"\ud802\ud83d\ude00"#, 0xD802), (#"\ud803x\ude00"#, 0xD803), (#"\ud804\n"#, 0xD804),
            (#"\ud805\ud806\ude00"#, 0xD805),
        ] as [(String, UInt16)] {
            let data = try json("{\"a\":\"\(typed)\"}")
            guard case .text(_, let half)? = data["a"] else {
                Issue.record("no text")
                continue
            }
            #expect(half == first, "\(typed)")
            #expect(data.text("a") == nil, "\(typed)")
        }
        #expect(try json(#"{"a":"\ud83d\ude00"}"#).string("a") == "\u{1F600}")
    }

    @Test("What is no object is of a type that Python names")
    func shapes() throws {
        for (text, type) in [
            ("[1]", "list"), ("1", "int"), ("1.5", "float"), ("true", "bool"), ("null", "NoneType"), ("\"a\"", "str"),
            ("{}", "dict"),
        ] {
            #expect(try json(text).shape.pythonType == type)
        }
    }

    @Test("Errors are found in bodies as in other texts, and where they are")
    func errors() {
        let texts = [
            "{\"a\":\"é\u{1}\"}", "{\"a\":\n\"é\",\n \n}", #"{"a":"\x"}"#, #"{"a":"\u12g4"}"#, #"{"a":"\ud83d\u12"}"#,
            #"{"a":"\u1234"#, #"{"a":"\"#, #"{"a":"\n"#, "{\"a\":[1,]}", "{\"a\" 1}", "{} x", "", "{\"a\":\"\n",
            "[\n\n1 2]",
            "\u{FEFF}{}", "{\"a\":nul}", "{\"a\":NaN}", "{1:2}",
        ]
        for text in texts {
            let all = #expect(throws: JSONError.self) { try JSONReader.read(Array(text.utf8)) }
            let fields = #expect(throws: JSONError.self) { try json(text) }
            #expect(all == fields)
        }
        func message(_ text: String) -> String? { #expect(throws: JSONError.self) { try json(text) }?.description }
        #expect(message(texts[0]) == "Invalid control character at: line 1 column 8 (char 7)")
        #expect(
            message(texts[1])
                == "Expecting property name enclosed in double quotes: line 4 column 1 (char 13)"
        )
        #expect(message(texts[2]) == #"Invalid \escape: line 1 column 7 (char 6)"#)
        #expect(message(texts[3]) == #"Invalid \uXXXX escape: line 1 column 8 (char 7)"#)
        #expect(message(texts[4]) == #"Invalid \uXXXX escape: line 1 column 14 (char 13)"#)
        #expect(message(texts[6]) == "Unterminated string starting at: line 1 column 6 (char 5)")
    }

    @Test("What is no UTF-8 is found where it begins, and replaced as everywhere")
    func utf8() {
        let seed = Randomized.seed
        var random = Seeded(seed: seed)
        let pieces: [[UInt8]] = [
            Array("a".utf8), Array("abcdefghijklmnop".utf8), Array("é".utf8), Array("中".utf8), Array("😀".utf8), [0x80],
            [0xBF], [0xC0, 0x80], [0xC1], [0xC2], [0xE0, 0x80], [0xE0, 0xA0], [0xED, 0xA0, 0x80], [0xED, 0x9F, 0xBF],
            [0xF0, 0x80], [0xF0, 0x90, 0x80], [0xF4, 0x90], [0xF4, 0x8F, 0xBF, 0xBF], [0xF5], [0xFF],
        ]
        for _ in 0..<20_000 {
            // Few pieces are bad, so that they are found anywhere.
            let isGood = Bool.random(using: &random)
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<40, using: &random) {
                bytes += pieces[Int.random(in: 0..<(isGood ? 5 : pieces.count), using: &random)]
            }
            if Bool.random(using: &random) { bytes.removeLast(min(bytes.count, 1)) }
            let start = bytes.withUnsafeBytes { UTF8Text.startOfError(in: $0) }
            #expect((start == nil) == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes), seed \(seed)")
            if let start {
                // What is before it is good, and no more is.
                #expect(String(validating: bytes[..<start], as: UTF8.self) != nil)
                let repaired = String(decoding: bytes[start...], as: UTF8.self)
                #expect(repaired.unicodeScalars.first == "\u{FFFD}", "\(bytes), seed \(seed)")
            }
            #expect(
                Array(UTF8Text.repaired(bytes[...])) == Array(String(decoding: bytes, as: UTF8.self).utf8),
                "\(bytes), seed \(seed)"
            )
        }
    }

    @Test("Bytes are counted and found the same, however many there are")
    func search() {
        for count in [0, 1, 7, 8, 9, 63, 64, 2039, 2040, 2041, 2048, 5000] {
            let bytes = (0..<count).map { $0 % 3 == 0 ? UInt8(0x0A) : $0 % 3 == 1 ? 0xC3 : 0xA9 }
            bytes.withUnsafeBytes { text in
                #expect(ByteSearch.count(of: 0x0A, in: text) == bytes.count { $0 == 0x0A })
                #expect(ByteSearch.characters(in: text) == bytes.count { $0 & 0xC0 != 0x80 })
                #expect(ByteSearch.endOfLast(0x0A, in: text) == (bytes.lastIndex(of: 0x0A) ?? -1) + 1)
                #expect(ByteSearch.endOfLast(0x41, in: text) == 0)
                for start in 0..<min(count, 20) {
                    let end = ByteSearch.end(of: text, from: start) { ByteSearch.differs($0, from: 0x0A) }
                    #expect(end == (start % 3 == 0 ? start + 1 : start) || end == count)
                }
            }
        }
        let spaces = [UInt8](repeating: 0x20, count: 40)
        for place in 0..<40 {
            var bytes = spaces
            bytes[place] = 0x21
            for start in 0...place {
                let end = bytes.withUnsafeBytes { text in
                    ByteSearch.end(of: text, from: start) { ByteSearch.differs($0, from: 0x20) }
                }
                #expect(end == place)
            }
        }
    }
}
