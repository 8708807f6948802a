import Foundation
import Testing

/// Every permission for every method and every kind of user, and throttles request by request: computed by Django REST
/// Framework itself (Peer/drf.py), and asked of Postern behind real web servers.
@Suite("Permissions and throttles as Django REST Framework computes them")
struct PermissionTableTests {
    /// As Postern writes them, which is as Python does.
    private static let expressions = [
        "AllowAny", "IsAuthenticated", "IsAdminUser", "IsAuthenticatedOrReadOnly", "ModelPermissions",
        "ModelPermissionsOrAnonReadOnly", "IsSuperuser", "ReadOnly", "DenyAll", "InGroup('ops')", "InGroup('nobodys')",
        "HasPermission('shop.change_thing')", "HasPermission('shop.delete_thing')", "ReadOnly | IsAdminUser",
        "IsAuthenticated & ~IsAdminUser", "~IsAuthenticated", "ModelPermissions | ReadOnly", "~ModelPermissions",
        "InGroup('ops') & HasPermission('shop.change_thing')", "~(IsAdminUser | ReadOnly) & IsAuthenticated",
        "IsAdminUser | IsSuperuser & ~ReadOnly",
    ]
    private static let methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]

    private struct Case: Encodable {
        let rates: [[String]]
        let permission: String
        let steps: [[String]]

        /// - Parameter steps: Personas and methods, as `nobody GET`.
        init(_ throttle: String, permission: String = "AllowAny", _ steps: [String]) {
            rates = throttle.split(separator: " ").map { $0.split(separator: "=").map(String.init) }
            self.permission = permission
            self.steps = steps.map { $0.split(separator: " ").map(String.init) }
        }

        var throttle: String { rates.map { $0.joined(separator: "=") }.joined(separator: " ") }
    }

    /// Users count together where scope and rate are the same, so each case has rates of its own.
    private static let throttles: [Case] = [
        Case(
            "anon=2/min",
            ["nobody GET", "nobody GET", "nobody GET", "user GET", "user GET", "user GET", "nobody POST"]
        ),
        Case("user=3/min", ["user GET", "user GET", "staff GET", "user GET", "user GET", "staff GET", "nobody GET"]),
        Case("user=2/hour", ["nobody GET", "nobody GET", "nobody GET", "user GET"]),
        Case(
            "anon=2/day user=4/min",
            ["nobody GET", "nobody GET", "nobody GET", "user GET", "user GET", "user GET", "user GET", "user GET"]
        ),
        Case("user=5/min scope:burst=3/day", ["user GET", "user GET", "user GET", "user GET", "user GET"]),
        Case("anon=3/min", ["nobody PROPFIND", "nobody OPTIONS", "nobody HEAD", "nobody GET"]),
        Case(
            "user=6/min",
            permission: "IsAdminUser",
            ["user GET", "user GET", "nobody GET", "inactive GET", "staff GET", "staff GET"]
        ),
        Case("anon=1/min", permission: "IsAuthenticated", ["nobody GET", "nobody GET", "user GET"]),
        Case("user=1/min", ["user DELETE", "user GET", "user OPTIONS", "user PROPFIND"]),
        Case("user=0/min", ["user GET", "nobody GET"]),
        Case("user=7/s", ["user GET"]), Case("user=15/min", Array(repeating: "member GET", count: 17)),
    ]

    private struct Answer: Decodable {
        let status: Int
        let challenge: String?
        let allow: String?
        let retryAfter: String?
        let body: String
    }

    private struct Answers: Decodable {
        let permissions: [String: [String: [String: Answer]]]
        let throttles: [[Answer]]
    }

    private static func askDRF() throws -> Answers {
        struct Questions: Encodable {
            struct Table: Encodable {
                let expressions: [String]
                let methods: [String]
            }
            let permissions: Table
            let throttles: [Case]
        }
        let questions = Questions(permissions: .init(expressions: expressions, methods: methods), throttles: throttles)
        let result = try Child.run(
            try PythonEnvironment.python.get(),
            [Site.sources + "/Tests/IntegrationTests/Serving/Peer/drf.py"],
            input: String(decoding: try JSONEncoder().encode(questions), as: UTF8.self)
        )
        try result.expectSuccess()
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Answers.self, from: Data(result.output.utf8))
    }

    private static func message(_ path: String, _ permission: String, _ more: [(name: String, value: String)] = [])
        -> Site.Location
    {
        (
            path,
            [
                ("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "x"), ("POSTERN_METHODS", "GET POST PUT PATCH DELETE"),
                ("POSTERN_AUTHENTICATION", "Token"), ("POSTERN_MODEL", "shop.thing"),
                ("POSTERN_PERMISSION", permission),
            ] + more
        )
    }

    private static func site(_ locations: [Site.Location]) throws -> Site {
        let site = try Site(users: false, more: locations)
        for (name, flags) in [
            ("inactive", []), ("user", []), ("staff", ["--staff"]), ("superuser", ["--superuser"]), ("member", []),
            ("direct", []),
        ] { try site.addUser(name, flags) }
        for command in [
            ["user", "grant", "inactive"] + ["--staff"], ["user", "disable", "inactive"],
            ["group", "set", "ops", "--permission", "shop.add_thing", "--permission", "shop.change_thing"],
            ["user", "grant", "member", "--group", "ops"],
            ["user", "grant", "direct", "--permission", "shop.delete_thing"],
        ] { try site.postern(command).expectSuccess() }
        return site
    }

    @Test("Every permission, every method, every kind of user")
    func table() throws {
        let expected = try Self.askDRF()
        let locations = Self.expressions.enumerated().map { Self.message("/t\($0.offset)/", $0.element) }
        let scope = Self.message("/scope/", "HasScope('read')")
        let site = try Self.site(locations + [scope])
        let scoped = try site.token(["user", "--scope", "read"])
        var count = 0
        for (number, text) in Self.expressions.enumerated() {
            for method in Self.methods {
                for (name, answer) in try #require(expected.permissions[text]?[method]) {
                    let token = name == "scoped" ? scoped : site.tokens[name]
                    let fields = token.map { [("Authorization", "Token " + $0)] } ?? []
                    for port in [site.nginxPort, site.lighttpdPort] {
                        let ours = try HTTP.exchange(port, HTTP.request(method, "/t\(number)/", fields))
                        let comment: Comment = "\(text) \(method) \(name)"
                        #expect(ours.status == answer.status, comment)
                        #expect(ours.field("WWW-Authenticate") == answer.challenge, comment)
                        #expect(ours.field("Allow") == answer.allow, comment)
                        if !answer.body.isEmpty { #expect(ours.text == answer.body, comment) }
                        count += 1
                    }
                }
            }
        }
        #expect(count == Self.expressions.count * Self.methods.count * 8 * 2)
        // DRF has no scopes: they are the token's alone.
        for (name, token) in site.tokens.merging(["scoped": scoped], uniquingKeysWith: { $1 }) {
            let ours = try HTTP.exchange(
                site.nginxPort,
                HTTP.request("GET", "/scope/", [("Authorization", "Token " + token)])
            )
            #expect(ours.status == (name == "scoped" ? 200 : name == "inactive" ? 401 : 403), "\(name)")
        }
    }

    @Test("Throttles, request by request")
    func throttles() throws {
        let expected = try Self.askDRF()
        let locations = Self.throttles.enumerated().map { number, one in
            Self.message("/r\(number)/", one.permission, [("POSTERN_THROTTLE", one.throttle)])
        }
        let site = try Self.site(locations)
        for (number, (one, answers)) in zip(Self.throttles, expected.throttles).enumerated() {
            for (step, answer) in zip(one.steps, answers) {
                let fields = site.tokens[step[0]].map { [("Authorization", "Token " + $0)] } ?? []
                let request = HTTP.request(step[1], "/r\(number)/", fields)
                let ours = try HTTP.exchange(site.nginxPort, request, fromHost: UInt8(10 + number))
                let comment: Comment = "\(one.throttle) \(step): \(ours.text)"
                #expect(ours.status == answer.status, comment)
                guard answer.status == 429 else { continue }
                let wait = try #require(ours.field("Retry-After").flatMap(Int.init))
                // Ours were asked one after the other later.
                #expect(try abs(wait - #require(answer.retryAfter.flatMap(Int.init))) <= 3, comment)
                guard !answer.body.isEmpty else { continue }
                #expect(
                    ours.text
                        == #"{"detail":"Request was throttled. Expected available in \#(wait) second\#(wait == 1 ? "" : "s")."}"#
                )
                #expect(answer.body.hasPrefix(#"{"detail":"Request was throttled. Expected available in "#))
            }
        }
    }
}
