import Testing

@testable import Postern

@Suite("Permission classes that go by groups, permissions, scopes and owners")
struct PermissionClassTests {
    private let site: InProcessSite
    private let ann: User

    init() throws {
        site = try InProcessSite()
        ann = try site.user("ann")
    }

    /// The status of a request with this token; 200 stands for "may".
    private func status(
        _ permission: String,
        method: String = "GET",
        token: String? = nil,
        _ more: [String: String] = [:]
    ) throws -> Int {
        let token = try token ?? site.accounts.issueToken(for: ann).1.text
        let location = more.merging([
            "MESSAGE": "x", "METHODS": "GET POST PUT PATCH DELETE", "PERMISSION": permission,
        ]) { $1 }
        return site.ask("message", location, method: method, headers: ["AUTHORIZATION": "Token " + token]).status
    }

    private func grant(groups: [String] = [], permissions: [String] = []) throws {
        try site.store.grant(
            ann.id,
            addingGroups: groups.map { try GroupName($0.utf8) },
            addingPermissions: permissions.map { try PermissionName($0.utf8) }
        )
    }

    private func set(_ group: String, _ permissions: String...) throws {
        let names = try permissions.map { try PermissionName($0.utf8) }
        try site.store.setGroup(try GroupName(group.utf8), permissions: Set(names))
    }

    @Test("A group counts from the next request on, and no longer once it is deleted")
    func groups() throws {
        #expect(try status("InGroup('ops')") == 403)
        try set("ops")
        try grant(groups: ["ops"])
        #expect(try status("InGroup('ops')") == 200)
        #expect(try status("InGroup('op')") == 403)
        try site.store.deleteGroup(try GroupName("ops".utf8))
        #expect(try status("InGroup('ops')") == 403)
        try set("ops")
        #expect(try status("InGroup('ops')") == 403)
        #expect(throws: StoreError.self) { try grant(groups: ["nobodys"]) }
    }

    @Test("A permission is the user's own, of a group, or a superuser's")
    func permissions() throws {
        #expect(try status("HasPermission('shop.change_thing')") == 403)
        try set("ops", "shop.change_thing")
        try grant(groups: ["ops"])
        #expect(try status("HasPermission('shop.change_thing')") == 200)
        try set("ops", "shop.add_thing")
        #expect(try status("HasPermission('shop.change_thing')") == 403)
        try grant(permissions: ["shop.change_thing"])
        #expect(try status("HasPermission('shop.change_thing')") == 200)
        try site.store.grant(ann.id, removingPermissions: [try PermissionName("shop.change_thing".utf8)])
        #expect(try status("HasPermission('shop.change_thing')") == 403)
        try site.store.grant(ann.id, superuser: true)
        #expect(try status("HasPermission('shop.change_thing')") == 200)
    }

    @Test("Groups and permissions are as they were when the store is opened again")
    func reopened() throws {
        try set("ops", "shop.change_thing", "shop.add_thing")
        try set("dev team")
        try grant(groups: ["ops", "dev team"], permissions: ["a.b"])
        let user = try site.temporary.reopened().user(ann.id)
        #expect(user?.groups.map(\.description) == ["dev team", "ops"])
        #expect(user?.permissions.map(\.description) == ["a.b"])
        #expect(user?.has(try PermissionName("shop.add_thing".utf8)) == true)
        #expect(user == (try site.user("ann")))
    }

    @Test("Names that a list could not hold are refused", arguments: ["", "a,b", "a:b", " a", "a\u{0}", "a\n"])
    func groupNames(name: String) {
        #expect(throws: NameError.group) { try GroupName(name.utf8) }
    }

    @Test("A permission has a label and a codename", arguments: ["", "a", ".a", "a.", "a.b,c", "a b.c", "a.b'", "ä.b"])
    func permissionNames(name: String) {
        #expect(throws: NameError.permission) { try PermissionName(name.utf8) }
    }

    @Test("Owners are judged by the name that each request brings, not by the first one")
    func owner() throws {
        for _ in 0..<2 {
            #expect(try status("IsOwner", ["OBJECT_OWNER": "ann"]) == 200)
            #expect(try status("IsOwner", ["OBJECT_OWNER": "stella"]) == 403)
            #expect(try status("IsOwner", ["OBJECT_OWNER": ""]) == 403)
            #expect(try status("IsOwner") == 403)
        }
        let token = try site.accounts.issueToken(for: ann).1.text
        let twice = site.ask(
            "message",
            ["MESSAGE": "x", "PERMISSION": "IsOwner", "OBJECT_OWNER": "stella"],
            method: "GET",
            headers: ["AUTHORIZATION": "Token " + token],
            more: [("POSTERN_OBJECT_OWNER", "ann")]
        )
        #expect(twice.status >= 400)
    }

    @Test("Models need one")
    func models() throws {
        #expect(try status("ModelPermissions") == 500)
        for model in ["thing", "shop.", ".thing", "a b.c", ""] {
            #expect(try status("ModelPermissions", ["MODEL": model]) == 500, "\(model)")
        }
        let model = ["MODEL": "shop.thing"]
        try grant(permissions: ["shop.delete_thing"])
        #expect(try status("ModelPermissions", model) == 200)
        #expect(try status("ModelPermissions", method: "DELETE", model) == 200)
        for method in ["POST", "PUT", "PATCH"] { #expect(try status("ModelPermissions", method: method, model) == 403) }
        // DRF's perms_map knows no other method.
        #expect(try status("ModelPermissions", method: "PROPFIND", model) == 405)
        #expect(try status("~ModelPermissions", method: "PROPFIND", model) == 405)
    }

    @Test(
        "Arguments that name nothing let nobody in",
        arguments: [
            "InGroup", "InGroup('a', 'b')", "InGroup('a,b')", "HasPermission('x')", "HasScope('a b')", "HasScope()",
            "IsOwner('ann')", "ModelPermissions('shop.thing')",
        ]
    )
    func badArguments(permission: String) throws {
        #expect(try status("AllowAny | " + permission, ["MODEL": "shop.thing"]) == 500)
    }

    @Test("Scopes are those of the credential: what has none is within none")
    func scopes() throws {
        let token = try site.accounts.issueToken(for: ann, limits: try TokenLimits(scopes: ["read", "stats"])).1.text
        #expect(try status("HasScope('read')", token: token) == 200)
        #expect(try status("HasScope('stats') & HasScope('read')", token: token) == 200)
        #expect(try status("HasScope('write')", token: token) == 403)
        #expect(try status("HasScope('READ')", token: token) == 403)
        #expect(try status("HasScope('read')") == 403)
    }
}
