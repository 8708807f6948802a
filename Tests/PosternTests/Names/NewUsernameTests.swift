import Testing

@testable import Postern

@Suite("Names of new users")
struct NewUsernameTests {
    @Test(
        "Names of one script are taken, and of those that are written together",
        arguments: [
            "ann", "Ann.Bee@example.org", "ann bee", "o'neill", "a/b,c", "émile", "Žofie", "Nguyễn", "Αλέξανδρος",
            "Владимир",
            "Оксана_2", "Արամ", "დავითი", "אברהם", "محمد", "علی۱۲", "सचिन", "मोहम्मद", "রবীন্দ্রনাথ", "ਗੁਰਪ੍ਰੀਤ",
            "રાહુલ", "தமிழ்", "వెంకట", "ಕನ್ನಡ", "മലയാളം", "සිංහල", "สมชาย", "ສົມສັກ", "བཀྲ་ཤིས", "မောင်", "សុខា",
            "ገብረ", "김철수", "李小龙", "林志玲", "さくら", "タロウ", "山田タロウ", "サトウ・ハナ", "Tanaka田中さくら", "Kim김",
            "ㄅㄆ王", "gal·la", "1234",
        ]
    )
    func taken(name: String) throws {
        #expect(try Username(new: name.utf8).bytes == Array(name.utf8))
    }

    @Test("A name is composed, as Django does it")
    func composed() throws {
        for (typed, name) in [
            ("e\u{301}mile", "émile"), ("ａｎｎ＠ｅｘａｍｐｌｅ", "ann@example"), ("ﬁn", "fin"), ("ｻﾄｳ", "サトウ"),
            ("\u{1100}\u{1161}", "가"), ("ann\u{2003}bee", "ann bee"),
        ] {
            #expect(try Username(new: typed.utf8).bytes == Array(name.utf8))
        }
        // Django's limit counts before and after.
        #expect(throws: UsernameError.tooLong) { try Username(new: String(repeating: "ﬃ", count: 51).utf8) }
        #expect(throws: UsernameError.tooLong) { try Username(new: String(repeating: "e\u{301}", count: 76).utf8) }
        #expect(throws: UsernameError.forbidden(":")) { try Username(new: "a：b".utf8) }
    }

    @Test(
        "Invisible characters are refused and named as they were typed",
        arguments: [
            0x34F, 0x3164, 0xFE0F, 0xFE00, 0x115F, 0x1160, 0xFFA0, 0x17B4, 0x180B, 0x180F, 0x2065, 0xE0100, 0xE01EF,
            0xFFF0,
        ]
    )
    func invisible(value: UInt32) throws {
        let scalar = try #require(Unicode.Scalar(value))
        #expect(throws: UsernameError.invisible(scalar)) { try Username(new: "a\(scalar)b".utf8) }
        // What is stored goes on.
        #expect(try Username("a\(scalar)b".utf8).bytes == Array("a\(scalar)b".utf8))
    }

    @Test(
        "Format characters and those that turn the writing around are refused, as in every name",
        arguments: [0xAD, 0x200B, 0x200D, 0x200E, 0x202E, 0x2066, 0x2069, 0x61C, 0xFEFF, 0x180E, 0xE0041]
    )
    func format(value: UInt32) throws {
        let scalar = try #require(Unicode.Scalar(value))
        #expect(throws: UsernameError.forbidden(scalar)) { try Username(new: "a\(scalar)b".utf8) }
    }

    @Test(
        "Symbols, fillers, foreign spaces, old and little used scripts, and characters of no version are refused",
        arguments: [
            "\u{2800}", "☃", "😀", "€", "\u{1680}", "\u{2044}", "½", "…", "\u{640}", "\u{FFFD}", "\u{1D159}", "\u{20DD}",
            "ㅋ", "Ꭺ", "ꓮ", "𐌰", "Ⲁ", "ߊ", "\u{378}", "\u{E000}",
        ]
    )
    func unusual(text: String) throws {
        let scalar = try #require(text.unicodeScalars.first)
        if scalar == "…" {
            // It is composed to three full stops.
            #expect(try Username(new: "a\(text)b".utf8).description == "a...b")
        } else {
            #expect(throws: UsernameError.unusual(scalar)) { try Username(new: "a\(text)b".utf8) }
        }
    }

    @Test("Letters of another script are refused, and beside Latin the other ones are named")
    func mixed() {
        for (name, scalar) in [
            ("\u{430}dmin", "\u{430}"), ("adm\u{456}n", "\u{456}"), ("r\u{3BF}\u{3BF}t", "\u{3BF}"),
            ("r\u{585}\u{585}t", "\u{585}"),
            ("ann\u{5D0}", "\u{5D0}"), ("\u{430}\u{3B1}", "\u{3B1}"), ("ann\u{660}", "\u{660}"), ("김さくら", "さ"),
            ("ㄅ김", "김"), ("田中\u{430}", "\u{430}"), ("анна@example.org", "а"), ("ann\u{CB3}", "\u{CB3}"),
        ] as [(String, Unicode.Scalar)] {
            #expect(throws: UsernameError.mixedScripts(scalar), "\(name)") { try Username(new: name.utf8) }
        }
    }

    @Test("Digits of two kinds are refused")
    func digits() {
        #expect(throws: UsernameError.mixedDigits("৪")) { try Username(new: "র8৪".utf8) }
        #expect(throws: UsernameError.mixedDigits("۱")) { try Username(new: "علی١۱".utf8) }
        #expect(throws: UsernameError.mixedDigits("1")) { try Username(new: "علی۱1".utf8) }
    }

    @Test("Marks without a letter or twice, and punctuation of a script outside of it, are refused")
    func misplaced() {
        for (name, scalar) in [
            ("\u{301}a", "\u{301}"), ("a_\u{301}", "\u{301}"), ("x\u{301}\u{301}", "\u{301}"),
            ("1\u{20D0}", "\u{20D0}"),
            ("a·b", "·"), ("l·", "·"), ("α\u{375}", "\u{375}"), ("\u{5F3}א", "\u{5F3}"), ("ㄅ\u{30FB}", "\u{30FB}"),
        ] as [(String, Unicode.Scalar)] {
            #expect(throws: UsernameError.misplaced(scalar), "\(name)") { try Username(new: name.utf8) }
        }
        #expect(throws: Never.self) { try Username(new: "ג\u{5F3}ורג\u{5F3}\u{5D0}".utf8) }
        #expect(throws: Never.self) { try Username(new: "\u{375}α".utf8) }
    }

    @Test("A name from right to left has a letter at its beginning, and a letter or a digit at its end")
    func direction() {
        for (name, scalar) in [("1אב", "1"), ("@אב", "@"), ("אב.", "."), ("אב-", "-"), ("۱علی", "۱")]
            as [(String, Unicode.Scalar)]
        {
            #expect(throws: UsernameError.openEnd(scalar), "\(name)") { try Username(new: name.utf8) }
        }
        for name in ["אב1", "אב.גד", "אָבָ", "علی۱"] {
            #expect(throws: Never.self, "\(name)") { try Username(new: name.utf8) }
        }
    }

    @Test("Each refusal is one sentence that names the character as Unicode does")
    func sentences() {
        for error in [
            .invisible("\u{3164}"), .unusual("\u{3164}"), .mixedScripts("\u{3164}"), .mixedDigits("\u{3164}"),
            .misplaced("\u{3164}"),
            .openEnd("\u{3164}"),
        ] as [UsernameError] {
            let text = error.description
            #expect(text.contains("U+3164"), "\(text)")
            #expect(text.hasSuffix("."), "\(text)")
            #expect(!text.dropLast().contains(". "), "\(text)")
        }
    }
}
