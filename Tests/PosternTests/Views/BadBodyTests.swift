import Foundation
import Testing

@testable import Postern

@Suite("Bad bodies: every view answers each of them, and says what is wrong")
struct BadBodyTests {
    private let site: InProcessSite
    private let token: [String: String]

    private static let json = "application/json"
    private static let form = "application/x-www-form-urlencoded"

    private static let views = [
        "token.obtain", "token.login", "token.logout", "token.logoutall", "tokens", "jwt.obtain", "jwt.refresh",
        "jwt.verify",
        "jwt.blacklist", "session.login", "session.logout", "oauth.introspect", "oauth.revoke", "password",
    ]

    /// Views that do not read a body, or need none.
    private static let indifferent: Set<String> = ["token.login", "token.logout", "token.logoutall", "session.logout"]

    /// What is not bad for a view: a token needs no fields, and any text may be asked about.
    private static let answered: [String: [String: Int]] = [
        "tokens": [
            "no body": 201, "empty object": 201, "JSON where a form is meant": 201, "doubled keys": 201,
            "multipart without an end": 201,
        ],
        "oauth.introspect": [#"all fields "\u0000""#: 200, #"all fields " ""#: 200],
        "oauth.revoke": [#"all fields "\u0000""#: 200, #"all fields " ""#: 200],
    ]

    private struct Body {
        let name: String
        let bytes: [UInt8]
        let type: String

        init(_ name: String, _ text: String, _ type: String = BadBodyTests.json) {
            self.init(name, Array(text.utf8), type)
        }

        init(_ name: String, _ bytes: [UInt8], _ type: String = BadBodyTests.json) {
            self.name = name
            self.bytes = bytes
            self.type = type
        }
    }

    private static let bodies: [Body] = {
        var bodies = [
            Body("no body", "", ""), Body("empty object", "{}"), Body("array", "[]"), Body("string", "\"x\""),
            Body("number", "1e999"), Body("null", "null"), Body("broken", "{\"a\":"),
            Body("trailing comma", "{\"a\":1,}"),
            Body("form where JSON is meant", "username=a&password=b"), Body("JSON where a form is meant", "{}", form),
            Body("unknown type", "x", "text/plain"), Body("no type", "{}", ""),
            Body("odd type", "{}", "application/\u{1}json"),
            Body("multipart without a boundary", "--b--", "multipart/form-data"),
        ]
        bodies += [
            Body("bomb", String(repeating: "[", count: 30_000) + String(repeating: "]", count: 30_000)),
            Body("objects", String(repeating: "{\"a\":", count: 10_000)),
            Body("megabyte", [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)),
            Body("megabyte of form", [UInt8](repeating: UInt8(ascii: "&"), count: 1 << 20), form),
            Body("not UTF-8", [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x31, 0x7D]), Body("NUL", [0]),
            Body("doubled keys", #"{"username":"a","username":[],"refresh":1,"refresh":null,"token":"x","token":{}}"#),
            Body(
                "multipart without an end",
                "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nx",
                "multipart/form-data; boundary=b"
            ),
        ]
        let names = ["username", "password", "refresh", "token", "old_password", "new_password", "label", "expiry"]
        for value in ["null", "[]", "{}", "true", "1", "1.5", #""""#, #""\u0000""#, #""\ud800""#, #"" ""#] {
            let members = names.map { "\"\($0)\":\(value)" }.joined(separator: ",")
            bodies.append(Body("all fields \(value)", "{\(members)}"))
        }
        return bodies
    }()

    init() throws {
        site = try InProcessSite()
        token = ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: try site.user("stella")).1.text)]
    }

    @Test("4xx, never 500, nothing changed", arguments: views)
    func bodies(view: String) throws {
        for body in Self.bodies {
            let name = body.name
            // Two of the views end the token that they are asked with.
            let fresh = try site.accounts.issueToken(for: try site.user("stella")).1.text
            let headers = view.hasPrefix("jwt") ? [:] : ["AUTHORIZATION": "Token " + fresh]
            let answer = site.ask(view, headers: headers, bytes: body.bytes, type: body.type)
            let allowed = Self.indifferent.contains(view) ? 200..<500 : 400..<500
            if let status = Self.answered[view]?[name] {
                #expect(answer.status == status, "\(view), \(name)")
            } else {
                #expect(allowed.contains(answer.status), "\(view), \(name): \(answer.status) \(answer.body)")
            }
            #expect(
                answer.body.isEmpty || answer.body.hasPrefix("{") || answer.body.hasPrefix("<!DOCTYPE html>"),
                "\(view), \(name)"
            )
        }
        #expect(site.ask("jwt.obtain", body: InProcessSite.login("ann")).status == 200)
    }

    @Test(
        "Nothing is changed by a method that is safe, or by one that the view has not",
        arguments: views + [
            "tokens.detail", "jwt.jwks", "whoami", "health",
        ]
    )
    func safeMethods(view: String) throws {
        let files = ["users", "tokens", "sessions", "revocations"]
        let login = site.ask("session.login", body: InProcessSite.login("ann"))
        let cookie = login.cookies.map { "\($0)=\($1)" }.joined(separator: "; ")
        let before = try files.map { try site.temporary.contents(of: $0) }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "FOO", "PUT", "PATCH"] {
            for headers in [token, ["COOKIE": cookie], [:]] {
                let path = [("DOCUMENT_URI", "/api/tokens/1/"), ("QUERY_STRING", "username=ann&password=x&next=/")]
                let answer = site.ask(
                    view,
                    method: method,
                    headers: headers,
                    body: InProcessSite.login("ann"),
                    more: path
                )
                #expect(answer.status < 500, "\(method) \(view)")
                #expect(answer.cookies["sessionid"] == nil || answer.cookies["sessionid"] == "\"\"")
            }
        }
        #expect(try files.map { try site.temporary.contents(of: $0) } == before)
    }

    @Test("Every view with a method that it has not: 405, with those that it has")
    func methods() {
        for view in Self.views {
            let answer = site.ask(view, ["PERMISSION": "AllowAny"], method: "PATCH", headers: token)
            #expect(answer.status == 405, "\(view)")
            #expect(answer.values("Allow").first?.contains("OPTIONS") ?? false, "\(view)")
        }
    }
}
