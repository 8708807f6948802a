import Foundation
import Journal
import Testing

@testable import Postern

/// What was given to one user is never another's, whatever happens to the end of a file.
@Suite("Identities are given once")
struct IdentityTests {
    private let site: InProcessSite
    private var path: String { site.temporary.path }

    init() throws { site = try InProcessSite() }

    /// What opens the account of a user.
    private struct Credentials {
        let user: User
        let token: Token
        let session: Session
        let access: String
    }

    private func user(_ name: String) throws -> Credentials {
        let user = try site.store.user(named: try Username(name.utf8)) ?? site.addUser(name)
        return Credentials(
            user: user,
            token: try site.accounts.issueToken(for: user).0,
            session: try site.store.startSession(SessionKey.random(), for: user, lifetime: 3600, idleLimit: 3600),
            access: site.pair(name).access
        )
    }

    private func bytes(_ name: String) throws -> Data { Data(try site.temporary.contents(of: name)) }

    private func put(_ name: String, _ bytes: Data) throws {
        try FileManager.default.removeItem(atPath: path + "/" + name)
        try makePrivateFile(path + "/" + name, [UInt8](bytes))
    }

    /// As after a boot from which the lock file did not come back.
    private func forgetLock() throws {
        let fresh = path + "-fresh"
        try Store.create(at: fresh)
        try put("lock", try Data(contentsOf: URL(fileURLWithPath: fresh + "/lock")))
        try FileManager.default.removeItem(atPath: fresh)
    }

    /// Nothing of those that are lost opens the account of somebody who comes now.
    private func expectNobodyElse(_ lost: [Credentials], _ comment: Comment) throws {
        let store = try Store(opening: path)
        let new = try store.addUser(try Username("new".utf8), passwordHash: nil)
        for credentials in lost {
            guard try store.user(named: credentials.user.username) == nil else { continue }
            #expect(new.epoch != credentials.user.epoch, comment)
            let issuance = Issuance.epoch(credentials.user.epoch)
            #expect(CredentialFault.of(try store.user(credentials.user.id), issuance) != nil, comment)
            if let token = try store.token(credentials.token.digest) {
                #expect(new.id != token.user, comment)
            }
        }
    }

    @Test("Whatever group the journal of users ends with, and whatever is known of it")
    func everyEnd() throws {
        let (first, known) = (try user("ann"), try bytes("users"))
        let lost = try ["bob", "cleo", "dan"].map(user)
        let (users, tokens, sessions) = (try bytes("users"), try bytes("tokens"), try bytes("sessions"))
        let lock = try bytes("lock")
        var ends: [Int] = []
        for (place, byte) in users.enumerated() where byte == 0x0A && place + 1 >= known.count {
            ends.append(place + 1)
        }
        for end in ends {
            for isForgotten in [false, true] {
                try put("users", users.prefix(end))
                try put("tokens", tokens)
                try put("sessions", sessions)
                try put("lock", lock)
                if isForgotten { try forgetLock() }
                // What tokens and sessions say of the users.
                if end < users.count { #expect(throws: StoreError.self, "\(end)") { try Store(opening: path) } }
                _ = try Store.repair(at: path)
                try expectNobodyElse(lost, "cut at \(end), \(isForgotten)")
                let store = try Store(opening: path)
                let new = try #require(try store.user(named: try Username("new".utf8)))
                #expect(!lost.map(\.user.id).contains(new.id))
                #expect(try store.user(first.user.id) == first.user)
            }
        }
    }

    @Test("Where nobody knows that an end is lost, the epoch still is another one")
    func untold() throws {
        _ = try site.user("ann")
        let known = try bytes("users")
        let bob = try site.addUser("bob")
        let access = site.pair("bob").access
        try put("users", known)
        for name in ["tokens", "sessions", "revocations"] {
            try put(name, Data("".utf8))
        }
        // Of another store: nothing in it says anything of this one.
        let fresh = path + "-fresh"
        try Store.create(at: fresh)
        for name in ["tokens", "sessions", "revocations", "lock"] {
            try put(name, try Data(contentsOf: URL(fileURLWithPath: fresh + "/" + name)))
        }
        try FileManager.default.removeItem(atPath: fresh)
        let store = try Store(opening: path)
        let new = try store.addUser(try Username("carl".utf8), passwordHash: nil)
        #expect(new.epoch != bob.epoch)
        #expect(!access.isEmpty)
        #expect(CredentialFault.of(new, .epoch(bob.epoch)) != nil)
    }

    @Test("Two copies of a store whose clock is behind go on with other epochs")
    func behind() {
        let last: Int64 = 4_000_000_000_000_000
        let epochs = Set((0..<64).map { Store.epoch(after: last, at: .now(), $0) })
        #expect(epochs.count == 64)
        #expect(epochs.allSatisfy { $0 > last })
        #expect(Store.epoch(after: 1, at: Timestamp(seconds: 5), 0) == 5_000_000)
    }

    @Test("A repair that is ended before it says anything has kept what must not be given again")
    func reserved() throws {
        let eve = try site.addUser("eve")
        var users = try bytes("users")
        users.removeLast(20)
        try put("users", users)
        #expect(throws: StoreError.self) { try Store(opening: path) }
        _ = try Store.repair(at: path)
        let text = String(decoding: try bytes("users"), as: UTF8.self)
        // In the file from the first moment on, which is one group of it, not one that was appended.
        #expect(text.contains("\tlast-id\t"))
        let new = try Store(opening: path).addUser(try Username("new".utf8), passwordHash: nil)
        #expect(new.id > eve.id + 1000)
    }

    @Test("What a repair tells of a lost line has no digest and no hash, whichever of its columns is gone")
    func nothingSecret() throws {
        let secrets = ["sha256:" + String(repeating: "ab", count: 32), "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"]
        let time = "2026-11-30T12:00:00.000000Z"
        let lines = [
            ("tokens", [time, "issued", "3", secrets[0], "7", "1", time, "-", "label"]),
            ("users", [time, "added", "3", "eve", "active", "1", time, secrets[1], "", ""]),
            ("sessions", [time, "started", "3", secrets[0], "7", "1", time, time, "60"]),
        ]
        for (journal, columns) in lines {
            for gone in columns.indices {
                var left = columns
                left.remove(at: gone)
                for separator in ["\t", " "] {
                    let line = Store.LostLine(Array(left.joined(separator: separator).utf8), of: journal)
                    let told = (line?.cause ?? "") + (line?.subject ?? "")
                    #expect(!secrets.contains { told.contains($0.prefix(12)) }, "\(told)")
                }
            }
            let whole = try #require(Store.LostLine(Array(columns.joined(separator: "\t").utf8), of: journal))
            #expect(whole.subject?.contains("3") ?? false)
        }
    }

    @Test("A credential of another epoch than its user's is dead, of a later one as well")
    func epochs() throws {
        let user = try site.user("ann")
        #expect(CredentialFault.of(user, .epoch(user.epoch)) == nil)
        for other in [user.epoch - 1, user.epoch + 1, 1, .max] {
            #expect(CredentialFault.of(user, .epoch(other)) != nil, "\(other)")
        }
        let others = try (0..<50).map { try site.addUser("user\($0)").epoch }
        #expect(Set(others + [user.epoch]).count == 51)
        #expect(others == others.sorted())
    }
}
