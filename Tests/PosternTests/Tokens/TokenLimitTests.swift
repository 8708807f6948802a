import Journal
import Testing

@testable import Postern

@Suite("Tokens that are good for less than their user may do")
struct TokenLimitTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private func token(
        scopes: [String] = [],
        methods: [String] = [],
        paths: [String] = [],
        networks: [String] = []
    ) throws -> String {
        let limits = try TokenLimits(scopes: scopes, methods: methods, paths: paths, networks: networks)
        return try site.accounts.issueToken(for: try site.user("ann"), limits: limits).1.text
    }

    private func status(
        _ token: String,
        method: String = "GET",
        path: String = "/",
        address: String = "127.0.0.1",
        view: String = "message",
        permission: String = "AllowAny"
    ) -> Int {
        site.ask(
            view,
            [
                "MESSAGE": "x", "METHODS": "GET POST PUT PATCH DELETE", "PERMISSION": permission,
                "REQUIRE_HTTPS": "off",
            ],
            method: method,
            headers: ["AUTHORIZATION": "Token " + token],
            more: [("DOCUMENT_URI", path)],
            address: address
        ).status
    }

    @Test("Methods: the named ones, HEAD where there is GET, and nothing else, also where everybody may")
    func methods() throws {
        let token = try token(methods: ["GET", "DELETE"])
        for (method, expected) in [
            ("GET", 200), ("HEAD", 200), ("DELETE", 200), ("POST", 403), ("PUT", 403), ("OPTIONS", 403),
            ("PROPFIND", 403), ("get", 403),
        ] {
            #expect(status(token, method: method) == expected, "\(method)")
        }
    }

    @Test(
        "Paths: a whole segment and what is below it",
        arguments: [
            ("/a/b", 200), ("/a/b/", 200), ("/a/b/c", 200), ("/a/bc", 403), ("/a/", 403), ("/", 403), ("", 403),
            ("/A/b", 403), ("/x/y", 403), ("/x/y/", 200), ("/x/y/z", 200),
            // What an upstream may read as another path.
            ("/a/b/..;/c", 403), ("/a/b/%2e%2e/c", 403), (#"/a/b\..\c"#, 403), ("/a/b/../c", 403), ("/a/b//c", 403),
            ("/a/b/./c", 403), ("/a/b/..", 403), ("/a/b/\u{1}", 403), ("a/b", 403),
        ]
    )
    func paths(path: String, expected: Int) throws {
        #expect(status(try token(paths: ["/a/b", "/x/y/"]), path: path) == expected)
    }

    @Test(
        "Networks: the client's address lies in one of them",
        arguments: [
            ("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("11.1.2.3", 403), ("2001:db8:1::9", 200),
            ("2001:db9::1", 403), ("192.0.2.7", 200), ("192.0.2.8", 403), ("", 403), ("unix:", 403), ("10.1.2", 403),
        ]
    )
    func networks(address: String, expected: Int) throws {
        let token = try token(networks: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"])
        #expect(status(token, address: address) == expected)
    }

    @Test("A superuser's token is good for no more than it says, and what a client says of its address is not believed")
    func superuser() throws {
        let root = try site.addUser("root", isStaff: true)
        try site.store.grant(root.id, superuser: true)
        let limits = try TokenLimits(scopes: [], methods: ["GET"], paths: ["/a/"], networks: ["10.0.0.0/8"])
        let token = try site.accounts.issueToken(for: try site.user("root"), limits: limits).1.text
        #expect(status(token, path: "/a/b", address: "10.1.1.1", permission: "IsSuperuser") == 200)
        #expect(status(token, method: "POST", path: "/a/b", address: "10.1.1.1", permission: "IsSuperuser") == 403)
        #expect(status(token, path: "/b", address: "10.1.1.1", permission: "IsSuperuser") == 403)
        #expect(status(token, path: "/a/b", address: "192.0.2.1", permission: "IsSuperuser") == 403)
        let forged = site.ask(
            "message",
            ["MESSAGE": "x", "REQUIRE_HTTPS": "off"],
            method: "GET",
            headers: ["AUTHORIZATION": "Token " + token, "X_FORWARDED_FOR": "10.1.1.1", "FORWARDED": "for=10.1.1.1"],
            more: [("DOCUMENT_URI", "/a/b")],
            address: "192.0.2.1"
        )
        #expect(forged.status == 403)
    }

    @Test(
        "It hands out no credential and ends none",
        arguments: ["tokens", "tokens.detail", "token.login", "token.logoutall", "password"]
    )
    func credentials(view: String) throws {
        let limited = try token(scopes: ["read"])
        for method in ["GET", "POST", "DELETE"] { #expect(status(limited, method: method, view: view) == 403) }
        #expect(status(limited, view: "whoami") == 200)
        let whole = try site.accounts.issueToken(for: try site.user("ann")).1.text
        #expect(status(whole, method: "OPTIONS", view: view) == 200)
    }

    @Test("They are as they were when the store is opened again")
    func reopened() throws {
        let limits = try TokenLimits(
            scopes: ["read", "a:b"],
            methods: ["GET"],
            paths: ["/a/ü/"],
            networks: ["10.0.0.0/8", "::1"]
        )
        let renewed = try site.accounts.issueToken(
            for: try site.user("ann"),
            expires: site.store.now().adding(seconds: 60),
            renewal: 60,
            limits: limits
        ).0
        let plain = try site.accounts.issueToken(for: try site.user("ann")).0
        let store = try site.temporary.reopened()
        #expect(try store.token(renewed.digest) == renewed)
        #expect(try store.token(renewed.digest)?.limits == limits)
        #expect(try store.token(plain.digest)?.limits == nil)
    }

    @Test("One's own tokens are limited over HTTP, as lists or as words")
    func overHTTP() throws {
        let whole = ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: try site.user("ann")).1.text)]
        let body = #"{"scopes":["read"],"methods":"GET HEAD","paths":["/a/"],"networks":["10.0.0.0/8","::1"]}"#
        let answer = site.ask("tokens", headers: whole, body: body)
        #expect(answer.status == 201)
        #expect(answer.body.contains(#""scopes":["read"],"methods":["GET","HEAD"],"paths":["/a/"]"#))
        #expect(status(answer["token"], path: "/a/x", address: "::1") == 200)
        #expect(status(answer["token"], method: "POST", path: "/a/x", address: "::1") == 403)
        for bad in [
            #"{"paths":["x"]}"#, #"{"methods":["a b"]}"#, #"{"networks":["10.0.0.1/8"]}"#, #"{"scopes":1}"#,
            #"{"scopes":[1]}"#,
        ] {
            #expect(site.ask("tokens", headers: whole, body: bad).status == 400, "\(bad)")
        }
    }

    @Test(
        "Limits that make no sense are refused",
        arguments: ["10.0.0.1/8", "10.0.0.0/33", "::/129", "x", "", "10.0.0.0/", "10.0.0.0/08", "1.2.3"]
    )
    func badNetworks(text: String) {
        #expect(throws: TokenLimitError.network(text)) { try TokenLimits(networks: [text]) }
    }

    @Test(
        "Paths that a web server never routes by are refused",
        arguments: ["", "a", "//", "/a//b", "/a/../b", "/.", "/a b", "/a?b"]
    )
    func badPaths(text: String) {
        #expect(throws: TokenLimitError.path(text)) { try TokenLimits(paths: [text]) }
    }

    @Test(
        "A request target has one canonical form, or none",
        arguments: [
            ("/a/b", "/a/b"), ("/a//b/", "/a/b/"), ("/a/./b/.", "/a/b/"), ("/a/x/../b", "/a/b"), ("/a/b/..", "/a/"),
            ("/%61/b?c=/x", "/a/b"), ("/a#b", "/a"), ("/a%2fb", "/a/b"), ("/a/%2e%2e/b", "/b"), ("/", "/"), ("//", "/"),
            ("/..", nil), ("/a/../../b", nil), ("/%", nil), ("/%0", nil), ("/%zz", nil), ("/%00", nil), ("", nil),
            ("*", nil), ("http://h/a", nil), ("a", nil),
        ] as [(String, String?)]
    )
    func canonical(target: String, expected: String?) {
        let path = JudgedPath.canonical(Array(target.utf8)[...])
        #expect(path.map { String(decoding: $0, as: UTF8.self) } == expected)
    }
}
