import FastCGI
import TestSupport
import Testing

@testable import Postern

private func times(_ count: Int, _ part: String) -> String { String(repeating: part, count: count) }

@Suite("What a client sends costs no more than it weighs: limits of what is read, and what is beyond them", .randomized)
struct ParserLimitTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private static let anybody = ["PERMISSION": "AllowAny"]

    private func indent(_ accept: String) throws(APIError) -> Int? {
        try Negotiation.indent(accept: Array(accept.utf8)[...], query: [])
    }

    @Test(
        "Of Accept a hundred ranges, a hundred parameters and 4 KiB are read; nothing is acceptable to more",
        arguments: [
            (times(99, "a/b,") + "application/json; indent=3", 3),
            (times(100, "a/b,") + "application/json; indent=3", nil),
            ("application/json" + times(99, ";a=b") + ";indent=3", 3),
            ("application/json" + times(100, ";a=b") + ";indent=3", nil),
            ("application/json;indent=3," + times(4096 - 26, "a"), 3),
            ("application/json;indent=3," + times(4097 - 26, "a"), nil),
            (times(65_000, ","), nil), (times(8_000, "*/*;q=1,"), nil),
            ("APPLICATION/*;q=1 ,, Application/JSON ; Indent = \"4\"", 4),
            ("application/json; indent=2, application/json; indent=4", 2),
            ("*/*; indent=2, application/json; indent=4", 4),
        ] as [(String, Int?)]
    )
    func accept(text: String, expected: Int?) {
        if let expected {
            #expect(throws: Never.self) { try #expect(indent(text) == expected) }
        } else {
            #expect(throws: APIError.self) { try indent(text) }
            #expect(site.ask("whoami", Self.anybody, method: "GET", headers: ["ACCEPT": text]).status == 406)
            #expect(site.ask("session.login", method: "GET", headers: ["ACCEPT": text]).status == 200)
        }
    }

    @Test("Fields of one name become one list, however many there are")
    func joinedFields() {
        let one = site.ask(
            "whoami",
            Self.anybody,
            method: "GET",
            more: [("HTTP_ACCEPT", "a/b"), ("HTTP_ACCEPT", "*/*")]
        )
        #expect(one.status == 200)
        let many = Array(repeating: ("HTTP_ACCEPT", ""), count: 4000) + [("HTTP_ACCEPT", "*/*")]
        #expect(site.ask("whoami", Self.anybody, method: "GET", more: many).status == 406)
    }

    @Test("A Content-Type that is too long is none that is known, and an answer repeats the beginning of it")
    func contentType() throws {
        func answer(_ type: String) -> InProcessSite.Answer {
            site.ask("token.obtain", bytes: Array("{}".utf8), type: type)
        }
        #expect(answer("application/json" + times(100, ";a=b")).status == 400)
        let refused = answer("application/json" + times(101, ";a=b"))
        #expect(refused.status == 415)
        #expect(refused.body.contains("\"application/json;a=b;a=b"))
        let long = answer("application/json;a=" + times(60_000, "\u{E9}"))
        #expect(long.status == 415)
        #expect(long.body.utf8.count < 2000)
        #expect(long.body.contains("…"))
        #expect(answer(#"multipart/form-data; boundary=""# + times(4000, "x") + "\"").body.utf8.count < 2000)
    }

    @Test("Two hundred cookies and 16 KiB of them are read")
    func cookies() {
        func value(_ text: String) -> String? {
            Cookies.value(of: "sid", in: Array(text.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(value(times(199, "a=b;") + "sid=1") == "1")
        #expect(value(times(200, "a=b;") + "sid=1") == nil)
        let room = Cookies.maximumLength
        #expect(value("sid=1;" + times(room - 6, "a")) == "1")
        #expect(value("sid=1;" + times(room - 5, "a")) == nil)
        #expect(value("sid") == nil)
        #expect(value("sid = 1 ; xsid=2; sidx=3; SID=4; sid") == "1")
        #expect(value("sid=1; \tsid \t= \"2\" ;") == "2")
        #expect(value("sid=") == "")
        #expect(value("sid=;sid==") == "=")
    }

    @Test("A query has a thousand parameters, as Django has it")
    func query() {
        func status(_ query: String) -> Int {
            site.ask("whoami", Self.anybody, method: "GET", more: [("QUERY_STRING", query)]).status
        }
        #expect(status(times(999, "a=b&") + "format=json") == 200)
        #expect(status(times(999, "a=b&") + "format=x") == 404)
        #expect(status(times(1000, "a=b&") + "format=json") == 400)
        #expect(status(times(60_000, "&")) == 400)
        #expect(status("%66orma%74=%78") == 404)
        #expect(status("format=x&format=json&format") == 200)
        #expect(status("%66=x&forma=x") == 200)
        #expect(status("format%3Dx") == 200)
        #expect(status("format=%6Aso%6e") == 200)
        #expect(status("format=js%6") == 404)
    }

    @Test("Names and values of a form are unquoted as Django does")
    func form() throws {
        let text = "a+b%20c=%c3%A9&%=%4&&b&c=d=e&x=%zz%E9"
        func data(_ body: [UInt8]) throws -> RequestData { RequestData(body, try Form.fields(in: body)) }
        let fields = try data(Array(text.utf8))
        #expect(["a b c", "%", "b", "c", "x"].map(fields.string) == ["é", "%4", "", "d=e", "%zz\u{FFFD}"])
        #expect(["a+b%20c", "a b", "", "a b c ", "B"].map(fields.string) == [nil, nil, nil, nil, nil])
        // What is no UTF-8 is Latin-1, but for what is escaped.
        let latin1 = try data([0x61, 0x3D, 0xE9, 0x2B, 0x80] + Array("%c3%a9%E9".utf8))
        #expect(latin1.string("a") == "é \u{80}é\u{FFFD}")
    }

    @Test("Basic credentials have 4 KiB, and a long field is refused as a malformed one")
    func basic() {
        func answer(_ encoded: String) -> InProcessSite.Answer {
            site.ask(
                "whoami",
                ["AUTHENTICATION": "Basic"],
                method: "GET",
                headers: ["AUTHORIZATION": "Basic " + encoded]
            )
        }
        let good = Base64.encode(Array("ann:\(InProcessSite.password)".utf8))
        #expect(answer(good).status == 200)
        #expect(answer(good + times(4096 - good.utf8.count, "!")).status == 200)
        let long = answer(good + times(4097 - good.utf8.count, "!"))
        #expect(long.status == 401)
        #expect(long.body.contains("not correctly base64 encoded"))
        #expect(answer(times(15_000, "QUFB")).status == 401)
        // Django's longest username and our longest password fit.
        #expect(4 * ((600 + 1 + 1024 + 2) / 3) <= BasicAuthentication.maximumLength)
    }

    @Test("Base64 is read the same at each place of what does not belong there")
    func base64() {
        let bytes = Array("The quick brown fox\u{FF}\u{3F0}".utf8)
        let text = Base64.encode(bytes)
        for place in 0...text.utf8.count where place < text.utf8.count - 1 {
            for noise in ["!", "\n", " -_", "éé"] {
                let noisy = Array(text.utf8.prefix(place)) + noise.utf8 + text.utf8.dropFirst(place)
                #expect(Base64.decodeLeniently(noisy[...]) == bytes, "\(noise) at \(place)")
            }
        }
    }

    @Test("A token, and the header of a JSON Web Token, have a length")
    func tokens() {
        func body(_ credential: String) -> String {
            site.ask("whoami", method: "GET", headers: ["AUTHORIZATION": credential]).body
        }
        #expect(body("Token " + times(60_000, "a")).contains("Invalid token."))
        let access = site.pair().access
        #expect(body("Bearer " + access).contains("\"ann\""))
        let header = String(
            decoding: Base64URL.encode(Array((#"{"alg":"HS256","x":""# + times(3200, "x") + "\"}").utf8)),
            as: UTF8.self
        )
        let signed = header + "." + access.split(separator: ".").dropFirst().joined(separator: ".")
        #expect(JSONWebSignature(compact: Array(access.utf8)[...]) != nil)
        #expect(header.utf8.count > JSONWebSignature.maximumHeaderLength)
        #expect(JSONWebSignature(compact: Array(signed.utf8)[...]) == nil)
        #expect(body("Bearer " + signed).contains("token_not_valid"))
    }

    @Test("JSON of a body: what no view reads is checked and not kept, and there is not too much of it")
    func json() throws {
        let token = ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: site.user("ann")).1.text)]
        func answer(_ body: String) -> InProcessSite.Answer { site.ask("password", headers: token, body: body) }
        // With the object and the list.
        let long = times(2997, "1,")
        #expect(answer("{\"a\":[\(long)1]}").body.contains("This field is required."))
        #expect(answer("{\"a\":[\(long)1,1]}").body.contains("Too many values"))
        let members = (0..<1000).map { "\"\($0)\":1" }.joined(separator: ",")
        #expect(answer("{\(members)}").body.contains("This field is required."))
        #expect(answer("{\(members),\"a\":1}").body.contains("Too many members"))
        #expect(answer("{\"a\":[[\"\\x\"]]}").body.contains("Invalid \\\\escape: line 1 column 9 (char 8)"))
        #expect(answer("{\"a\":[[1,]]}").body.contains("Expecting value"))
        #expect(answer("{\"old_password\":[[1]],\"new_password\":{\"a\":{}}}").body.contains("Not a valid string."))
        #expect(answer("{\"username\":\(times(4300, "1"))}").body.contains("This field is required."))
        #expect(
            answer("{\"username\":\(times(4301, "1"))}").body.contains("Exceeds the limit (4300 digits) for integer")
        )
        let scopes = site.ask("tokens", headers: token, body: "{\"scopes\":\"\(times(2049, "a "))\"}")
        #expect(scopes.status == 400)
        #expect(scopes.body.contains(TokenLimitError.tooLong.description))
        #expect(answer("[\(times(4301, "1")).5]").body.contains("Expected a dictionary, but got list"))
    }

    @Test("A text is read the same wherever in it something special is")
    func specialPlaces() throws {
        for length in 0..<40 {
            for place in 0...length {
                for (typed, meant) in [
                    (#"\""#, "\""), (#"\\"#, "\\"), (#"\n"#, "\n"), (#"\u00e9"#, "é"), ("é", "é"),
                    (#"\ud83d\ude00"#, "😀"), ("\u{2028}", "\u{2028}"),
                ] {
                    let (before, after) = (times(place, "a"), times(length - place, "b"))
                    let value = try JSONReader.read(Array("[\"\(before)\(typed)\(after)\",1]".utf8))
                    guard case .array(let elements) = value, elements.count == 2 else { throw JSONError("no list") }
                    #expect(elements[0].text?.hasSameBytes(as: before + meant + after) ?? false, "\(typed) at \(place)")
                    let again = try JSONReader.read(JSONWriter.bytes(of: value))
                    guard case .array(let same) = again else { throw JSONError("no list") }
                    #expect(same[0].text?.hasSameBytes(as: before + meant + after) ?? false, "\(typed) at \(place)")
                }
                for bad in ["\u{1}", "\n", #"\x"#, #"\u00g0"#] {
                    let text = "[\"\(times(place, "a"))\(bad)\(times(length - place, "b"))\",1]"
                    #expect(throws: JSONError.self) { try JSONReader.read(Array(text.utf8)) }
                }
            }
        }
    }

    @Test("What a client sent is repeated as far as anybody means it")
    func echoes() {
        func answer(_ headers: [String: String], _ more: [(String, String)] = []) -> InProcessSite.Answer {
            site.ask("session.login", headers: headers, body: "{}", more: more)
        }
        let origin = answer(["ORIGIN": "http://" + times(60_000, "a")])
        #expect(origin.status == 403)
        #expect(origin.body.utf8.count < 2000)
        #expect(origin.body.contains("does not match any trusted"))
        let referer = answer(["REFERER": "https://b/" + times(60_000, "a"), "HOST": "a"], [("HTTPS", "on")])
        #expect(referer.status == 403)
        #expect(referer.body.utf8.count < 2000)
        let long = answer(["REFERER": "https://" + times(60_000, "a"), "HOST": "a"], [("HTTPS", "on")])
        #expect(long.status == 403)
        #expect(long.body.contains("Referer is malformed"))
        let page = site.ask(
            "session.login",
            headers: ["ACCEPT": "text/html", "COOKIE": "csrftoken=" + times(32, "a")],
            body: "csrfmiddlewaretoken=" + times(32, "a") + "&username=" + times(2500, "%3C"),
            type: "application/x-www-form-urlencoded"
        )
        #expect(page.status == 200)
        #expect(page.body.contains("This field is required."))
        #expect(page.body.utf8.count < 10_000)
        #expect(!page.body.contains("&lt;&lt;"))
        #expect(LogText(times(100_000, "\n")).description.utf8.count < 3000)
    }

    @Test("A text is trimmed as Python does")
    func trimming() throws {
        func value(_ text: String, _ field: CharField = CharField(name: "a")) -> String? {
            let value = RequestData.Value.text(Array(text.utf8)[...], surrogate: nil)
            return (try? field.validate(value).get()).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(value("\u{85}\u{3000} a \u{1C}b\u{2029}\t") == "a \u{1C}b")
        #expect(value(" \u{A0}\n") == nil)
        #expect(value("a") == "a")
        #expect(value("\u{200B}a") == "\u{200B}a")
        #expect(value("a\u{0}") == nil)
        for number in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(number) else { continue }
            let isSpace = scalar.properties.isWhitespace || (0x1C...0x1F).contains(number)
            let text = "\(scalar)a\(scalar)"
            let trimmed = String(decoding: PythonText.trimmed(Array(text.utf8)[...]), as: UTF8.self)
            if !trimmed.hasSameBytes(as: isSpace ? "a" : text) { Issue.record("U+\(String(number, radix: 16))") }
        }
        // Eight bytes at a time, and what is left.
        let spaces: [String] = ["\t", " ", "\u{1C}", "\u{85}", "\u{2003}"]
        let seed = Randomized.seed
        var random = Seeded(seed: seed)
        for _ in 0..<2000 {
            func some() -> String {
                (0..<Int.random(in: 0..<20, using: &random)).map { _ in spaces.randomElement(using: &random) ?? "" }
                    .joined()
            }
            let inside = "é" + some() + "a"
            let trimmed = PythonText.trimmed(Array((some() + inside + some()).utf8)[...])
            #expect(String(decoding: trimmed, as: UTF8.self).hasSameBytes(as: inside), "seed \(seed)")
        }
        var field = CharField(name: "a", maximumLength: 3)
        field.trimsWhitespace = false
        #expect(value("éé😀", field) != nil)
        #expect(value("aaaa", field) == nil)
        #expect(value("😀😀😀😀", field) == nil)
        #expect(value("  a", field) == "  a")
    }

    @Test(
        "Parts of a path are counted from its end",
        arguments: [
            ("/users/7/", "7", "users"), ("/users/7", "7", "users"), ("//users//7//", "7", "users"), ("/7/", "7", nil),
            ("7", "7", nil), ("/", nil, nil), ("", nil, nil), (times(5000, "/a"), "a", "a"),
        ] as [(String, String?, String?)]
    )
    func segments(path: String, last: String?, before: String?) throws {
        let parameters = Parameters([("REQUEST_METHOD", Array("GET".utf8)), ("DOCUMENT_URI", Array(path.utf8))])
        let request = try APIRequest(FastCGI.Request(parameters: parameters))
        #expect(request.segment(at: 0).map { String(decoding: $0, as: UTF8.self) } == last)
        #expect(request.segment(at: 1).map { String(decoding: $0, as: UTF8.self) } == before)
    }

    @Test(
        "Of nobody 16 KiB of a body are read, of a user 64; the greatest name and password fit, however they are written"
    )
    func bodies() throws {
        func padded(_ text: String, to count: Int) -> String { times(count - text.utf8.count, " ") + text }
        func escaped(_ text: String) -> String {
            text.utf16.map { "\\u" + times(4 - String($0, radix: 16).count, "0") + String($0, radix: 16) }.joined()
        }
        let greatest = #"{"username":"\#(escaped(times(150, "😀")))","password":"\#(escaped(times(1024, "a")))"}"#
        #expect(site.ask("token.obtain", body: greatest).body.contains("Unable to log in"))
        let nobody = #"{"username":"ann","password":"\#(InProcessSite.password)"}"#
        #expect(site.ask("token.obtain", body: padded(nobody, to: 16_384)).status == 200)
        #expect(site.ask("token.obtain", body: padded(nobody, to: 16_385)).status == 413)
        let token = ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: site.user("ann")).1.text)]
        #expect(site.ask("tokens", headers: token, body: padded("{}", to: 65_536)).status == 201)
        #expect(site.ask("tokens", headers: token, body: padded("{}", to: 65_537)).status == 413)
        // Parts as well.
        func members(_ count: Int) -> String { "{" + (0..<count).map { "\"\($0)\":1" }.joined(separator: ",") + "}" }
        func form(_ count: Int) -> String { times(count, "a=b&") }
        for (text, type) in [(members(101), "application/json"), (form(101), "application/x-www-form-urlencoded")] {
            let refused = site.ask("token.obtain", body: text, type: type)
            #expect(refused.status == 400)
            #expect(refused.body.hasPrefix(#"{"detail":"#))
            #expect(!site.ask("tokens", headers: token, body: text, type: type).body.hasPrefix(#"{"detail":"#))
        }
        #expect(site.ask("token.obtain", body: members(100)).body.contains("This field is required."))
        #expect(site.ask("tokens", headers: ["AUTHORIZATION": "Token x"], body: padded("{}", to: 65_536)).status == 401)
    }

    @Test("A document that is the same for all is made once for each form of it, and HEAD has none of it")
    func constantAnswers() {
        func answer(_ method: String, _ accept: String) -> InProcessSite.Answer {
            site.ask("openapi", method: method, headers: ["ACCEPT": accept])
        }
        let compact = answer("GET", "*/*")
        #expect(compact.status == 200)
        #expect(compact.body.hasPrefix("{\"openapi\""))
        for indent in [1, 4, 8, 9, 1000] {
            let spaces = String(repeating: " ", count: min(indent, 8))
            for _ in 0..<2 {
                let indented = answer("GET", "application/json; indent=\(indent)")
                #expect(indented.body.hasPrefix("{\n\(spaces)\"openapi\": "))
                #expect(indented.values("Vary") == ["Accept"])
                #expect(indented.values("Content-Length") == ["\(indented.body.utf8.count)"])
            }
        }
        let head = answer("HEAD", "*/*")
        #expect(head.status == 200)
        #expect(head.body.isEmpty)
        #expect(head.values("Content-Length") == compact.values("Content-Length"))
        #expect(answer("OPTIONS", "*/*").body.contains("\"name\":\"OpenAPI\""))
        #expect(answer("POST", "*/*").status == 405)
    }
}
