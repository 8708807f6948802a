import Foundation
import Testing

@testable import Journal
@testable import Postern

/// What is taken over of files of other programs, what is refused, and that nothing is half taken over.
@Suite("Import and export")
struct ImportTests {
    private let temporary: TemporaryStore
    private var store: Store { temporary.store }

    init() throws { temporary = try TemporaryStore() }

    private func file(_ text: String) throws -> ImportFile {
        let path = String(temporary.path.dropLast("/store".count)) + "/\(UInt32.random(in: .min ... .max))"
        try makePrivateFile(path, Array(text.utf8))
        return try ImportFile(path)
    }

    private func importDjango(_ text: String, isDryRun: Bool = false) throws -> Store.Imported {
        try store.importDjango(try file(text), isDryRun: isDryRun)
    }

    /// What is wrong with a dump, place and reason.
    private func problems(_ text: String) throws -> [String] {
        do {
            _ = try importDjango(text)
            return []
        } catch ImportError.refused(_, let problems) {
            return problems.map(\.description)
        }
    }

    private static func user(_ id: String, _ name: String, _ more: String = "", hash: String = "!") -> String {
        #"{"model":"auth.user","pk":\#(id),"fields":{"username":"\#(name)","password":"\#(hash)"\#(more)}}"#
    }

    private static func token(_ key: String, of user: String) -> String {
        #"{"model":"authtoken.token","pk":"\#(key)","fields":{"user":\#(user),"created":"2024-05-06T07:08:09.123Z"}}"#
    }

    private static let key = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"

    private func owner(of key: String) throws -> String? {
        guard let token = try store.token(presentedAs: Array(key.utf8)[...]), let user = try store.user(token.user),
            token.isGood(for: user, at: store.now())
        else { return nil }
        return user.username.description
    }

    @Test("Of many tokens most are in the index when the import is done, and none of them is lost")
    func many() throws {
        let count = 75_000
        let keys = (0..<count).map { number in
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: 40 - digits.count) + digits
        }
        let objects = [Self.user("7", "ann")] + keys.map { Self.token($0, of: "7") }
        #expect(try importDjango(objects.joined(separator: "\n")).tokens.added == count)
        let held = try store.tokens.read { $0.tokenCount - $0.indexedCount }
        #expect(try store.tokenCount() == count && held < 10_000, "\(held)")
        for key in [keys[0], keys[count / 2], keys[count - 1]] { #expect(try owner(of: key) == "ann") }
    }

    @Test("Names are taken over as they are, and those that a new user could not have are counted")
    func names() throws {
        let names = ["ann", "e\u{301}mile", "\u{430}nn", "bob", "a\u{3164}", "e\u{301}ve"]
        let users = names.enumerated().map { Self.user(String($0 + 7), $1) }
        let dump = "[\(users.joined(separator: ","))]"
        for imported in [try importDjango(dump, isDryRun: true), try importDjango(dump)] {
            #expect(imported.users.added == 6)
            #expect(imported.uncomposedNames.count == 3)
            #expect(imported.uncomposedNames.first == (try Username(names[1].utf8)))
            #expect(imported.doubtfulNames.count == 2)
            #expect(imported.doubtfulNames.first == (try Username(names[2].utf8)))
            #expect(imported.doubtfulNames.fault == .mixedScripts("\u{430}"))
        }
        for name in names { #expect(try store.user(named: try Username(name.utf8)) != nil) }
        // Who is here already needs no other word.
        let again = try importDjango(dump)
        #expect(again.uncomposedNames.count == 0)
        #expect(again.doubtfulNames.count == 0)
    }

    @Test("Users keep ids, flags, groups, permissions and when they came; a second import changes nothing")
    func users() throws {
        let dump = """
            [{"model":"contenttypes.contenttype","pk":7,"fields":{"app_label":"shop","model":"thing"}},
            {"model":"auth.user","pk":42,"fields":{"username":"ann","password":"!x","is_staff":true,"is_active":false,
            "is_superuser":false,"groups":[3],"user_permissions":[9],"date_joined":"2020-01-02T03:04:05Z"}},
            {"model":"auth.permission","pk":9,"fields":{"content_type":7,"codename":"add_thing"}},
            {"model":"auth.permission","pk":8,"fields":{"content_type":["wiki","page"],"codename":"view_page"}},
            {"model":"auth.group","pk":3,"fields":{"name":"ops","permissions":[8,["drop_page","wiki","page"]]}},
            {"model":"shop.thing","pk":1,"fields":{"a":"]}{\\""}}]
            """
        let imported = try importDjango(dump)
        #expect(imported.users == Store.Counts(added: 1, kept: 0))
        #expect(imported.groups.added == 1)
        #expect(imported.usersWithoutPassword == 1)
        let ann = try #require(try store.user(42))
        #expect(ann.username.description == "ann")
        #expect(ann.isStaff)
        #expect(!ann.isActive)
        #expect(!ann.isSuperuser)
        #expect(ann.groups.map(\.description) == ["ops"])
        #expect(ann.permissions.map(\.description) == ["shop.add_thing"])
        #expect(ann.created.rfc3339 == "2020-01-02T03:04:05.000000Z")
        let groups = try store.groups()
        #expect(groups.values.first?.map(\.description).sorted() == ["wiki.drop_page", "wiki.view_page"])
        try store.setActive(42, true)
        try store.grant(42, staff: false)
        let before = try temporary.contents(of: "users")
        let again = try importDjango(dump)
        #expect(again.users == Store.Counts(added: 0, kept: 1))
        #expect(again.groups == Store.Counts(added: 0, kept: 1))
        #expect(try temporary.contents(of: "users") == before)
        // Others who have the store open see the same.
        #expect(try temporary.reopened().user(42) == store.user(42))
        #expect(try store.addUser(try Username("bob".utf8), passwordHash: nil).id == 1_000_043)
    }

    @Test("A dry run says what would be, and writes nothing")
    func dryRun() throws {
        let before = try temporary.contents(of: "users")
        let dump = "[\(Self.user("1", "ann")),\(Self.token(Self.key, of: "1"))]"
        let imported = try importDjango(dump, isDryRun: true)
        #expect(imported.users.added == 1)
        #expect(imported.tokens.added == 1)
        #expect(try temporary.contents(of: "users") == before)
        #expect(try store.allTokens() == [])
    }

    @Test("Tokens of DRF, and those of knox before and since version 5, are good; who was revoked stays so")
    func tokens() throws {
        let old = String(repeating: "0123456789abcdef", count: 4)
        let new = "org_" + String(repeating: "fedcba9876543210", count: 4)
        func knox(_ digest: SecretDigest, _ expiry: String) -> String {
            let text = String(decoding: digest.hexadecimal, as: UTF8.self)
            // The second half counts for nothing, and has to be hexadecimal.
            return """
                {"model":"knox.authtoken","pk":"\(text + text)","fields":{"token_key":"0","user":["ann"],"created":\
                "2024-05-06T07:08:09","expiry":\(expiry)}}
                """
        }
        let oldBytes = try #require(Hexadecimal.bytes(old.utf8))
        let dump = [
            Self.token(Self.key, of: "1"), Self.user("1", "ann"),
            knox(SecretDigest(sha512Of: oldBytes), "null"),
            knox(SecretDigest(sha512Of: new.utf8), "\"2124-05-06T07:08:09Z\""),
            knox(SecretDigest(sha512Of: [1]), "\"2020-05-06T07:08:09Z\""),
        ].joined(separator: "\n")
        let imported = try importDjango(dump)
        #expect(imported.tokens == Store.Counts(added: 3, kept: 0))
        #expect(imported.leftOut == ["tokens that have expired": 1])
        for key in [Self.key, old, new] { #expect(try owner(of: key) == "ann", "\(key)") }
        for wrong in [old.uppercased(), "x" + old, String(old.dropLast()), new + "0", "pst_" + old] {
            #expect(try owner(of: wrong) == nil, "\(wrong)")
        }
        let token = try #require(try store.token(presentedAs: Array(Self.key.utf8)[...]))
        #expect(token.created.rfc3339 == "2024-05-06T07:08:09.123000Z")
        _ = try store.compact()
        for key in [Self.key, old, new] { #expect(try owner(of: key) == "ann", "\(key) after a compaction") }
        try store.revokeToken(token.id)
        #expect(try importDjango(dump).tokens == Store.Counts(added: 0, kept: 3))
        #expect(try owner(of: Self.key) == nil)
    }

    @Test("A project's own user model, its field and keys that are no numbers")
    func ownModel() throws {
        let dump = #"""
            {"model":"accounts.member","pk":"5b1f8e9a-0000","fields":{"email":"ann@example.org","password":"!"}}
            {"model":"authtoken.token","pk":"\#(Self.key)","fields":{"user":"5b1f8e9a-0000"}}
            """#
        let imported = try store.importDjango(
            try file(dump),
            userModel: "accounts.Member",
            usernameField: "email",
            activeField: "none"
        )
        #expect(imported.users.added == 1)
        #expect(imported.tokens.added == 1)
        #expect(try owner(of: Self.key) == "ann@example.org")
    }

    @Test(
        "Nobody is active whom the project has disabled, whatever its field is called; where none says so, one is asked"
    )
    func activeField() throws {
        func dump(_ fields: String, _ more: String = "") -> String {
            let user = #"{"model":"accounts.user","pk":1,"fields":{"email":"ann","password":"!"\#(fields)}}"#
            return "[\(user),\(Self.token(Self.key, of: "1"))\(more)]"
        }
        /// Whether ann is active and staff; nil where nothing was imported.
        func imported(_ dump: String, _ active: String?, staff: String = "is_staff") throws -> [Bool]? {
            let fresh = try ImportTests()
            do {
                _ = try fresh.store.importDjango(
                    try fresh.file(dump),
                    userModel: "accounts.user",
                    usernameField: "email",
                    activeField: active,
                    staffField: staff
                )
            } catch ImportError.refused(_, let problems) {
                #expect(problems[0].description.hasPrefix("object "), "\(problems)")
                #expect(try fresh.store.allUsers().isEmpty)
                #expect(try fresh.store.allTokens().isEmpty)
                return nil
            }
            let ann = try #require(try fresh.store.user(1))
            #expect(try (fresh.owner(of: Self.key) != nil) == ann.isActive)
            return [ann.isActive, ann.isStaff]
        }
        let cases: [(fields: String, active: String?, staff: String, [Bool]?)] = [
            ("", nil, "is_staff", nil), ("", "none", "is_staff", [true, false]), ("", "active", "is_staff", nil),
            (#","active":false"#, nil, "is_staff", nil), (#","active":false"#, "active", "is_staff", [false, false]),
            (#","active":true,"staff":true"#, "active", "staff", [true, true]),
            (#","active":true,"staff":true"#, "active", "is_staff", [true, false]),
            (#","active":null"#, "active", "is_staff", nil), (#","active":1"#, "active", "is_staff", nil),
            (#","active":"false""#, "active", "is_staff", nil), (#","is_active":null"#, nil, "is_staff", nil),
            (#","is_active":false"#, nil, "is_staff", [false, false]),
            (#","is_active":true,"is_staff":true"#, nil, "is_staff", [true, true]),
            (#","is_active":true,"enabled":false"#, "enabled", "is_staff", [false, false]),
        ]
        for (fields, active, staff, expected) in cases {
            #expect(try imported(dump(fields), active, staff: staff) == expected, "\(fields) \(active ?? "")")
        }
        // One of many is enough.
        let other = #",{"model":"accounts.user","pk":2,"fields":{"email":"bob","password":"!"}}"#
        #expect(try imported(dump(#","is_active":true"#, other), nil) == nil)
        // Django's own model has the field, and one that is left out is true by default.
        #expect(try importDjango("[\(Self.user("7", "eve"))]").users.added == 1)
        #expect(try store.user(7)?.isActive == true)
    }

    @Test("What cannot be taken over is named, and then nothing is")
    func refused() throws {
        _ = try store.addUser(try Username("carl".utf8), passwordHash: nil)
        let cases = [
            (Self.user("2", "a:b"), "object 1, auth.user 2: A username cannot hold the character U+003A"),
            (Self.user("2", "carl"), "there is a user named carl here, with the id 1."),
            (Self.user("1", "dora"), "the id 1 is the one of carl here."),
            (Self.user("2", "ann") + Self.user("2", "bob"), "object 2, auth.user 2: the id 2 comes twice."),
            (Self.user("2", "ann") + Self.user("3", "ann"), "the name ann comes twice."),
            (Self.user("0", "ann"), "0 cannot be a user's id."),
            (Self.user("null", "ann"), "it has no primary key"),
            (Self.user("2", "ann", #","groups":[5]"#), "the group 5 is not in the dump."),
            (Self.user("2", "ann", #","user_permissions":[5]"#), "a permission of it is not in the dump"),
            (Self.token(Self.key, of: "7"), "object 1, authtoken.token: its user is not in the file."),
            (#"{"model":"auth.user","pk":2,"fields":{"email":"x"}}"#, "it has no username"),
            (
                #"{"model":"auth.permission","pk":9,"fields":{"content_type":7,"codename":"add_thing"}}"#
                    + Self.user("2", "ann", #","user_permissions":[9]"#),
                "dump contenttypes as well."
            ),
        ]
        for (dump, text) in cases {
            let found = try problems(dump)
            #expect(found.contains { $0.contains(text) }, "\(found) \(text)")
            #expect(found.allSatisfy { !$0.contains(Self.key) })
        }
        let many = (2..<100).map { Self.user("\($0)", ":") }.joined()
        #expect(try problems(many).count == Store.maximumImportProblems)
        #expect(try store.allUsers().count == 1)
    }

    @Test(
        "What is no dump is refused, wherever it ends",
        arguments: [
            "", " ", "[", "[{}]", "{", #"[{"model":"auth.user","pk":1,"fields":{}}"#, "{} x", "[{},]", "null", "[1]",
            "{}{",
            #"{"model":"a","fields":{}},{"model":"a","fields":{}}"#, "[{}{}]", #"{"model":"a","fields":1}"#,
        ]
    )
    func malformed(text: String) throws {
        do {
            _ = try importDjango(text)
            Issue.record("taken: \(text)")
        } catch ImportError.malformed {
            return
        }
    }

    @Test("Times have zones, flags are true or false, and what nobody can read is refused, not taken for nothing")
    func strictFields() throws {
        func knox(_ expiry: String, _ more: String = "") -> String {
            let digest = String(repeating: "ab", count: 64)
            return Self.user("1", "ann")
                + #"{"model":"knox.authtoken","pk":"\#(digest)","fields":{"user":1,"expiry":\#(expiry)\#(more)}}"#
        }
        let hour = store.now().adding(seconds: 3600).rfc3339.dropLast(8)
        let cases = [
            (knox("\"2124-05-06T07:08:09\""), "its time has no zone"),
            (knox("\"soon\""), "a time of it cannot be read"),
            (knox("17"), "a time of it cannot be read"),
            (knox("\"2124-05-06T07:08:09+99:00\""), "a time of it cannot be read"),
            (Self.user("1", "ann", #","is_active":0"#), "its is_active is neither true nor false."),
            (Self.user("1", "ann", #","is_superuser":null"#), "its is_superuser is neither true nor false."),
        ]
        for (dump, text) in cases { #expect(try problems(dump).first?.contains(text) ?? false, "\(text)") }
        // An hour from now by the clock of a zone two hours ahead is an hour ago.
        for (expiry, isGood) in [("\(hour)+02:00", false), ("\(hour)+00:00", true), ("\(hour)-02:30", true)] {
            let imported = try importDjango(knox("\"\(expiry)\""), isDryRun: true)
            #expect(imported.tokens.added == (isGood ? 1 : 0), "\(expiry)")
        }
        #expect(try importDjango(knox("null", #","salt":"x""#), isDryRun: true).leftOut.count == 1)
        let other = Self.user("1", "ann") + Self.token(Self.key.uppercased(), of: "1")
        #expect(try importDjango(other, isDryRun: true).leftOut.count == 1)
    }

    @Test("A compaction while an import writes takes away none of its tokens")
    func compactedMeanwhile() throws {
        let source = InterruptedSource(
            records: [Self.importedToken(Self.key, of: 5), .user(try Self.imported("bob"))]
        ) {
            _ = try? self.store.compact()
        }
        var carrier = ImportCarrier(try ImportPlan(of: source, for: store, Store.noProgress), source, store)
        do {
            try carrier.carry(Store.noProgress)
        } catch ImportError.store(.conflict) {
            // The users' file was compacted too.
            _ = try importDjango(Self.user("5", "bob") + Self.token(Self.key, of: "5"))
        }
        #expect(try owner(of: Self.key) == "bob")
    }

    @Test("Users of any ids stand in for names that nobody has")
    func greatIDs() throws {
        let hash = "md5$salt$" + String(repeating: "0", count: 32)
        let ids = [1, 1 << 31, 1 << 53, 1 << 60, 1 << 61]
        _ = try importDjango(ids.map { Self.user("\($0)", "u\($0)", hash: hash) }.joined())
        for number in 0..<1000 { #expect(try store.decoyHash(for: Array("nobody\(number)".utf8)) == hash) }
        for id in ids { try store.deleteUser(User.ID(id)) }
        #expect(try store.decoyHash(for: Array("nobody".utf8)) == nil)
    }

    @Test("A group that has other permissions here takes in nobody new")
    func otherGroup() throws {
        let ops = try GroupName("ops".utf8)
        try store.setGroup(ops, permissions: [try PermissionName("shop.delete_thing".utf8)])
        let group = #"{"model":"auth.group","pk":3,"fields":{"name":"ops","permissions":[]}}"#
        let found = try problems(group + Self.user("2", "ann", #","groups":[3]"#))
        #expect(found.first?.contains("which has other permissions here") ?? false, "\(found)")
        #expect(try problems(group + Self.user("2", "ann")) == [])
        #expect(try store.groups()[ops]?.count == 1)
    }

    @Test("An import that fails at its last step leaves tokens of nobody, who never become somebody's")
    func interrupted() throws {
        let other = Self.key.replacingOccurrences(of: "9944", with: "0000")
        let source = InterruptedSource(
            records: [.user(try Self.imported("ann")), Self.importedToken(Self.key, of: 5)]
        ) {
            // Somebody takes the name while the import writes.
            _ = try? self.store.addUser(try Username("ann".utf8), passwordHash: nil)
        }
        let plan = try ImportPlan(of: source, for: store, Store.noProgress)
        var carrier = ImportCarrier(plan, source, store)
        #expect(throws: ImportError.self) { try carrier.carry(Store.noProgress) }
        #expect(try store.token(presentedAs: Array(Self.key.utf8)[...])?.user == 5)
        #expect(try owner(of: Self.key) == nil)
        #expect(try store.allUsers().map(\.id) == [1_000_006])
        // Another project has a user of the same id.
        let later = store.now().adding(seconds: 3)
        store.folder.saw(later)
        _ = try importDjango(Self.user("5", "bob") + Self.token(other, of: "5"))
        #expect(try owner(of: other) == "bob")
        #expect(try owner(of: Self.key) == nil)
    }

    @Test("A token that comes twice, however far apart, is imported once")
    func twice() throws {
        let keys = (0..<5000).map { String(repeating: "0", count: 36) + String($0 + 1000) }
        let dump = Self.user("1", "ann") + (keys + keys.prefix(2)).map { Self.token($0, of: "1") }.joined()
        _ = try importDjango(dump)
        #expect(try store.allTokens().count == 5000)
        #expect(try owner(of: keys[0]) == "ann")
        #expect(try owner(of: keys[4999]) == "ann")
    }

    @Test("The same import after one that was interrupted brings everything")
    func again() throws {
        let dump = Self.user("5", "bob") + Self.token(Self.key, of: "5")
        let source = InterruptedSource(records: [Self.importedToken(Self.key, of: 5)]) {}
        var carrier = ImportCarrier(
            try ImportPlan(
                of: InterruptedSource(records: [.user(try Self.imported("bob"))]) {},
                for: store,
                Store.noProgress
            ),
            source,
            store
        )
        // Tokens alone were written: the users' file never took its place.
        try carrier.carry(Store.noProgress)
        #expect(try store.allUsers() == [])
        store.folder.saw(store.now().adding(seconds: 3))
        _ = try importDjango(dump)
        #expect(try owner(of: Self.key) == "bob")
        #expect(try store.allTokens().count == 1)
    }

    private static func imported(_ name: String) throws -> ImportedUser {
        ImportedUser(id: 5, username: try Username(name.utf8), passwordHash: nil)
    }

    private static func importedToken(_ key: String, of user: User.ID) -> ImportRecord {
        .token(
            ImportedToken(
                digest: SecretDigest(of: Array(key.utf8)[...]),
                owner: .id(user),
                label: "",
                created: nil,
                expires: nil
            )
        )
    }

    @Test("An export holds no secret, and can be imported elsewhere and here")
    func export() throws {
        let dump = Self.user("5", "bob", #","is_staff":true"#, hash: "md5$salt$" + String(repeating: "0", count: 32))
        _ = try importDjango(dump + Self.token(Self.key, of: "5"))
        let ops = try GroupName("ops".utf8)
        try store.setGroup(ops, permissions: [try PermissionName("shop.delete_thing".utf8)])
        try store.grant(5, addingGroups: [ops])
        var text = ""
        try store.export { text += String(decoding: $0, as: UTF8.self) }
        #expect(!text.contains("salt"))
        #expect(!text.contains("sha256"))
        #expect(!text.contains(Self.key))
        #expect(try store.importExport(try file(text)).users == Store.Counts(added: 0, kept: 1))
        let other = try TemporaryStore()
        let imported = try other.store.importExport(try file(text))
        #expect(imported.users.added == 1)
        #expect(imported.groups.added == 1)
        #expect(imported.leftOut == ["tokens, whose secrets are in no export": 1])
        let bob = try #require(try other.store.user(5))
        #expect(bob.isStaff)
        #expect(bob.groups == [ops])
        #expect(bob.passwordHash == nil)
        #expect(bob.has(try PermissionName("shop.delete_thing".utf8)))
    }

    @Test("Lines of htpasswd: comments, Windows' ends, and hashes of no known kind")
    func htpasswd() throws {
        let text =
            "# users\r\nann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=:a comment\r\n\nbob:$apr1$x$"
            + String(repeating: "a", count: 22)
        #expect(try store.importHtpasswd(try file(text)).users.added == 2)
        #expect(try store.allUsers().map(\.id) == [1, 2])
        for line in ["ann", "eve:{PLAIN}secret", "eve:rqXexS6ZhobKA", ":x", "eve:"] {
            do {
                _ = try store.importHtpasswd(try file(line))
                Issue.record("taken: \(line)")
            } catch ImportError.refused(_, let problems) {
                try #require(problems.count == 1)
                #expect(!problems[0].description.contains("secret"))
            }
        }
    }

    @Test("A secret of simplejwt verifies, signs nothing, and is there once")
    func key() throws {
        let signer = try #require(try store.keyRing().signer(at: store.now())?.id)
        let secret = Array(String(repeating: "k", count: 32).utf8)
        let key = try store.importKey(secret)
        #expect(try store.importKey(secret).id == key.id)
        #expect(try store.keyRing().signer(at: store.now())?.id == signer)
        #expect(try store.keyRing().keys.count == 2)
        #expect(throws: JSONWebKeyError.weak) { try store.importKey(Array(secret.dropLast())) }
    }
}

/// Records, and something that happens when they have been read the second time.
private struct InterruptedSource: ImportSource {
    let path = "records"
    let size: Int64 = 1
    let records: [ImportRecord]
    private let reads = Reads()
    private let interruption: () -> Void

    private final class Reads { var count = 0 }

    init(records: [ImportRecord], _ interruption: @escaping () -> Void) {
        self.records = records
        self.interruption = interruption
    }

    func eachRecord(_ body: (ImportRecord, ImportPlace) throws(ImportError) -> Void) throws(ImportError) {
        for record in records { try body(record, ImportPlace(description: "a record", bytes: 0)) }
        reads.count += 1
        if reads.count == 2 { interruption() }
    }
}
