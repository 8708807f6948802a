import FastCGI
import Foundation
import Journal
import Testing

@testable import Postern

@Suite("Administration over HTTP: users")
struct UserViewTests {
    private let site: InProcessSite
    private let root: [String: String]

    init() throws {
        site = try InProcessSite()
        root = try site.administrator("root")
    }

    private func ask(
        _ method: String,
        _ path: String,
        _ body: String = "",
        by headers: [String: String]? = nil,
        query: String = ""
    ) -> InProcessSite.Answer { site.administer(method, path, body, headers ?? root, query: query) }

    private func list(_ query: String) throws -> (count: Int, names: [String], answer: InProcessSite.Answer) {
        let answer = ask("GET", "/api/users/", query: query)
        try #require(answer.status == 200, "\(answer)")
        let page = try #require(
            try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any]
        )
        let users = try #require(page["results"] as? [[String: Any]])
        return (try #require(page["count"] as? Int), users.compactMap { $0["username"] as? String }, answer)
    }

    @Test("Names in Latin-1 are refused, and not stored with U+FFFD in them")
    func latin1() throws {
        for (path, field) in [("/api/users/", "username"), ("/api/groups/", "name")] {
            let body = "{\"\(field)\":\"ren\u{FFFD}\"}"
            #expect(ask("POST", path, body).status == 400, "\(path)")
        }
        let form = site.ask(
            "users",
            headers: root,
            body: "username=ren%E9",
            type: "application/x-www-form-urlencoded"
        )
        #expect(form.status == 400, "\(form)")
        #expect(form.body.contains("UTF-8"), "\(form)")
    }

    @Test("A list is in pages, in the order of ids, with DRF's links to the pages beside")
    func pages() throws {
        for number in 1...7 { _ = try site.store.addUser(try Username("user\(number)".utf8), passwordHash: nil) }
        #expect(try list("").names.prefix(3) == ["ann", "stella", "root"])
        #expect(try list("").count == 10)
        #expect(try list("page_size=4&page=2").names == ["user2", "user3", "user4", "user5"])
        let middle = try list("page_size=4&page=2").answer
        #expect(middle["next"] == "/api/users/?page=3&page_size=4")
        #expect(middle["previous"] == "/api/users/?page_size=4")
        #expect(try list("page_size=4&page=3").names == ["user6", "user7"])
        #expect(try list("page_size=4&page=3").answer.body.contains(#""next":null"#))
        #expect(
            try list("search=USER&is_active=1&page_size=3&page=2").answer["next"].hasPrefix(
                "/api/users/?search=USER&is_active=true&page=3"
            )
        )
        let named = site.administer(
            "GET",
            "/api/users/",
            "",
            root.merging(["HOST": "api.example:8080"]) { $1 },
            query: "page_size=9"
        )
        #expect(named["next"] == "http://api.example:8080/api/users/?page=2&page_size=9")
        let forged = site.administer(
            "GET",
            "/api/users/",
            "",
            root.merging(["HOST": "a\"/b"]) { $1 },
            query: "page_size=9"
        )
        #expect(forged["next"] == "/api/users/?page=2&page_size=9")
        for query in ["page=0", "page=4", "page=x", "page=-1", "page=99999999999999999999"] {
            let answer = ask("GET", "/api/users/", query: query + "&page_size=4")
            #expect(answer.status == 404, "\(query)")
            #expect(answer.body == #"{"detail":"Invalid page."}"#, "\(query)")
        }
        #expect(ask("GET", "/api/users/", query: "page_size=x").status == 400)
        #expect(try list("page_size=100000").names.count == 10)
    }

    @Test("It is searched by bytes of the username and by whether users are active; gaps between ids do not matter")
    func search() throws {
        for number in 1...9 { _ = try site.store.addUser(try Username("user\(number)".utf8), passwordHash: nil) }
        try site.store.setActive(try site.user("user3").id, false)
        for name in ["ann", "user1", "user4", "user9"] { try site.store.deleteUser(try site.user(name).id) }
        #expect(try list("").names == ["stella", "root", "user2", "user3", "user5", "user6", "user7", "user8"])
        #expect(try list("page=2&page_size=3").names == ["user3", "user5", "user6"])
        #expect(try list("search=SER5").names == ["user5"])
        #expect(try list("search=user").count == 6)
        #expect(try list("search=user&is_active=true&page_size=2&page=2").names == ["user6", "user7"])
        #expect(try list("is_active=false").names == ["user3"])
        #expect(try list("search=nobody").names == [])
        #expect(try list("search=%00").count == 0)
        #expect(try list("search=" + String(repeating: "u", count: 999)).count == 0)
        #expect(ask("GET", "/api/users/", query: "is_active=perhaps").status == 400)
    }

    @Test("Ids that are far apart, as in a store that was restored, cost nothing")
    func farApart() throws {
        try site.store.begin(revokingAll: false)
        let added = try site.store.addUser(try Username("late".utf8), passwordHash: nil)
        #expect(added.id > 1_000_000)
        #expect(try list("").names == ["ann", "stella", "root", "late"])
        #expect(try list("page=2&page_size=3").names == ["late"])
    }

    @Test("A user is made with all that they are, by one event, and no hash is shown")
    func create() throws {
        try site.store.setGroup(try GroupName("ops".utf8), permissions: [])
        let before = try site.temporary.contents(of: "users")
        let answer = ask(
            "POST",
            "/api/users/",
            #"{"username":" bob ","password":"\#(InProcessSite.password)","is_staff":true,"groups":["ops"],"user_permissions":["shop.b","shop.a"]}"#
        )
        #expect(answer.status == 201)
        #expect(answer.values("Cache-Control") == ["no-store"])
        let bob = try site.user("bob")
        #expect(
            answer.body
                == #"{"id":\#(bob.id),"username":"bob","is_active":true,"is_staff":true,"is_superuser":false,"groups":["ops"],"user_permissions":["shop.a","shop.b"],"date_joined":"\#(bob.created.rfc3339)"}"#
        )
        let added = String(decoding: try site.temporary.contents(of: "users").dropFirst(before.count), as: UTF8.self)
        #expect(added.components(separatedBy: "\tadded\t").count == 2)
        #expect(!added.contains("\tgranted\t"))
        #expect(!site.pair("bob").access.isEmpty)
        #expect(ask("GET", "/api/users/\(bob.id)/").body == answer.body)
        let form = site.administer(
            "POST",
            "/api/users/",
            "username=carl&is_active=off&groups=ops&user_permissions=a.b&user_permissions=c.d",
            root,
            type: "application/x-www-form-urlencoded"
        )
        #expect(form.status == 201)
        #expect(form.body.contains(#""is_active":false"#))
        #expect(form.body.contains(#""groups":["ops"],"user_permissions":["a.b","c.d"]"#))
        // Which parser reads it is decided by the first that fits, as in DRF.
        for (name, type) in [("dora", "*/json"), ("emil", "*/*"), ("fay", "application/*")] {
            let body = #"{"username":"\#(name)","groups":["ops"]}"#
            let range = site.administer("POST", "/api/users/", body, root, type: type)
            #expect(range.status == 201, "\(type): \(range.body)")
            #expect(range.body.contains(#""groups":["ops"]"#), "\(type): \(range.body)")
        }
    }

    @Test(
        "What is wrong with a user is said in DRF's words, and nothing is written",
        arguments: [
            ("", #"{"username":["This field is required."]}"#),
            ("[]", #"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#),
            (#"{"username":"ann"}"#, #"{"username":["A user with that username already exists."]}"#),
            (
                #"{"username":5,"is_staff":1}"#,
                #"{"username":["Not a valid string."],"is_staff":["Must be a valid boolean."]}"#
            ),
            (#"{"username":""}"#, #"{"username":["This field may not be blank."]}"#),
            (
                #"{"username":null,"is_staff":null}"#,
                #"{"username":["This field may not be null."],"is_staff":["This field may not be null."]}"#
            ),
            (#"{"username":"a:b","is_staff":"perhaps"}"#, #""is_staff":["Must be a valid boolean."]}"#),
            (
                #"{"username":"\#(String(repeating: "x", count: 151))"}"#,
                #"{"username":["Ensure this field has no more than 150 characters."]}"#
            ),
            (#"{"username":"bob","groups":["none"]}"#, #"{"groups":["Object with name=none does not exist."]}"#),
            (#"{"username":"bob","groups":"ops"}"#, #"{"groups":["Expected a list of items but got type \"str\"."]}"#),
            (#"{"username":"bob","groups":[1]}"#, #"{"groups":["Not a valid string."]}"#),
            (#"{"username":"bob","user_permissions":["change"]}"#, #"{"user_permissions":["A permission is"#),
            (
                #"{"username":"bob","password":"short"}"#,
                #"{"password":["The password needs at least 15 characters."]}"#
            ),
            (#"{"username":"bob","password":""}"#, #"{"password":["This field may not be blank."]}"#),
        ]
    )
    func refused(body: String, message: String) throws {
        let before = try site.temporary.contents(of: "users")
        let answer = ask("POST", "/api/users/", body)
        #expect(answer.status == 400, "\(body): \(answer.body)")
        #expect(answer.body.contains(message), "\(body): \(answer.body)")
        #expect(try site.temporary.contents(of: "users") == before)
    }

    @Test("A change is whole or not at all; PUT asks for the name, PATCH for nothing")
    func change() throws {
        let ann = try site.user("ann")
        let path = "/api/users/\(ann.id)/"
        #expect(ask("PATCH", path, #"{"is_staff":true,"groups":["none"]}"#).status == 400)
        #expect(try site.user("ann") == ann)
        #expect(
            ask("PATCH", path, #"{"username":"stella"}"#).body
                == #"{"username":["A user with that username already exists."]}"#
        )
        #expect(ask("PUT", path, #"{"is_staff":true}"#).status == 400)
        #expect(ask("PATCH", path).status == 200)
        #expect(ask("PUT", path, #"{"username":"ann"}"#).status == 200)
        #expect(try site.user("ann") == ann)
        let answer = ask("PATCH", path, #"{"username":"anna","is_staff":true,"user_permissions":["shop.sell"]}"#)
        #expect(answer.status == 200)
        #expect(answer["username"] == "anna")
        let anna = try site.user("anna")
        #expect(anna.id == ann.id)
        #expect(anna.isStaff)
        #expect(anna.permissions.count == 1)
        #expect(anna.epoch == ann.epoch)
        #expect(throws: StoreError.self) { try site.user("ann") }
        #expect(ask("PATCH", path, #"{"password":"\#(InProcessSite.password)x"}"#).body.contains("set-password/"))
        for path in ["/api/users/99/", "/api/users/x/", "/api/users/-1/", "/api/users/01/"] {
            for method in ["GET", "PATCH", "PUT", "DELETE"] {
                #expect(ask(method, path, method == "GET" ? "" : "{}").status == 404, "\(method) \(path)")
            }
        }
    }

    @Test("Who is disabled, deleted or revoked is refused by the next request, also when enabled again")
    func ends() throws {
        let ann = try site.user("ann")
        func token() throws -> [String: String] {
            ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: try site.user("ann")).1.text)]
        }
        let first = try token()
        #expect(site.whoami(first) == "ann")
        #expect(ask("PATCH", "/api/users/\(ann.id)/", #"{"is_active":false}"#).status == 200)
        #expect(site.whoami(first) == "")
        #expect(ask("PATCH", "/api/users/\(ann.id)/", #"{"is_active":true}"#).status == 200)
        #expect(site.whoami(first) == "")
        let second = try token()
        #expect(ask("POST", "/api/users/\(ann.id)/revoke-all/").status == 204)
        #expect(site.whoami(second) == "")
        let third = try token()
        #expect(site.whoami(third) == "ann")
        let answer = ask("DELETE", "/api/users/\(ann.id)/")
        #expect(answer.status == 204)
        #expect(answer.body.isEmpty)
        #expect(site.whoami(third) == "")
        #expect(ask("DELETE", "/api/users/\(ann.id)/").status == 404)
    }

    @Test("Another's password is set under the rules, and ends what was issued before; the own one is not set here")
    func setPassword() throws {
        let ann = try site.user("ann")
        let pair = site.pair()
        let path = "/api/users/\(ann.id)/set-password/"
        #expect(ask("POST", path, #"{"password":"short"}"#).body.contains("at least 15"))
        #expect(ask("POST", path).body == #"{"password":["This field is required."]}"#)
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "ann")
        #expect(ask("POST", path, #"{"password":"another horse battery staple"}"#).status == 200)
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "")
        #expect(site.pair().access.isEmpty)
        let login = #"{"username":"ann","password":"another horse battery staple"}"#
        #expect(site.ask("jwt.obtain", body: login).status == 200)
        let own = try site.user("root").id
        #expect(
            ask("POST", "/api/users/\(own)/set-password/", #"{"password":"another horse battery staple"}"#).status
                == 400
        )
        #expect(
            ask("POST", "/api/users/99/set-password/", #"{"password":"another horse battery staple"}"#).status == 404
        )
    }

    @Test("A server that makes a token for each new user shows it, for the only time")
    func tokens() throws {
        let temporary = try TemporaryStore()
        let accounts = Accounts(store: temporary.store, issuesTokenWithUser: true)
        let root = try accounts.store.addUser(try Username("root".utf8), passwordHash: nil, isSuperuser: true)
        var request = try APIRequest(
            FastCGI.Request(role: .responder, parameters: Parameters([("REQUEST_METHOD", Array("POST".utf8))]))
        )
        request.user = root
        let (bob, secret) = try Administration(accounts: accounts, request: request)
            .addUser(try Username("bob".utf8), UserDraft(), password: nil)
        #expect(try accounts.store.token(try #require(secret).digest)?.user == bob.id)
    }

    @Test("Two administrators who change different things at once lose neither")
    func atOnce() async throws {
        let ann = try site.user("ann")
        try site.store.setGroup(try GroupName("ops".utf8), permissions: [])
        let (site, root) = (site, root)
        let bodies = [
            #"{"is_staff":true}"#, #"{"groups":["ops"]}"#, #"{"user_permissions":["a.b"]}"#, #"{"is_active":true}"#,
        ]
        let statuses = await withTaskGroup(of: Int.self) { group in
            for number in 0..<40 {
                group.addTask {
                    site.administer("PATCH", "/api/users/\(ann.id)/", bodies[number % 4], root).status
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.allSatisfy { $0 == 200 })
        let now = try site.user("ann")
        #expect(now.isStaff)
        #expect(now.groups.count == 1)
        #expect(now.permissions.count == 1)
        #expect(now.isActive)
    }
}
