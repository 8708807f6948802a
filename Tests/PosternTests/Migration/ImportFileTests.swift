import Foundation
import TestSupport
import Testing

@testable import Journal
@testable import Postern

/// Files as Windows, editors, shells and projects of one's own write them.
@Suite("Files of other programs, as people have them", .randomized)
struct ImportFileTests {
    private let temporary: TemporaryStore
    private var store: Store { temporary.store }

    init() throws { temporary = try TemporaryStore() }

    private func file(_ bytes: [UInt8]) throws -> ImportFile {
        let path = String(temporary.path.dropLast("/store".count)) + "/\(UInt32.random(in: .min ... .max))"
        try makePrivateFile(path, bytes)
        return try ImportFile(path)
    }

    /// How many users it would add, or why none.
    private func users(
        _ bytes: [UInt8],
        userModel: String = "auth.user",
        tokenModels: [String] = []
    ) throws -> Result<Int, Reason> {
        try result {
            try store.importDjango(
                try file(bytes),
                userModel: userModel,
                usernameField: userModel == "auth.user" ? "username" : "email",
                tokenModels: tokenModels,
                isDryRun: true
            )
        }
    }

    private struct Reason: Error, Equatable { let text: String }

    private func result(_ body: () throws -> Store.Imported) throws -> Result<Int, Reason> {
        do {
            return .success(try body().users.added)
        } catch ImportError.malformed(_, let place, let reason) {
            return .failure(Reason(text: "\(place): \(reason)"))
        } catch ImportError.refused(_, let problems) {
            return .failure(Reason(text: problems.map(\.description).joined(separator: "\n")))
        }
    }

    private func expect(_ result: Result<Int, Reason>, _ text: String, _ what: String) {
        guard case .failure(let reason) = result else {
            Issue.record("taken: \(what)")
            return
        }
        #expect(reason.text.contains(text), "\(what): \(reason.text)")
    }

    private static let ann =
        #"{"model":"auth.user","pk":1,"fields":{"username":"ann","password":"!","last_login":null}}"#

    // MARK: Dumps

    @Test("A dump may begin with a byte order mark, and have Windows' line ends; one of UTF-16 is named as such")
    func encodings() throws {
        for text in ["[\(Self.ann)]", Self.ann, "\r\n[\r\n\(Self.ann)\r\n]\r\n"] {
            #expect(try users(Array(text.utf8)) == .success(1))
            #expect(try users([0xEF, 0xBB, 0xBF] + text.utf8) == .success(1))
            let units = Array(text.utf16)
            let little = units.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] as [UInt8] }
            let big = units.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] as [UInt8] }
            for bytes in [[0xFF, 0xFE] + little, [0xFE, 0xFF] + big, little, big] {
                expect(try users(bytes), "UTF-16", text)
            }
        }
        expect(try users([0xEF, 0xBB, 0xBF]), "empty", "a mark alone")
    }

    @Test(
        "Text that was printed before a dump, or behind it, is named as that",
        arguments: [
            "** Using SQLite3 **", "Loading .env", "[INFO] settings loaded", "[2026-01-02] x", "DEBUG=True", "-",
            "None",
            "/usr/lib/python3/x.py:1: DeprecationWarning: y", "<?xml version=\"1.0\"?>", "- model: auth.user", "[",
        ]
    )
    func printed(line: String) throws {
        for end in ["\n", "\r\n", "\n\n"] {
            expect(try users(Array((line + end + "[\(Self.ann)]").utf8)), "--output", line)
        }
        expect(try users(Array("[\(Self.ann)]\n\(line)\n".utf8)), "--output", "behind: \(line)")
    }

    @Test("A dump says the same however it is laid out, and nothing once something else is printed into it")
    func layouts() throws {
        let seed = Randomized.seed
        var generator = Seeded(seed: seed)
        func pick(_ texts: [String]) -> String { texts.randomElement(using: &generator) ?? "" }
        for _ in 0..<300 {
            let count = Int.random(in: 1...4, using: &generator)
            let space = pick(["", " ", "\n", "\r\n", "\t", "\r\n    "])
            let objects = (1...count).map { number in
                Self.ann.replacingOccurrences(of: "\"pk\":1", with: "\"pk\":\(space)\(number)")
                    .replacingOccurrences(of: "\"ann\"", with: "\"u\(number)\"")
                    .replacingOccurrences(of: ",", with: ",\(space)")
            }
            let isArray = Bool.random(using: &generator)
            let text =
                isArray
                ? "[\(space)\(objects.joined(separator: ",\(space)"))\(space)]" : objects.joined(separator: space)
            let mark = pick(["", "\u{FEFF}"])
            #expect(try users(Array((mark + space + text + space).utf8)) == .success(count), "seed \(seed): \(text)")
            let printed = pick(["warning", "** x **", "[INFO]", "1 object", "\u{1B}[33m", "\u{E9}", "]", "\0\0"])
            let broken = Bool.random(using: &generator) ? printed + "\n" + text : text + "\n" + printed
            #expect(try users(Array((mark + broken).utf8)) != .success(count), "seed \(seed): \(broken)")
        }
    }

    @Test("Latin-1 is refused, and not stored as U+FFFD")
    func latin1() throws {
        let name = Array(#"{"model":"auth.user","pk":1,"fields":{"username":"ren"#.utf8) + [0xE9]
        expect(try users(name + Array(#"","password":"!"}}"#.utf8)), "utf-8", "a dump")
        let group = Array(#"{"model":"auth.group","pk":1,"fields":{"permissions":[],"name":"caf"#.utf8) + [0xE9]
        expect(try users(group + Array("\"}}".utf8)), "utf-8", "a group")
        let hash = Array(":{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n".utf8)
        expect(try htpasswd(Array("ren".utf8) + [0xE9] + hash), "UTF-8", "a name of htpasswd")
        expect(try htpasswd(Array("ann:$apr1$s".utf8) + [0xE9] + "$ssssssssssssssssssssss".utf8), "UTF-8", "a salt")
        #expect(try htpasswd(Array("ren\u{E9}".utf8) + hash) == .success(1))
    }

    @Test("A project's own user model is named with the option that takes it, and never nobody imported")
    func ownUserModel() throws {
        let own =
            #"{"model":"accounts.member","pk":1,"fields":{"email":"a@b","password":"!","last_login":null,"is_active":true}}"#
        let types = #"{"model":"contenttypes.contenttype","pk":1,"fields":{"app_label":"accounts","model":"member"}}"#
        let usual = #"{"model":"contenttypes.contenttype","pk":2,"fields":{"app_label":"auth","model":"user"}}"#
        let group = #"{"model":"auth.group","pk":3,"fields":{"name":"ops","permissions":[]}}"#
        expect(try users(Array(own.utf8)), "--user-model accounts.member", "own")
        expect(try users(Array((types + own + group).utf8)), "--user-model accounts.member", "with types")
        expect(try users(Array((types + group).utf8)), "--user-model", "without its application")
        expect(
            try users(Array((usual + group).utf8), userModel: "accounts.membr"),
            "no model accounts.membr",
            "mistyped"
        )
        #expect(try users(Array((types + own).utf8), userModel: "Accounts.Member") == .success(1))
        for password in ["!" + String(repeating: "x", count: 40)] + PasswordHashTests.hashes {
            let bare = #"{"model":"accounts.member","pk":1,"fields":{"email":"a@b","password":"\#(password)"}}"#
            expect(try users(Array((group + bare).utf8)), "--user-model accounts.member", password)
        }
        // A password of something else is no account.
        let network = #"{"model":"wifi.network","pk":1,"fields":{"password":"correct horse"}}"#
        #expect(try users(Array((group + network).utf8)) == .success(0))
        // Nobody has an account yet.
        #expect(try users(Array((usual + group).utf8)) == .success(0))
        #expect(try users(Array((types + usual + Self.ann + own).utf8)) == .success(1))
    }

    @Test("Tokens of a project's own model are named with the option that takes them, and are good by it")
    func ownTokenModel() throws {
        let key = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"
        let digest = String(repeating: "ab", count: 64)
        let forms = [
            #"{"model":"api.key","pk":"\#(key)","fields":{"user":1,"created":"2024-05-06T07:08:09Z"}}"#,
            #"{"model":"api.key","pk":7,"fields":{"user":1,"key":"\#(key)","name":"x"}}"#,
            #"{"model":"api.key","pk":"\#(digest)","fields":{"user":1,"token_key":"0123","expiry":null}}"#,
            #"{"model":"api.key","pk":7,"fields":{"user":1,"digest":"\#(digest)","token_key":"0123","expiry":null}}"#,
        ]
        for form in forms {
            expect(try users(Array((Self.ann + form).utf8)), "--token-model api.key", form)
            let imported = try store.importDjango(
                try file(Array((form + Self.ann).utf8)),
                tokenModels: ["API.Key"],
                isDryRun: true
            )
            #expect(imported.tokens.added == 1, "\(form)")
            #expect(imported.leftOut.isEmpty, "\(form)")
        }
        _ = try store.importDjango(try file(Array((Self.ann + forms[1]).utf8)), tokenModels: ["api.key"])
        #expect(try store.token(presentedAs: Array(key.utf8)[...])?.user == 1)
    }

    @Test("Hashes that cannot be verified are named in the summary of a dump: bcrypt by its cost")
    func unknownHashes() throws {
        let hash = "bcrypt$$2b$17$abcdefghijklmnopqrstuuanVo7Xut1CH8VGIGlz1JovQh9GJbbtG"
        let dump = Self.ann.replacingOccurrences(of: "\"!\"", with: "\"\(hash)\"")
        #expect(
            try store.importDjango(try file(Array(dump.utf8)), isDryRun: true).unknownHashes == ["bcrypt of cost 17": 1]
        )
    }

    // MARK: htpasswd

    private func htpasswd(_ bytes: [UInt8]) throws -> Result<Int, Reason> {
        try result { try store.importHtpasswd(try file(bytes), isDryRun: true) }
    }

    private static let line = "ann:$apr1$wG4BORKw$6ylmzwwbtgDvH7l13Y5QH1"

    @Test("Lines of htpasswd as editors leave them: marks, white space at either end, empty ones, the same one twice")
    func htpasswdLines() throws {
        let seed = Randomized.seed
        var generator = Seeded(seed: seed)
        let spaces = ["", " ", "\t", "  ", "\u{B}", "\u{C}"]
        let between = ["", " ", "\t\t", "# a comment", "  # ann:x", "#", Self.line, " " + Self.line + ":a comment"]
        for _ in 0..<300 {
            let end = ["\n", "\r\n", "\r\r\n"].randomElement(using: &generator) ?? "\n"
            var lines = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                between.randomElement(using: &generator) ?? ""
            }
            lines.insert(
                (spaces.randomElement(using: &generator) ?? "") + Self.line
                    + (spaces.randomElement(using: &generator) ?? ""),
                at: Int.random(in: 0...lines.count, using: &generator)
            )
            let mark = Bool.random(using: &generator) ? "\u{FEFF}" : ""
            let last = Bool.random(using: &generator) ? end : ""
            let text = mark + lines.joined(separator: end) + last
            #expect(try htpasswd(Array(text.utf8)) == .success(1), "seed \(seed): \(text)")
        }
        // What is really written, too.
        _ = try store.importHtpasswd(try file(Array("\(Self.line)\n \(Self.line)\n".utf8)))
        #expect(try store.allUsers().map(\.username.description) == ["ann"])
    }

    @Test("Lines that contradict, and hashes that cost too much, are named")
    func htpasswdProblems() throws {
        expect(
            try htpasswd(Array("\(Self.line)\nann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".utf8)),
            "ann comes twice",
            "two"
        )
        let bcrypt = "ann:$2y$17$abcdefghijklmnopqrstuuanVo7Xut1CH8VGIGlz1JovQh9GJbbtG"
        expect(try htpasswd(Array(bcrypt.utf8)), "bcrypt of cost 17", "bcrypt")
        expect(try htpasswd(Array("ann:rqXexS6ZhobKA".utf8)), "crypt of DES", "DES")
        expect(try htpasswd([0xFF, 0xFE] + Self.line.utf8.flatMap { [$0, 0] as [UInt8] }), "UTF-16", "UTF-16")
        let yescrypt = "ann:$y$j75$saltsalt$/eh2ZJbpfVkdYLVloLB.eugBgoc/Hs0vuKBxY1H5DDB"
        #expect(try htpasswd(Array(yescrypt.utf8)) == .success(1))
    }
}
