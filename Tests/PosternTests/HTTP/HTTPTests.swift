import TestSupport
import Testing

@testable import Postern

@Suite("Bodies, fields and what they mean", .randomized)
struct HTTPTests {
    @Test(
        "Base64 is read as Python reads it",
        arguments: [
            ("YTpi", "a:b"), ("Y T p i", "a:b"), ("YTp\u{E9}i", "a:b"), ("YTo=", "a:"), ("YTo", nil), ("YTo=x", "a:"),
            ("Y", nil), ("YQ==", "a"), ("Y=Q==", "a"),
            ("", ""), ("====", ""), ("=", ""),
        ] as [(String, String?)]
    )
    func base64(text: String, decoded: String?) {
        let bytes = text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
        #expect(Base64.decodeLeniently(bytes[...]) == decoded.map { Array($0.utf8) })
    }

    @Test("A field of 64 KiB is read in time that grows with its length")
    func longAccept() throws {
        for part in [",", "a/b;q=1,", ";", "\"", "a", "*/*,"] {
            let field = Array(String(repeating: part, count: 65_536 / part.utf8.count).utf8)
            _ = try? Negotiation.indent(accept: field[...], query: [])
            _ = MediaType(field[...])
        }
    }

    @Test("More than a thousand fields are refused")
    func manyFields() throws {
        func form(_ count: Int) -> [UInt8] { Array((0..<count).map { "a\($0)=1" }.joined(separator: "&").utf8) }
        #expect(try Form.fields(in: form(1000)).count == 1000)
        #expect(throws: ParseError.self) { try Form.fields(in: form(1001)) }
    }

    @Test("A multipart body gives its fields, whatever stands around them")
    func multipart() throws {
        let type = MediaType(Array("multipart/form-data; boundary=\"a b'c\"".utf8)[...])
        func fields(_ text: String) throws -> [String] {
            let data = try Multipart.data(in: Array(text.utf8), type: type)
            return ["x", "y"].compactMap { name in
                data.text(name).map { "\(name)=\(String(decoding: $0, as: UTF8.self))" }
            }
        }
        let body =
            "preamble\r\n--a b'c\r\nContent-Disposition: form-data; name=\"x\"\r\nX: y\r\n\r\none\r\ntwo\r\n--a b'c\r\ncontent-disposition: form-data; name=y\r\n\r\n\r\n--a b'c\r\n\r\nno name\r\n--a b'c--\r\nepilogue"
        #expect(try fields(body) == ["x=one\r\ntwo", "y="])
        // As Django: of a body that is cut off, what is there counts.
        #expect(try fields("--a b'c\r\nContent-Disposition: form-data; name=x\r\n\r\non") == ["x=on"])
        for length in 0..<body.utf8.count {
            _ = try fields(String(decoding: Array(body.utf8).prefix(length), as: UTF8.self))
        }
        #expect(throws: ParseError.malformed("Multipart form parse error - Invalid boundary in multipart: None")) {
            try Multipart.data(in: [], type: MediaType(Array("multipart/form-data".utf8)[...]))
        }
    }

    @Test(
        "A field of a multipart body may be in base64, as Django reads it",
        arguments: [
            ("Content-Transfer-Encoding: base64", "YW5u", "ann"),
            ("content-transfer-encoding:BASE64 ; x=y", "Y W\r\n5u", "ann"),
            ("Content-Transfer-Encoding: base64", "YW5", "YW5"),
            ("Content-Transfer-Encoding: base64", "/w==", "\u{FFFD}"),
            ("Content-Transfer-Encoding: base64", "", ""), ("Content-Transfer-Encoding: 8bit", "YW5u", "YW5u"),
            ("Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: binary", "YW5u", "YW5u"),
            ("X-Content-Transfer-Encoding: base64", "YW5u", "YW5u"),
        ]
    )
    func base64Field(header: String, text: String, value: String) throws {
        let type = MediaType(Array("multipart/form-data; boundary=b".utf8)[...])
        let body = "--b\r\nContent-Disposition: form-data; name=x\r\n\(header)\r\n\r\n\(text)\r\n--b--\r\n"
        func read(_ body: String) throws -> String? {
            try Multipart.data(in: Array(body.utf8), type: type).text("x").map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try read(body) == value)
        // Of a file only the name counts.
        let file = body.replacing("name=x", with: "name=x; filename=y")
        #expect(try read(file) == nil)
    }

    @Test("What goes to the log is one line of visible ASCII, and not endless")
    func logText() {
        #expect(
            LogText(Array("/a\r\nb\u{1B}[0m\u{2028}é\\".utf8)[...]).description
                == #"/a\x0d\x0ab\x1b[0m\xe2\x80\xa8\xc3\xa9\x5c"#
        )
        #expect(LogText([UInt8](repeating: 0x61, count: 10_000)[...]).description.count == 513)
    }

    @Test("Any bytes are some cookies, some URL, some path: never a crash")
    func noise() {
        var generator = seeded
        let letters = Array("sessionid=;, \"\\/:?#[]@%.*htps\0\r\n\u{E9}".utf8)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0..<40, using: &generator)
            let bytes = (0..<count).map { _ in letters.randomElement(using: &generator) ?? 0 }
            if let value = Cookies.value(of: "s", in: bytes[...]) { #expect(value.count < bytes.count) }
            if let parts = URLParts(bytes[...]) { #expect(!parts.host.isEmpty && !parts.scheme.isEmpty) }
            let path = SessionLogin.path(String(decoding: bytes, as: UTF8.self))
            #expect(
                path.hasPrefix("/") && !path.hasPrefix("//") && !path.contains("\\")
                    && path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
            )
            _ = try? CSRFSecret(presented: bytes[...])
            _ = Base64URL.decode(bytes[...])
        }
    }

    @Test(
        "Addresses are one each, however they are written",
        arguments: [
            ("192.0.2.1", "::ffff:192.0.2.1"), ("192.0.2.1", "::ffff:c000:201"), ("2001:db8::1", "2001:0DB8:0:0::0:1"),
            ("0.0.0.0", "::ffff:0:0"), ("255.255.255.255", "::ffff:ffff:ffff"),
        ]
    )
    func addresses(one: String, other: String) throws {
        #expect(try #require(IPAddress(one.utf8)) == #require(IPAddress(other.utf8)))
    }

    @Test(
        "What is no address is none",
        arguments: [
            "", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4 ",
            "a.b.c.d", ":", "1::2::3", "::g", "unix:", "99999999999.1.1.1",
        ]
    )
    func noAddresses(text: String) {
        #expect(IPAddress(text.utf8) == nil)
    }

    private func parsed(_ body: [UInt8], _ type: String) throws -> RequestData {
        try BodyParser.parse(body, contentType: Array(type.utf8)[...], order: BodyFormat.allCases, .ofUser)
    }

    @Test(
        "A body is read in the encoding that it says, by Python's names",
        arguments: [
            ("latin-1", [0xE9]), ("ISO-8859-1", [0xE9]), ("iso8859_1", [0xE9]), ("\"L1\"", [0xE9]),
            ("utf-8", [0xC3, 0xA9]),
            ("UTF8", [0xC3, 0xA9]), ("no-such", [0xC3, 0xA9]), ("", [0xC3, 0xA9]), ("utf-8-sig", [0xC3, 0xA9]),
        ] as [(String, [UInt8])]
    )
    func charsets(name: String, letter: [UInt8]) throws {
        let type = "application/json; charset=\(name)"
        #expect(try parsed(Array("{\"a\":\"".utf8) + letter + Array("\"}".utf8), type).string("a") == "é")
        guard name != "utf-8-sig" else {
            #expect(try parsed([0xEF, 0xBB, 0xBF] + Array("{\"a\":1}".utf8), type).contains("a"))
            return
        }
        let form = "application/x-www-form-urlencoded; charset=\(name)"
        let escaped = letter.map { "%" + String($0, radix: 16) }.joined()
        let fields = try parsed(Array("a=\(escaped)+&b=".utf8) + letter, form)
        #expect(fields.string("a") == "é ")
        #expect(fields.string("b") == "é")
    }

    @Test(
        "UTF-16, in both orders, with and without a mark",
        arguments: [
            ("utf-16", false, true), ("utf-16", true, true), ("utf-16-le", false, false), ("UTF-16BE", true, false),
        ]
    )
    func utf16(name: String, isBigEndian: Bool, isMarked: Bool) throws {
        let units = (isMarked ? [0xFEFF] : []) + Array("{\"a\":\"é\u{1F600}\"}".utf16)
        let bytes = units.flatMap { unit -> [UInt8] in
            let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xFF))
            return isBigEndian ? [high, low] : [low, high]
        }
        let type = "application/json; charset=\(name)"
        #expect(try parsed(bytes, type).string("a") == "é\u{1F600}")
        // A half letter at the end has not come yet.
        #expect(try parsed(bytes + [0x20], type).contains("a"))
        let error = #expect(throws: ParseError.self) {
            try parsed(Array("{}".utf8), "application/json; charset=utf-16")
        }
        #expect(error == .malformed("JSON parse error - UTF-16 stream does not start with BOM"))
        let broken: [UInt8] = [0xFF, 0xFE, 0x00, 0xDC, 0x20, 0x00]
        #expect(throws: ParseError.self) { try parsed(broken, "application/json; charset=utf-16") }
        let ascii = #expect(throws: ParseError.self) {
            try parsed(Array("{\"é\":1}".utf8), "application/json; charset=us-ascii")
        }
        let reason = "'ascii' codec can't decode byte 0xc3 in position 2: ordinal not in range(128)"
        #expect(ascii == .malformed("JSON parse error - " + reason))
    }
}

extension RequestData {
    /// nil where there is no such field, or it is no text.
    func string(_ name: String) -> String? { text(name).map { String(decoding: $0, as: UTF8.self) } }
}
