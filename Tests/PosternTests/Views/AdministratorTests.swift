import FastCGI
import Foundation
import Testing

@testable import Postern

@Suite("Administration over HTTP: who may do what to whom")
struct AdministratorTests {
    private let site: InProcessSite
    private let root, help: [String: String]

    /// A superuser, `help` of the group ops with the permissions shop.view and, by the group, shop.sell; the group
    /// finance, and its member fin.
    init() throws {
        site = try InProcessSite()
        root = try site.administrator("root")
        help = try site.administrator("help", isSuperuser: false)
        let (ops, finance) = (try GroupName("ops".utf8), try GroupName("finance".utf8))
        try site.store.setGroup(ops, permissions: [try PermissionName("shop.sell".utf8)])
        try site.store.setGroup(finance, permissions: [])
        try site.store.grant(
            try site.user("help").id,
            addingGroups: [ops],
            addingPermissions: [try PermissionName("shop.view".utf8)]
        )
        let fin = try site.store.addUser(try Username("fin".utf8), passwordHash: nil)
        try site.store.grant(fin.id, addingGroups: [finance])
    }

    private func path(_ name: String, _ action: String = "") throws -> String {
        "/api/users/\(try site.user(name).id)/\(action)"
    }

    private func ask(_ method: String, _ path: String, _ body: String = "", by headers: [String: String])
        -> InProcessSite.Answer
    {
        site.administer(method, path, body, headers)
    }

    private static let password = #"{"password":"another horse battery staple"}"#

    @Test("Staff who are no superusers do nothing to superusers")
    func superusers() throws {
        let before = try site.user("root")
        for (method, action, body) in [
            ("PATCH", "", #"{"is_active":false}"#), ("PATCH", "", #"{"username":"r"}"#),
            ("PATCH", "", #"{"is_superuser":false}"#), ("PUT", "", #"{"username":"root"}"#),
            ("PATCH", "", #"{"groups":[]}"#), ("DELETE", "", ""), ("POST", "revoke-all/", ""),
            ("POST", "set-password/", Self.password),
        ] {
            let answer = ask(method, try path("root", action), body, by: help)
            #expect(answer.status == 403, "\(method) \(action) \(body): \(answer.body)")
            #expect(answer["detail"] == "Only a superuser may change a superuser.")
        }
        #expect(try site.user("root") == before)
        #expect(ask("GET", try path("root"), by: help).status == 200)
    }

    @Test("They give nothing that they do not have, to nobody")
    func gifts() throws {
        for name in ["ann", "help"] {
            for (body, isAllowed) in [
                (#"{"is_superuser":true}"#, false), (#"{"groups":["finance"]}"#, false),
                (#"{"groups":["finance","ops"]}"#, false),
                (#"{"user_permissions":["shop.view","shop.delete"]}"#, false),
                (#"{"groups":["ops"],"user_permissions":["shop.view","shop.sell"]}"#, true),
                (#"{"is_staff":true}"#, true),
            ] {
                let before = try site.user(name)
                let answer = ask("PATCH", try path(name), body, by: help)
                #expect(answer.status == (isAllowed ? 200 : 403), "\(name) \(body): \(answer.body)")
                if !isAllowed { #expect(try site.user(name) == before) }
            }
        }
        for more in [#""is_superuser":true"#, #""groups":["finance"]"#, #""user_permissions":["shop.delete"]"#] {
            #expect(ask("POST", "/api/users/", #"{"username":"new",\#(more)}"#, by: help).status == 403, "\(more)")
            #expect(ask("POST", "/api/users/", #"{"username":"new",\#(more)}"#, by: root).status == 201, "\(more)")
            #expect(ask("DELETE", try path("new"), by: root).status == 204)
        }
        #expect(
            ask("POST", "/api/users/", #"{"username":"new","is_staff":true,"groups":["ops"]}"#, by: help).status == 201
        )
        // Somebody else's location may let in who is no staff.
        let headers = try site.administrator("manager", isSuperuser: false, isStaff: false)
        let body = #"{"is_staff":true}"#
        #expect(
            site.administer(
                "PATCH",
                try path("ann"),
                #"{"is_staff":false}"#,
                headers,
                ["PERMISSION": "IsAuthenticated"]
            ).status == 200
        )
        #expect(
            site.administer("PATCH", try path("ann"), body, headers, ["PERMISSION": "IsAuthenticated"]).status == 403
        )
    }

    @Test("They take over no account that has more than theirs, nor one from which they took that, nor its name")
    func takeover() throws {
        for (method, action, body) in [
            ("POST", "set-password/", Self.password), ("PATCH", "", #"{"username":"fin2"}"#),
        ] {
            let answer = ask(method, try path("fin", action), body, by: help)
            #expect(answer.status == 403)
            #expect(answer["detail"] == "This user has rights that you do not have.")
        }
        #expect(ask("POST", try path("ann", "set-password/"), Self.password, by: help).status == 200)
        #expect(ask("POST", try path("stella", "set-password/"), Self.password, by: help).status == 200)
        #expect(ask("POST", try path("fin", "revoke-all/"), by: help).status == 204)
        #expect(ask("PATCH", try path("fin"), #"{"is_active":false}"#, by: help).status == 200)
        #expect(ask("PATCH", try path("fin"), #"{"groups":[]}"#, by: help).status == 403)
        #expect(ask("DELETE", try path("fin"), by: help).status == 403)
        try site.store.grant(try site.user("ann").id, addingPermissions: [try PermissionName("shop.delete".utf8)])
        #expect(ask("PATCH", try path("ann"), #"{"user_permissions":[]}"#, by: help).status == 403)
        #expect(ask("DELETE", try path("ann"), by: help).status == 403)
        #expect(ask("PATCH", try path("ann"), #"{"user_permissions":[]}"#, by: root).status == 200)
        #expect(ask("PATCH", try path("ann"), #"{"groups":["ops"]}"#, by: help).status == 200)
        #expect(ask("PATCH", try path("ann"), #"{"groups":[]}"#, by: help).status == 200)
        // A location may let in who is not in a group.
        #expect(ask("PATCH", try path("help"), #"{"groups":[]}"#, by: help).status == 403)
        #expect(ask("DELETE", try path("ann"), by: help).status == 204)
    }

    @Test("Nobody shuts out themselves")
    func themselves() throws {
        for (name, headers) in [("root", root), ("help", help)] {
            let before = try site.user(name)
            for (body, field) in [(#"{"is_active":false}"#, "is_active"), (#"{"is_staff":false}"#, "is_staff")] {
                let answer = ask("PATCH", try path(name), body, by: headers)
                #expect(answer.status == 400, "\(answer.body)")
                #expect(answer.body.hasPrefix("{\"\(field)\":[\"You cannot"), "\(answer.body)")
            }
            #expect(
                ask("DELETE", try path(name), by: headers).body
                    == #"{"non_field_errors":["You cannot delete yourself."]}"#
            )
            #expect(try site.user(name) == before)
        }
        #expect(ask("PATCH", try path("root"), #"{"is_superuser":false}"#, by: root).status == 400)
    }

    @Test("Nobody, other users, and credentials that are good for less are refused by every view")
    func refused() throws {
        let ann = ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: try site.user("ann")).1.text)]
        let limits = try TokenLimits(scopes: ["users"], methods: [], paths: [], networks: [])
        let scoped = try site.accounts.issueToken(for: try site.user("root"), limits: limits).1.text
        let id = try site.user("ann").id
        for (method, path) in [
            ("GET", "/api/users/"), ("POST", "/api/users/"), ("GET", "/api/users/\(id)/"),
            ("PATCH", "/api/users/\(id)/"),
            ("DELETE", "/api/users/\(id)/"), ("POST", "/api/users/\(id)/set-password/"),
            ("POST", "/api/users/\(id)/revoke-all/"), ("GET", "/api/groups/"), ("POST", "/api/groups/"),
            ("GET", "/api/groups/ops/"), ("PATCH", "/api/groups/ops/"), ("DELETE", "/api/groups/ops/"),
        ] {
            #expect(ask(method, path, by: [:]).status == 401, "\(method) \(path)")
            #expect(ask(method, path, by: ann).status == 403, "\(method) \(path)")
            #expect(ask(method, path, by: ["AUTHORIZATION": "Token " + scoped]).status == 403, "\(method) \(path)")
        }
        #expect(try site.user("ann").isActive)
    }

    @Test("In a session a change needs the token against forged requests")
    func sessions() throws {
        try site.accounts.setPassword(of: try site.user("root"), to: Array(InProcessSite.password.utf8))
        let cookies = site.ask("session.login", body: InProcessSite.login("root")).cookies
        let cookie = cookies.map { "\($0)=\($1)" }.joined(separator: "; ")
        let path = try path("ann")
        let forged = ask("PATCH", path, #"{"is_staff":true}"#, by: ["COOKIE": cookie])
        #expect(forged.status == 403)
        #expect(forged["detail"].hasPrefix("CSRF Failed"))
        let headers = ["COOKIE": cookie, "X_CSRFTOKEN": cookies["csrftoken"] ?? ""]
        #expect(ask("PATCH", path, #"{"is_staff":true}"#, by: headers).status == 200)
    }

    @Test(
        "An administrator is judged as they are when the change is written, not as they were when they were recognised"
    )
    func outdated() throws {
        let parameters = Parameters([("REQUEST_METHOD", Array("PATCH".utf8))])
        var request = try APIRequest(FastCGI.Request(role: .responder, parameters: parameters))
        request.user = try site.user("root")
        let administration = Administration(accounts: site.accounts, request: request)
        let ann = try site.user("ann").id
        func promote() throws { _ = try administration.change(ann, UserDraft(isSuperuser: true)) }
        try site.store.grant(try site.user("root").id, superuser: false)
        #expect(throws: APIError.self) { try promote() }
        try site.store.grant(try site.user("root").id, superuser: true)
        try promote()
        try site.store.revokeAll(of: try site.user("root").id)
        #expect(throws: APIError.self) { try administration.deleteUser(ann) }
        try site.store.deleteUser(try site.user("root").id)
        #expect(throws: APIError.self) { try administration.deleteUser(ann) }
        #expect(try site.user("ann").isSuperuser)
    }

    @Test("Each change is told once, with who made it")
    func signals() throws {
        let told = Told()
        site.accounts.signals.connect { signal, origin in
            let by = origin.user?.username.description ?? "nobody"
            switch signal {
            case .userCreated(let user): told.append("\(by) created \(user.username)")
            case .userChanged(let user, let change, _): told.append("\(by) \(change) \(user.username)")
            case .groupChanged(let group, let change): told.append("\(by) \(change) group \(group)")
            default: break
            }
        }
        _ = ask("POST", "/api/users/", #"{"username":"bob"}"#, by: root)
        let bob = try path("bob")
        _ = ask("PATCH", bob, #"{"is_active":true}"#, by: root)
        _ = ask("PATCH", bob, #"{"is_active":false,"is_staff":true,"username":"rob"}"#, by: root)
        _ = ask("PATCH", bob, #"{"groups":["none"]}"#, by: root)
        _ = ask("POST", bob + "set-password/", Self.password, by: help)
        _ = ask("POST", bob + "revoke-all/", by: help)
        _ = ask("DELETE", bob, by: root)
        _ = ask("POST", "/api/groups/", #"{"name":"new"}"#, by: root)
        _ = ask("PATCH", "/api/groups/new/", #"{"permissions":["a.b"]}"#, by: root)
        _ = ask("DELETE", "/api/groups/new/", by: root)
        #expect(
            told.texts == [
                "root created bob", "root renamed rob", "root disabled rob", "root granted rob", "help password rob",
                "help revoked rob", "root deleted rob", "root created group new", "root changed group new",
                "root deleted group new",
            ]
        )
    }

    @Test("Groups are listed, made, changed and deleted, by superusers; their members follow")
    func groups() throws {
        #expect(
            ask("GET", "/api/groups/", by: help).body
                == #"{"count":2,"next":null,"previous":null,"results":[{"name":"finance","permissions":[]},{"name":"ops","permissions":["shop.sell"]}]}"#
        )
        for (method, path) in [("POST", "/api/groups/"), ("PUT", "/api/groups/ops/"), ("DELETE", "/api/groups/ops/")] {
            let answer = ask(method, path, #"{"name":"x","permissions":[]}"#, by: help)
            #expect(answer.status == 403)
            #expect(answer["detail"] == "Only a superuser may change groups.")
        }
        let made = ask("POST", "/api/groups/", #"{"name":"déjà vu","permissions":["b.c","a.b"]}"#, by: root)
        #expect(made.status == 201)
        #expect(made.body == #"{"name":"déjà vu","permissions":["a.b","b.c"]}"#)
        #expect(
            ask("POST", "/api/groups/", #"{"name":"ops"}"#, by: root).body
                == #"{"name":["group with this name already exists."]}"#
        )
        for name in ["a/b", "..", ".", "a,b", ""] {
            #expect(ask("POST", "/api/groups/", #"{"name":"\#(name)"}"#, by: root).status == 400, "\(name)")
        }
        #expect(ask("GET", "/api/groups/déjà vu/", by: root).body == made.body)
        #expect(ask("PATCH", "/api/groups/déjà vu/", #"{"permissions":["x"]}"#, by: root).status == 400)
        #expect(ask("PATCH", "/api/groups/ops/", #"{"permissions":["shop.x"]}"#, by: root).status == 200)
        #expect(try site.user("help").has(try PermissionName("shop.x".utf8)))
        #expect(ask("DELETE", "/api/groups/ops/", by: root).status == 204)
        #expect(try site.user("help").groups.isEmpty)
        #expect(ask("DELETE", "/api/groups/ops/", by: root).status == 404)
    }
}

extension InProcessSite {
    /// - Returns: The header fields of a user who may administer.
    func administrator(_ name: String, isSuperuser: Bool = true, isStaff: Bool = true) throws -> [String: String] {
        let (_, secret) = try accounts.addUser(
            try Username(name.utf8),
            password: nil,
            isStaff: isStaff,
            isSuperuser: isSuperuser,
            withToken: true
        )
        return ["AUTHORIZATION": "Token " + (secret?.text ?? "")]
    }

    /// Asks the view to which the shipped includes bind the path.
    func administer(
        _ method: String,
        _ path: String,
        _ body: String,
        _ headers: [String: String],
        _ location: [String: String] = [:],
        query: String = "",
        type: String = "application/json"
    ) -> Answer {
        let parts = path.split(separator: "/")
        let actions = parts.count > 3 ? ".\(parts[3])" : parts.count > 2 ? ".detail" : ""
        return ask(
            parts[1] + actions,
            location,
            method: method,
            headers: headers,
            body: body,
            type: type,
            more: [("DOCUMENT_URI", path), ("QUERY_STRING", query)]
        )
    }
}

/// What receivers of signals were told, in order.
private final class Told: @unchecked Sendable {
    // Only one test's own thread sends the signals that are kept here.
    private(set) var texts: [String] = []

    func append(_ text: String) { texts.append(text) }
}
