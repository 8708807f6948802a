import FastCGI

/// A text that costs whoever reads it much, for one field of a request or for its body.
struct HostileInput {
    let name: String
    /// `body` for the body.
    let field: String
    private let start: String
    private let part: String
    private let end: String
    private let others: [(name: String, value: String)]

    /// Text that is repeated as often as there is room for it.
    /// - Parameter others: The other parameters of the request.
    init(
        _ name: String,
        _ field: String,
        _ others: [(name: String, value: String)],
        start: String = "",
        _ part: String,
        end: String = ""
    ) {
        self.name = name
        self.field = field
        self.start = start
        self.part = part
        self.end = end
        self.others = others
    }

    var isBody: Bool { field == "body" }

    /// Who is nobody may send a shorter body than a user.
    var isOfNobody: Bool { !others.contains { $0.name == "HTTP_AUTHORIZATION" } }

    /// Of the text, where the longest one that is sent has `size` bytes.
    func size(_ size: Int) -> Int { isBody && isOfNobody ? size / 4 : size }

    private func text(size: Int) -> [UInt8] {
        let (start, part, end) = (Array(start.utf8), Array(part.utf8), Array(end.utf8))
        let count = max(0, size - start.count - end.count) / part.count
        return start + (0..<count).flatMap { _ in part } + end
    }

    /// - Parameter isRead: Otherwise the text is in a field that nobody reads.
    func request(size: Int, isRead: Bool) -> FastCGI.Request {
        let text = text(size: size)
        var parameters = others.map { ($0.name, Array($0.value.utf8)) }
        var body: [UInt8] = []
        if isRead, isBody {
            body = text
            parameters.append(("CONTENT_LENGTH", Array(String(text.count).utf8)))
        } else {
            parameters.append((isRead ? field : "HTTP_X_UNREAD", text))
        }
        return FastCGI.Request(parameters: Parameters(parameters), body: body)
    }
}

extension HostileInput {
    /// - Parameter token: A good one.
    static func all(token: String) -> [HostileInput] {
        typealias Fields = [(name: String, value: String)]
        let common: Fields = [
            ("REMOTE_ADDR", "127.0.0.1"), ("HTTP_HOST", "example.org"), ("REQUEST_URI", "/x/"), ("DOCUMENT_URI", "/x/"),
            ("POSTERN_FAILURE_THROTTLE", "off"),
        ]
        func get(_ view: String, _ more: Fields = []) -> Fields {
            [("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", view)] + common + more
        }
        func post(_ view: String, _ type: String? = nil, _ more: Fields = []) -> Fields {
            let type: Fields = type.map { [("CONTENT_TYPE", $0)] } ?? []
            return [("REQUEST_METHOD", "POST"), ("POSTERN_VIEW", view)] + type + common + more
        }
        let anybody: Fields = [("POSTERN_PERMISSION", "AllowAny")]
        let who = get("whoami", anybody + [("HTTP_AUTHORIZATION", "Token \(token)")])
        let page = get("session.login")
        let nobody = get("whoami", anybody)
        let (json, form) = ("application/json", "application/x-www-form-urlencoded")
        let multipart = "multipart/form-data; boundary=x"
        let obtain = post("token.obtain", json)
        let signed = [("HTTP_AUTHORIZATION", "Token \(token)")] as Fields
        return [
            // Accept, of an answer that is JSON and of one that may be a page.
            .init("accept commas", "HTTP_ACCEPT", who, ","),
            .init("accept ranges", "HTTP_ACCEPT", who, "a/b;q=1,"),
            .init("accept stars", "HTTP_ACCEPT", who, "*/*,"),
            .init("accept parameters", "HTTP_ACCEPT", who, start: "*/*", ";a=b"),
            .init("accept semicolons", "HTTP_ACCEPT", who, ";"),
            .init("accept quotes", "HTTP_ACCEPT", who, start: "*/*;a=", "\""),
            .init("accept spaces", "HTTP_ACCEPT", who, " "),
            .init("accept escapes", "HTTP_ACCEPT", who, start: "application/json;indent=\"", "\\\\", end: "\""),
            .init("accept one range", "HTTP_ACCEPT", who, start: "application/json;indent=", "1"),
            .init("accept capitals", "HTTP_ACCEPT", who, "APPLICATION/JSON;Q=1,"),
            .init("page accept commas", "HTTP_ACCEPT", page, ","),
            .init("page accept ranges", "HTTP_ACCEPT", page, "a/b;q=1,"),
            .init("page accept parameters", "HTTP_ACCEPT", page, ";a=b"),
            // Content-Type.
            .init("type semicolons", "CONTENT_TYPE", post("session.login"), ";"),
            .init("type parameters", "CONTENT_TYPE", post("session.login"), start: "text/html", ";a=b"),
            .init(
                "type quotes",
                "CONTENT_TYPE",
                post("session.login"),
                start: "multipart/form-data;boundary=\"",
                "\\\""
            ),
            .init("type of JSON", "CONTENT_TYPE", post("session.login"), start: "application/json", ";a=b"),
            // Authorization.
            .init("basic letters", "HTTP_AUTHORIZATION", nobody, start: "Basic ", "QUFB"),
            .init("basic Latin-1", "HTTP_AUTHORIZATION", nobody, start: "Basic ", "////"),
            .init("basic noise", "HTTP_AUTHORIZATION", nobody, start: "Basic ", "!"),
            .init("basic padding", "HTTP_AUTHORIZATION", nobody, start: "Basic ", "="),
            .init("token letters", "HTTP_AUTHORIZATION", nobody, start: "Token ", "a"),
            .init("token of ours", "HTTP_AUTHORIZATION", nobody, start: "Token pst_", "a"),
            .init("token bytes", "HTTP_AUTHORIZATION", nobody, start: "Token ", "é"),
            .init("bearer letters", "HTTP_AUTHORIZATION", nobody, start: "Bearer ", "a"),
            .init("bearer dots", "HTTP_AUTHORIZATION", nobody, start: "Bearer ", "."),
            .init("bearer parts", "HTTP_AUTHORIZATION", nobody, start: "Bearer e30.", "AAAA", end: ".AAAA"),
            // [[[[…
            .init("bearer header", "HTTP_AUTHORIZATION", nobody, start: "Bearer ", "W1tb", end: ".e30.AAAA"),
            // {"a":[1,1,1,…
            .init(
                "bearer list",
                "HTTP_AUTHORIZATION",
                nobody,
                start: "Bearer eyJhIjpb",
                "MSwxLDEs",
                end: "MV19.e30.AAAA"
            ),
            .init("words", "HTTP_AUTHORIZATION", nobody, "a "),
            .init("spaces", "HTTP_AUTHORIZATION", nobody, " "),
            // Cookies.
            .init("cookie pairs", "HTTP_COOKIE", nobody, "a=b;"),
            .init("cookie semicolons", "HTTP_COOKIE", nobody, ";"),
            .init("cookie names", "HTTP_COOKIE", nobody, "sessionid=;"),
            .init("cookie spaces", "HTTP_COOKIE", nobody, start: "sessionid=", " "),
            .init("cookie of a page", "HTTP_COOKIE", page, "csrftoken=;"),
            .init("cookie value", "HTTP_COOKIE", page, start: "csrftoken=", "a"),
            // The query.
            .init("query pairs", "QUERY_STRING", who, "a=b&"),
            .init("query ampersands", "QUERY_STRING", who, "&"),
            .init("query escapes", "QUERY_STRING", who, start: "format=", "%61"),
            .init("query names", "QUERY_STRING", who, "%66ormat=&"),
            .init("query of a list", "QUERY_STRING", get("groups", signed), "page=1&"),
            .init("query of a search", "QUERY_STRING", get("users", signed), start: "search=", "%41"),
            .init("query of a page", "QUERY_STRING", page, start: "next=/", "%3C"),
            // What is typed into a path, and the rest.
            .init("path", "DOCUMENT_URI", get("tokens.detail", signed), "/a"),
            .init("target", "REQUEST_URI", nobody, "/%2e%2e"),
            .init("method", "REQUEST_METHOD", [("POSTERN_VIEW", "whoami")] + common, "A"),
            .init("origin", "HTTP_ORIGIN", post("session.login", json), start: "http://", "é"),
            .init("origin scheme", "HTTP_ORIGIN", post("session.login", json), "a"),
            .init("referer", "HTTP_REFERER", post("session.login", form, [("HTTPS", "on")]), start: "https://", "a"),
            .init(
                "referer path",
                "HTTP_REFERER",
                post("session.login", form, [("HTTPS", "on")]),
                start: "https://a/",
                "é"
            ),
            .init(
                "token against forgery",
                "HTTP_X_CSRFTOKEN",
                post("session.login", form, [("HTTP_COOKIE", "csrftoken=abcdefghijklmnopqrstuvwxyzabcdef")]),
                "a"
            ),
            .init("fetch site", "HTTP_SEC_FETCH_SITE", post("session.login", json), "a"),
            // Bodies.
            .init("JSON text", "body", obtain, start: "{\"username\":\"", "a", end: "\"}"),
            .init("JSON escapes", "body", obtain, start: "{\"username\":\"", "\\u0061", end: "\"}"),
            .init("JSON short escapes", "body", obtain, start: "{\"username\":\"", "\\n", end: "\"}"),
            .init("JSON surrogates", "body", obtain, start: "{\"username\":\"", "\\ud83d\\ude00", end: "\"}"),
            .init("JSON halves of pairs", "body", obtain, start: "{\"username\":\"", "\\ud83d", end: "\"}"),
            .init("JSON text after an escape", "body", obtain, start: "{\"username\":\"\\n", "a", end: "\"}"),
            .init("JSON escapes and bytes", "body", obtain, start: "{\"username\":\"", "\\né", end: "\"}"),
            .init("JSON bytes after an escape", "body", obtain, start: "{\"username\":\"\\n", "é", end: "\"}"),
            .init("JSON bytes", "body", obtain, start: "{\"username\":\"", "é", end: "\"}"),
            .init("JSON letters and bytes", "body", obtain, start: "{\"username\":\"", "aé", end: "\"}"),
            .init("JSON bytes unread", "body", obtain, start: "{\"a\":\"", "中", end: "\"}"),
            .init("JSON bad bytes", "body", obtain, start: "{\"username\":\"", "é", end: "\u{1}\"}"),
            .init("JSON spaces", "body", obtain, " ", end: "{}"),
            .init("JSON mixed spaces", "body", obtain, " \n", end: "{}"),
            .init("JSON lines", "body", obtain, "\n", end: "x"),
            .init("JSON numbers", "body", obtain, start: "{\"a\":[", "1,", end: "1]}"),
            .init("JSON decimals", "body", obtain, start: "{\"a\":[", "1.5e3,", end: "1]}"),
            .init("JSON texts", "body", obtain, start: "{\"a\":[", "\"\",", end: "1]}"),
            .init(
                "JSON long texts",
                "body",
                obtain,
                start: "{\"a\":[",
                "\"\\n\(String(repeating: "a", count: 75))\",",
                end: "1]}"
            ),
            .init("JSON digits", "body", obtain, start: "{\"username\":", "1", end: "}"),
            .init("JSON fraction", "body", obtain, start: "{\"username\":1.", "1", end: "}"),
            .init("JSON lists", "body", obtain, start: "{\"a\":[", "[1],", end: "1]}"),
            .init("JSON empty lists", "body", obtain, start: "{\"a\":[", "[],", end: "1]}"),
            .init("JSON objects", "body", obtain, start: "{\"a\":[", "{\"a\":1},", end: "1]}"),
            .init("JSON depth", "body", obtain, "["),
            .init("JSON deep lists", "body", obtain, start: "{\"a\":[", "[[[[[[[[]]]]]]]],", end: "1]}"),
            .init("JSON names", "body", obtain, start: "{", "\"\":1,", end: "\"a\":1}"),
            .init(
                "JSON other names",
                "body",
                obtain,
                start: "{",
                "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1,\"r\":1,\"s\":1,\"t\":1,",
                end: "\"a\":1}"
            ),
            .init("JSON words", "body", obtain, start: "{\"a\":[", "null,", end: "1]}"),
            .init(
                "JSON of a list",
                "body",
                post("groups", json, signed),
                start: "{\"name\":\"g\",\"permissions\":[",
                "\"a.b\",",
                end: "1]}"
            ),
            .init("form pairs", "body", post("token.obtain", form), "a=b&"),
            .init("form ampersands", "body", post("token.obtain", form), "&"),
            .init("form escapes", "body", post("token.obtain", form), start: "username=", "%61"),
            .init("form Latin-1", "body", post("token.obtain", form), start: "username=\u{85}", "+"),
            .init("form pluses", "body", post("token.obtain", form), start: "username=", "+"),
            .init("form pluses and letters", "body", post("token.obtain", form), start: "username=", "é+"),
            .init("form escapes and letters", "body", post("token.obtain", form), start: "username=", "é%C3%A9"),
            .init("form bad bytes", "body", post("token.obtain", form), start: "username=", "%FF"),
            .init("form cut off letters", "body", post("token.obtain", form), start: "username=", "%E0"),
            .init("form bytes unread", "body", post("token.obtain", form), start: "a=", "é"),
            .init(
                "form of another charset",
                "body",
                post("token.obtain", form + ";charset=latin-1"),
                start: "username=",
                "é+"
            ),
            .init("form few pairs", "body", post("token.obtain", form), String(repeating: "a", count: 150) + "&"),
            .init("form of a page", "body", post("session.login", form), start: "username=", "%3C"),
            .init(
                "multipart parts",
                "body",
                post("token.obtain", multipart),
                "--x\r\nContent-Disposition: form-data;name=a\r\n\r\n\r\n"
            ),
            .init(
                "multipart long parts",
                "body",
                post("token.obtain", multipart),
                "--x\r\nContent-Disposition: form-data;name=a\r\n\r\n\(String(repeating: "a", count: 105))\r\n"
            ),
            .init(
                "multipart letters",
                "body",
                post("token.obtain", multipart),
                start: "--x\nContent-Disposition:form-data;name=username\n\n",
                "é"
            ),
            .init("multipart hyphens", "body", post("token.obtain", multipart), start: "--x\r\n\n", "\n-"),
            .init("multipart lines", "body", post("token.obtain", multipart), start: "--x\r\n", "\n"),
            .init("multipart delimiters", "body", post("token.obtain", multipart), "--x\n"),
            .init(
                "multipart header",
                "body",
                post("token.obtain", multipart),
                start: "--x\n",
                "Content-Disposition:form-data;name=a\n"
            ),
            .init(
                "multipart long header",
                "body",
                post("token.obtain", multipart),
                start: "--x\nContent-Disposition:form-data",
                ";a=b"
            ),
            .init(
                "JSON name of a user",
                "body",
                post("users", json, signed),
                start: "{\"username\":\"",
                "é",
                end: "\"}"
            ),
            .init(
                "JSON user",
                "body",
                post("users", json, signed),
                start: "{",
                "\"is_staff\":\"\(String(repeating: "a", count: 50))\",",
                end: "\"a\":1}"
            ),
            .init(
                "form user",
                "body",
                post("users", form, signed),
                String(repeating: "a", count: 60) + "=&"
            ),
            .init("introspection", "body", post("oauth.introspect", form, signed), start: "token=", "%61"),
            .init("revocation", "body", post("oauth.revoke", form, signed), start: "token=", "a"),
            .init("verification", "body", post("jwt.verify", json), start: "{\"token\":\"", "a", end: "\"}"),
            .init("other type", "body", post("token.obtain", "text/plain"), "a"),
        ]
    }
}
