import Foundation
import Testing

@Suite("The command line: keys, JSON Web Tokens, older stores")
struct KeyCommandTests {
    private let folder: String
    private let store: String

    init() throws {
        folder = try Site.temporaryFolder()
        store = folder + "/store"
        try Child.run(Site.binary, ["store", "init", store]).expectSuccess()
    }

    @discardableResult
    private func postern(_ arguments: [String], input: String = "") throws -> Child.Finished {
        try Child.run(Site.binary, arguments, input: input, environment: ["POSTERN_STORE": store])
    }

    private func keys() throws -> [[String: Any]] {
        let list = try postern(["key", "list", "--json"])
        return try #require(try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]])
    }

    @Test("A new store has a key; others are made, listed, take over at once or later, and are retired")
    func keysOfAStore() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try #require(try keys().first)
        #expect(try keys().count == 1)
        #expect(first["algorithm"] as? String == "HS256")
        #expect(first["signs"] as? Bool == true)
        #expect(try postern(["key", "jwks"]).output == "{\"keys\":[]}\n")
        let made = try postern(["key", "generate", "--algorithm", "EdDSA"])
        let id = made.output.trimmingCharacters(in: .newlines)
        #expect(made.code == 0)
        #expect(id.utf8.count == 16)
        let rotated = try postern(["key", "rotate"]).output.trimmingCharacters(in: .newlines)
        let later = try postern(["key", "rotate", "--after", "1h"]).output.trimmingCharacters(in: .newlines)
        let list = try keys()
        #expect(list.map { $0["algorithm"] as? String } == ["HS256", "EdDSA", "EdDSA", "EdDSA"])
        #expect(list.filter { $0["signs"] as? Bool == true }.map { $0["id"] as? String } == [rotated])
        #expect(list.last?["id"] as? String == later)
        let published = try postern(["key", "jwks"]).output
        #expect(published.contains(id))
        #expect(published.contains(rotated))
        #expect(published.contains(later))
        #expect(!published.contains("\"d\""))
        #expect(!published.contains("\"k\""))
        for file in try FileManager.default.contentsOfDirectory(atPath: store + "/keys") {
            let attributes = try FileManager.default.attributesOfItem(atPath: store + "/keys/" + file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
        let used = try postern(["key", "retire", rotated, "--yes"])
        #expect(used.code == 65)
        #expect(used.error.contains("rotate first"))
        try postern(["key", "retire", id, "--yes"]).expectSuccess()
        #expect(try postern(["key", "retire", id, "--yes"]).code == 65)
        #expect(try postern(["key", "retire", "../users", "--yes"]).code == 65)
        try postern(["key", "retire", rotated, "--force", "--yes"]).expectSuccess()
        #expect(try keys().count == 2)
        for arguments in [
            ["generate", "--algorithm", "RS256"], ["generate", "--algorithm", "none"], ["rotate", "--after", "soon"],
        ] {
            #expect(try postern(["key"] + arguments).code == 64)
        }
        #expect(try keys().count == 2)
    }

    @Test("A token on standard input: its claims and 0, or why not and 65; no key or no token is said to be that")
    func verify() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let verify = ["jwt", "verify", "--keys"]
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: store + "/keys").first)
        for (token, reason) in [
            ("x", "Token is invalid."), ("a.b.c\n", "Token is invalid."),
            (String(repeating: "a", count: 100_000), "Token is invalid."),
            ("eyJhbGciOiJub25lIn0.e30.", "Token is invalid."),
        ] {
            let result = try postern(verify + [store + "/keys"], input: token)
            #expect(result.code == 65)
            #expect(result.error == "postern: \(reason)\n")
            #expect(result.output.isEmpty)
        }
        #expect(try postern(verify + [store + "/keys"]).code == 66)
        for (path, text) in [
            (folder + "/none", "none"), (folder, "no key"), (store + "/users", "users"),
            (store + "/keys/" + name, name),
        ] {
            let result = try postern(verify + [path], input: "a.b.c")
            #expect(result.code == 66, "\(result.error)")
            #expect(result.error.contains(text), "\(result.error)")
            #expect(result.error.split(separator: "\n").count == 1)
        }
        #expect(try postern(verify + [store + "/keys", "--leeway", "1w"], input: "a.b.c").code == 64)
        #expect(try postern(["jwt", "verify"], input: "a.b.c").code == 64)
    }

    @Test("Keys of a set that are passed over are said on standard error; a set without one that can be used is no set")
    func passedOverKeys() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let good = #"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
        let odd = #"{"kty":"OKP","crv":"Ed25519","kid":"o","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#
        for (keys, code) in [("\(odd),\(good)", Int32(65)), (odd, 66)] {
            try "{\"keys\":[\(keys)]}".write(toFile: folder + "/set", atomically: true, encoding: .utf8)
            let result = try postern(["jwt", "verify", "--keys", folder + "/set"], input: "a.b.c")
            #expect(result.code == code)
            #expect(result.error.contains("key 1 \"o\" lets others sign, too"))
        }
    }

    @Test("A store that an older version made gets what it lacks, and keeps what it has")
    func upgrade() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        for name in ["sessions", "revocations", "keys"] {
            try FileManager.default.removeItem(atPath: store + "/" + name)
        }
        try forgetJournals(but: 3)
        let before = try postern(["user", "list"])
        #expect(before.code == 66)
        #expect(before.error.contains("sessions"))
        let upgraded = try postern(["store", "upgrade"])
        let made = upgraded.output.split(separator: "\n").map(String.init)
        try #require(made.count == 4)
        #expect(made.prefix(3) == ["keys", "sessions", "revocations"])
        #expect(made[3].hasPrefix("keys/"))
        #expect(try postern(["user", "list"]).output.contains("ann"))
        #expect(try postern(["store", "upgrade"]).output.isEmpty)
        #expect(try postern(["store", "upgrade", "--store", folder]).code != 0)
        for name in ["sessions", "revocations"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: store + "/" + name)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
        // What it has made is known from then on.
        try FileManager.default.removeItem(atPath: store + "/revocations")
        #expect(try postern(["store", "upgrade"]).code == 66)
    }

    /// Leaves the lock file as a version made it that had fewer journals: a slot of 160 bytes each, after one for the holder.
    private func forgetJournals(but count: Int) throws {
        let lock = try #require(FileHandle(forUpdatingAtPath: store + "/lock"))
        try lock.truncate(atOffset: UInt64(160 * count))
        try lock.close()
    }

    @Test("An upgrade makes no empty journal, and no key, in the place of what was lost")
    func upgradeOfDamaged() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.removeItem(atPath: store + "/tokens")
        let lost = try postern(["store", "upgrade"])
        #expect(lost.code == 66, "\(lost.error)")
        #expect(lost.error.contains("tokens"), "\(lost.error)")
        #expect(!FileManager.default.fileExists(atPath: store + "/tokens"))

        let older = folder + "/older"
        try postern(["store", "init", older]).expectSuccess()
        for key in try FileManager.default.contentsOfDirectory(atPath: older + "/keys") {
            try FileManager.default.removeItem(atPath: older + "/keys/" + key)
        }
        let upgraded = try postern(["store", "upgrade", "--store", older])
        #expect(upgraded.code == 0)
        #expect(upgraded.output.isEmpty)
    }

    @Test("A secret is all of standard input: no line that another program prints before it becomes the key")
    func importedSecret() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let secret = "a secret of the project, long enough for HS256"
        let first = try postern(["key", "import"], input: secret + "\n")
        try first.expectSuccess()
        #expect(try postern(["key", "import"], input: secret + "\r\n").output == first.output)
        #expect(try postern(["key", "import"], input: secret).output == first.output)
        for (input, text) in [
            ("12 objects imported automatically (use -v 2 for details).\n\n" + secret + "\n", "more than one line"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "PEM"), ("", "holds no secret"), ("short", "32 bytes"),
            ("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", "PEM, not a secret"),
            ("MCowBQYDK2VwAyEA7/qmoj6sexkCUjxtM/8gGk5a4Buf+anqb2vyUuRug5Y=\n", "DER, not a secret"),
            ("{\"keys\":[\(String(repeating: "{\"kty\":\"RSA\"},", count: 99))1]}", "POSTERN_JWT_JWKS"),
            (String(repeating: "k", count: 1025), "more than 1024 bytes"),
        ] {
            let result = try postern(["key", "import"], input: input)
            #expect(result.code == 65 || result.code == 66, "\(input)")
            #expect(result.error.contains(text), "\(result.error)")
            #expect(!result.error.contains(secret), "\(result.error)")
        }
        #expect(try postern(["key", "list", "--json"]).output.components(separatedBy: "\"id\"").count == 3)
    }
}
