import TestSupport
import Testing

@testable import Postern

/// Parsers look at eight or thirty-two bytes together. Whatever stands at their edges, they say what a parser says that goes
/// byte by byte.
@Suite("Texts that are read many bytes at a time mean what they mean byte by byte", .randomized)
struct ParserRunTests {
    private let seed = Randomized.seed

    /// Texts of pieces: each has runs of many lengths.
    private func texts(_ pieces: [String], count: Int, _ visit: (String) throws -> Void) rethrows {
        var random = Seeded(seed: seed)
        for _ in 0..<count {
            var text = ""
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                let piece = pieces.randomElement(using: &random) ?? ""
                text += String(
                    repeating: piece,
                    count: Int.random(in: 1...3, using: &random) == 1 ? 1 : 37 / piece.utf8.count
                )
            }
            try visit(text)
        }
    }

    @Test("Fields of forms")
    func forms() {
        func unquoted(_ text: [UInt8]) -> [UInt8] {
            var (bytes, place) = ([UInt8](), 0)
            while place < text.count {
                let digits = String(decoding: text[(place + 1)...].prefix(2), as: UTF8.self)
                if text[place] == 0x25, digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit) {
                    bytes.append(UInt8(digits, radix: 16) ?? 0)
                    place += 3
                } else {
                    bytes.append(text[place] == 0x2B ? 0x20 : text[place])
                    place += 1
                }
            }
            return bytes
        }
        texts(["a", "+", "%61", "%", "%4", "%ff", "%C3%A9", "é", "%2B"], count: 5000) { text in
            let bytes = Array(text.utf8)
            let meant = Array(String(decoding: unquoted(bytes), as: UTF8.self).utf8)
            #expect(Array(Form.unquoted(bytes[...])) == meant, "\(text), seed \(seed)")
            let latin1 = Array(Form.unquoted(bytes[...], .latin1WithEscapes))
            #expect(
                latin1 == unquoted(bytes).flatMap { Array(String(UnicodeScalar($0)).utf8) },
                "\(text), seed \(seed)"
            )
            let letters = bytes.flatMap { Array(String(UnicodeScalar($0)).utf8) }
            let mixed = Array(String(decoding: unquoted(letters), as: UTF8.self).utf8)
            #expect(Array(Form.unquoted(bytes[...], .latin1)) == mixed, "\(text), seed \(seed)")
        }
    }

    @Test("Texts of JSON, in bodies and elsewhere")
    func json() throws {
        let meanings = [
            "a": "a", "é": "é", #"\n"#: "\n", #"\""#: "\"", #"\\"#: "\\", #"\u0061"#: "a", #"\u00e9"#: "é",
            #"\u4e2d"#: "中",
            #"\ud83d\ude00"#: "😀", "中": "中", #"\/"#: "/", "abcdefgh": "abcdefgh",
        ]
        let pieces = meanings.keys.sorted()
        var random = Seeded(seed: seed)
        for _ in 0..<5000 {
            var (typed, meant) = ("", "")
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                let piece = pieces.randomElement(using: &random) ?? ""
                for _ in 0..<Int.random(in: 1...9, using: &random) {
                    typed += piece
                    meant += meanings[piece] ?? ""
                }
            }
            let text = Array("{\"a\":\"\(typed)\",\"b\":[\"\(typed)\"]}".utf8)
            guard case .object(let members) = try JSONReader.read(text) else { throw JSONError("no object") }
            #expect(members[0].value.isText(meant), "\(typed), seed \(seed)")
            let data = try RequestData(json: text, .init())
            #expect(data.string("a") == meant, "\(typed), seed \(seed)")
            guard case .list(let list?)? = data["b"] else { throw JSONError("no list") }
            #expect(list.map(Array.init) == [Array(meant.utf8)], "\(typed), seed \(seed)")
        }
    }

    @Test("Numbers of any length are rounded as the C library rounds them")
    func numbers() throws {
        var random = Seeded(seed: seed)
        // The middle between 1 and the next number, and what is a little more and less.
        let middle = "1.00000000000000011102230246251565404236316680908203125"
        var texts = [
            middle, middle + String(repeating: "0", count: 900), "0." + String(repeating: "0", count: 2000) + "1e2000",
        ]
        texts += [middle + String(repeating: "0", count: 900) + "1", "-0." + String(repeating: "0", count: 900)]
        texts += [
            String(repeating: "9", count: 900) + "e-1000",
            "1." + String(repeating: "0", count: 900) + "e99999999999999999999",
        ]
        for _ in 0..<300 {
            func digits(_ count: ClosedRange<Int>) -> String {
                let digits = Bool.random(using: &random) ? "0123456789" : "09"
                return String(
                    (0..<Int.random(in: count, using: &random)).map { _ in digits.randomElement(using: &random) ?? "0" }
                )
            }
            let whole = Bool.random(using: &random) ? "0" : "1" + digits(0...1200)
            let exponent = Bool.random(using: &random) ? "" : "e\(Int.random(in: -1500...1500, using: &random))"
            texts.append((Bool.random(using: &random) ? "-" : "") + whole + "." + digits(1...1800) + exponent)
        }
        for text in texts {
            guard case .number(let number) = try JSONReader.read(Array(text.utf8)) else { throw JSONError("no number") }
            let meant = Double(text) ?? .nan
            #expect(number == meant, "\(text), seed \(seed)")
            #expect(number.sign == meant.sign, "\(text), seed \(seed)")
        }
    }

    @Test("Parts of a multipart body, wherever the delimiter is")
    func multipart() throws {
        let type = MediaType(Array("multipart/form-data; boundary=xyz".utf8)[...])
        for length in 0..<100 {
            for noise in ["a", "\n", "-", "\n--x", "\r\n--"] {
                let value = String(repeating: noise, count: length)
                let part = "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n\(value)\r\n"
                let body = Array((part + part.replacing("name=a", with: "name=b") + "--xyz--\r\n\(value)").utf8)
                let data = try Multipart.data(in: body, type: type)
                #expect(data.string("a") == value, "\(noise), \(length) times")
                #expect(data.string("b") == value, "\(noise), \(length) times")
            }
        }
    }
}
