import FastCGI
import Foundation
import Journal
import Testing

@testable import Postern

/// Who is gone is nobody, wherever somebody asks: ways to end what a user has, by places that ask for it.
@Suite("Who is gone is nobody, everywhere")
struct StandingTests {
    private let site: InProcessSite
    private let issuer: Issuer
    private let credentials: Credentials

    /// One of each kind, all of ann.
    private struct Credentials {
        let token, access, refresh, session, foreign, projectAccess, projectRefresh: String
    }

    init() throws {
        site = try InProcessSite()
        issuer = try Issuer(site)
        let ann = try site.user("ann")
        let project = try site.store.importKey(Array(String(repeating: "s", count: 40).utf8)).key
        let pair = site.pair()
        func projectToken(_ kind: String) throws -> String {
            let now = Timestamp.now().seconds
            return try signed(
                [
                    ("token_type", .string(kind)), ("exp", .integer(now + 600)), ("iat", .integer(now - 5)),
                    ("jti", .string("project \(kind)")), ("user_id", .integer(ann.id)),
                ],
                by: project,
                namesKey: false
            )
        }
        credentials = Credentials(
            token: try site.accounts.issueToken(for: ann).1.text,
            access: pair.access,
            refresh: pair.refresh,
            session: try #require(site.ask("session.login", body: InProcessSite.login("ann")).cookies["sessionid"]),
            foreign: try issuer.token(),
            projectAccess: try projectToken("access"),
            projectRefresh: try projectToken("refresh")
        )
    }

    // MARK: Ways to end

    struct Way: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// Whether the password that ann had opens an account of this name.
        var passwordStands = false
        /// Whether the name that another issuer gives is that of somebody.
        var nameStands = false
        let end: @Sendable (InProcessSite) throws -> Void
    }

    private static let ways = [
        Way(testDescription: "deleted") { try $0.store.deleteUser($0.user("ann").id) },
        Way(testDescription: "deleted over HTTP") {
            let answer = $0.ask(
                "users.detail",
                method: "DELETE",
                headers: basic("stella"),
                more: [("DOCUMENT_URI", "/api/users/\(try $0.user("ann").id)/")]
            )
            #expect(answer.status == 204)
        },
        Way(testDescription: "deleted, and another one has the name", passwordStands: true, nameStands: true) {
            try $0.store.deleteUser($0.user("ann").id)
            try $0.addUser("ann")
        },
        Way(testDescription: "deleted by another process") {
            try $0.temporary.reopened().deleteUser($0.user("ann").id)
        },
        Way(testDescription: "disabled") { try $0.store.setActive($0.user("ann").id, false) },
        Way(testDescription: "disabled over HTTP") {
            let answer = $0.ask(
                "users.detail",
                method: "PATCH",
                headers: basic("stella"),
                body: #"{"is_active":false}"#,
                more: [("DOCUMENT_URI", "/api/users/\(try $0.user("ann").id)/")]
            )
            #expect(answer.status == 200)
        },
        Way(testDescription: "disabled and enabled again", passwordStands: true) {
            try $0.store.setActive($0.user("ann").id, false)
            try $0.store.setActive($0.user("ann").id, true)
        },
        Way(testDescription: "another password") {
            try $0.accounts.setPassword(of: $0.user("ann"), to: Array("another horse battery staple".utf8))
        },
        Way(testDescription: "all revoked", passwordStands: true) { try $0.store.revokeAll(of: $0.user("ann").id) },
        Way(testDescription: "all revoked by another process", passwordStands: true) {
            try $0.temporary.reopened().revokeAll(of: $0.user("ann").id)
        },
        Way(testDescription: "restored with all revoked", passwordStands: true) {
            try $0.store.begin(revokingAll: true)
        },
        Way(testDescription: "all revoked, and the journals compacted", passwordStands: true) {
            try $0.store.revokeAll(of: $0.user("ann").id)
            _ = try $0.store.compact()
        },
    ]

    // MARK: Places to ask

    /// What a place goes by.
    private enum Kind { case own, password, name }

    private typealias Place = (name: String, kind: Kind, isOpen: () -> Bool)

    private static func basic(_ name: String) -> [String: String] {
        ["AUTHORIZATION": "Basic " + Base64.encode(Array("\(name):\(InProcessSite.password)".utf8))]
    }

    private func places() -> [Place] {
        let foreign = issuer.location()
        let headers: [(String, Kind, [String: String], [String: String])] = [
            ("a token", .own, ["AUTHORIZATION": "Token " + credentials.token], [:]),
            ("a token after Bearer", .own, InProcessSite.bearer(credentials.token), [:]),
            ("an access token", .own, InProcessSite.bearer(credentials.access), [:]),
            ("an access token in a cookie", .own, ["COOKIE": "a=" + credentials.access], ["JWT_COOKIE": "a"]),
            ("a session", .own, ["COOKIE": "sessionid=" + credentials.session], [:]),
            ("a token of the project", .own, InProcessSite.bearer(credentials.projectAccess), [:]),
            ("a token of another issuer", .name, InProcessSite.bearer(credentials.foreign), foreign),
            ("Basic", .password, Self.basic("ann"), [:]),
        ]
        var places: [Place] = []
        let site = site
        for (name, kind, headers, location) in headers {
            for view in ["whoami", "message", "gate", "forward-auth"] {
                let more = view == "message" ? ["MESSAGE": "x"] : [:]
                places.append(
                    (
                        "\(view) by \(name)", kind,
                        {
                            let location = location.merging(more) { $1 }
                            let named = view == "forward-auth" ? [("POSTERN_REQUEST_METHOD", "GET")] : []
                            let answer = site.ask(view, location, method: "GET", headers: headers, more: named)
                            return (200..<300).contains(answer.status)
                        }
                    )
                )
            }
            places.append(
                (
                    "whoami for all by \(name)", kind,
                    {
                        let bad = location.merging(["BAD_CREDENTIAL": "ignore"]) { $1 }
                        return site.whoami(headers, bad) != ""
                    }
                )
            )
        }
        let texts = [
            ("a token", Kind.own, credentials.token), ("an access token", .own, credentials.access),
            ("a refresh token", .own, credentials.refresh), ("a project's token", .own, credentials.projectAccess),
            ("a project's refresh token", .own, credentials.projectRefresh),
            ("another issuer's token", .name, credentials.foreign),
        ]
        for (name, kind, text) in texts {
            let location = kind == .name ? foreign : [:]
            places.append(
                (
                    "introspection of \(name)", kind,
                    {
                        let type = "application/x-www-form-urlencoded"
                        let body = "token=" + text
                        let stella = Self.basic("stella")
                        let answer = site.ask("oauth.introspect", location, headers: stella, body: body, type: type)
                        return answer.body.contains(#""active":true"#)
                    }
                )
            )
            guard text != credentials.token else { continue }
            places.append(
                (
                    "jwt.verify of \(name)", kind,
                    { site.ask("jwt.verify", location, body: #"{"token":"\#(text)"}"#).status == 200 }
                )
            )
        }
        for text in [credentials.refresh, credentials.projectRefresh] {
            places.append(
                (
                    "jwt.refresh", .own,
                    { site.ask("jwt.refresh", ["JWT_ROTATE": "off"], body: #"{"refresh":"\#(text)"}"#).status == 200 }
                )
            )
        }
        for view in ["token.obtain", "jwt.obtain", "session.login"] {
            places.append((view, .password, { site.ask(view, body: InProcessSite.login("ann")).status == 200 }))
        }
        return places
    }

    @Test("However somebody is ended, nothing of theirs opens anything", arguments: ways)
    func table(way: Way) throws {
        let places = places()
        for place in places { #expect(place.isOpen(), "before: \(place.name)") }
        // Once more: what is remembered of a good credential is remembered then. A login remembers nothing.
        for place in places where !place.name.hasSuffix("obtain") && !place.name.hasSuffix("login") {
            #expect(place.isOpen(), "remembered: \(place.name)")
        }
        try way.end(site)
        for place in places {
            let stands =
                switch place.kind {
                case .own: false
                case .password: way.passwordStands
                case .name: way.nameStands
                }
            #expect(place.isOpen() == stands, "\(way.testDescription): \(place.name)")
        }
    }

    @Test("What ends nothing ends nothing: a right that is given, a better hash")
    func lasting() throws {
        let ann = try site.user("ann")
        try site.store.grant(ann.id, staff: true)
        try site.store.setActive(ann.id, true)
        let hash = try #require(ann.passwordHash)
        let better = try site.accounts.hash(Array(InProcessSite.password.utf8), for: ann.username)
        try site.store.replaceHash(of: ann.id, hash, by: better)
        _ = try site.store.compact()
        for place in places() { #expect(place.isOpen(), "\(place.name)") }
    }

    @Test("A right that is taken away is gone at the next request, whatever the credential")
    func demoted() throws {
        let ann = try site.user("ann")
        try site.store.grant(ann.id, staff: true)
        let staff = issuer.location(["PERMISSION": "IsAdminUser", "JWT_COOKIE": "a"])
        let all = [
            ["AUTHORIZATION": "Token " + credentials.token], InProcessSite.bearer(credentials.access),
            Self.basic("ann"),
            ["COOKIE": "sessionid=" + credentials.session], InProcessSite.bearer(credentials.projectAccess),
            InProcessSite.bearer(credentials.foreign), ["COOKIE": "a=" + credentials.access],
        ]
        // The audience is not in tokens of our own here.
        let own = ["PERMISSION": "IsAdminUser", "JWT_COOKIE": "a"]
        func status(_ headers: [String: String], _ view: String) -> Int {
            let location = headers == InProcessSite.bearer(credentials.foreign) ? staff : own
            return site.ask(view, location, method: "GET", headers: headers).status
        }
        for headers in all { for view in ["whoami", "gate"] { #expect(status(headers, view) / 100 == 2) } }
        try site.temporary.reopened().grant(ann.id, staff: false)
        for headers in all { for view in ["whoami", "gate"] { #expect(status(headers, view) == 403) } }
    }

    @Test("A name that somebody had opens nothing; what goes by the id goes on")
    func renamed() throws {
        try site.store.grant(site.user("stella").id, superuser: true)
        for place in places() { #expect(place.isOpen(), "\(place.name)") }
        let answer = site.ask(
            "users.detail",
            method: "PATCH",
            headers: Self.basic("stella"),
            body: #"{"username":"anna"}"#,
            more: [("DOCUMENT_URI", "/api/users/\(try site.user("ann").id)/")]
        )
        #expect(answer.status == 200)
        for place in places() { #expect(place.isOpen() == (place.kind == .own), "\(place.name)") }
        #expect(site.whoami(InProcessSite.bearer(credentials.access)) == "anna")
    }

    @Test(
        "Whether a user has come by an import or not, a token that does not say when it was issued ends with an epoch"
    )
    func withoutTime() throws {
        let path = site.temporary.path + "-dump.json"
        let dump = #"{"model":"auth.user","pk":70,"fields":{"username":"imp","password":"!","is_active":true}}"#
        try makePrivateFile(path, Array(dump.utf8))
        _ = try site.store.importDjango(try ImportFile(path))
        let project = try #require(try site.store.keyRing().keys.first(where: \.isImported)).key
        let now = Timestamp.now().seconds
        for id in [70, try site.user("ann").id] {
            let user = try #require(try site.store.user(id))
            let name = user.username.description
            func token(_ issued: Int64?) throws -> String {
                var claims: [(name: String, value: JSONValue)] = [
                    ("token_type", .string("access")), ("exp", .integer(now + 600)),
                    ("jti", .string("\(name) \(issued ?? 0)")),
                    ("user_id", .integer(id)),
                ]
                if let issued { claims.append(("iat", .integer(issued))) }
                return try signed(claims, by: project, namesKey: false)
            }
            for issued in [nil, 1, now - 5] { #expect(site.whoami(InProcessSite.bearer(try token(issued))) == name) }
            #expect(
                site.whoami(
                    InProcessSite.bearer(try issuer.token(["sub": .string(name), "iat": nil])),
                    issuer.location()
                )
                    == name
            )
            try site.store.revokeAll(of: id)
            for issued in [nil, 1, now - 5] { #expect(site.whoami(InProcessSite.bearer(try token(issued))) == "") }
            #expect(
                site.whoami(
                    InProcessSite.bearer(try issuer.token(["sub": .string(name), "iat": nil])),
                    issuer.location()
                ) == ""
            )
            _ = try site.store.compact()
            #expect(site.whoami(InProcessSite.bearer(try token(nil))) == "")
        }
    }

    @Test("A signed identity of the gate opens nothing, and is not said to be good")
    func identity() throws {
        try site.store.generateKey(.edDSA)
        let location = ["IDENTITY_AUDIENCE": "https://app.example"]
        let token = ["AUTHORIZATION": "Token " + credentials.token]
        let answer = site.ask("gate", location, method: "GET", headers: token)
        let identity = try #require(answer.values("X-Postern-Identity").first)
        for location in [[:], ["JWT_AUDIENCE": "https://app.example"]] {
            let verdict = site.ask("jwt.verify", location, body: #"{"token":"\#(identity)"}"#)
            #expect(verdict.status == 401)
            #expect(verdict["code"] == "token_not_valid")
            for view in ["jwt.refresh", "jwt.blacklist"] {
                #expect(site.ask(view, location, body: #"{"refresh":"\#(identity)"}"#).status == 401)
            }
            #expect(site.ask("whoami", location, method: "GET", headers: InProcessSite.bearer(identity)).status == 401)
        }
    }

    @Test(
        "jwt.verify calls no token good that opens nothing: of another kind, without a kind, of nobody",
        arguments: ["identity", "sliding", "ACCESS", "", nil]
    )
    func kinds(kind: String?) throws {
        let now = Timestamp.now().seconds
        for key in try site.store.keyRing().keys.map(\.key) {
            var claims: [(name: String, value: JSONValue)] = [
                ("exp", .integer(now + 600)), ("jti", .string("k")), ("user_id", .integer(try site.user("ann").id)),
            ]
            if let kind { claims.append(("token_type", .string(kind))) }
            let token = try signed(claims, by: key)
            #expect(site.ask("jwt.verify", body: #"{"token":"\#(token)"}"#).status == 401)
            let nobody = try signed(
                [("exp", .integer(now + 600)), ("jti", .string("k")), ("token_type", .string("access"))],
                by: key
            )
            #expect(site.ask("jwt.verify", body: #"{"token":"\#(nobody)"}"#).status == 401)
        }
    }
}
