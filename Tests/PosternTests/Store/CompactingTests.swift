import Foundation
import Journal
import Synchronization
import TestSupport
import Testing

@testable import Postern

@Suite("Compacting a store", .randomized)
struct StoreCompactingTests {
    private let site: InProcessSite
    private let ann: User

    init() throws {
        site = try InProcessSite()
        ann = try site.user("ann")
    }

    private func size(_ journal: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: site.temporary.path + "/" + journal)[.size] as? Int ?? 0
    }

    @Test("Users are as they were, with epochs, groups and what a password ended")
    func users() throws {
        let store = site.store
        for group in ["ops", "gone"] {
            try store.setGroup(try GroupName(group.utf8), permissions: [try PermissionName("a.b".utf8)])
        }
        try store.grant(
            ann.id,
            addingGroups: [try GroupName("ops".utf8), try GroupName("gone".utf8)],
            addingPermissions: [try PermissionName("c.d".utf8)]
        )
        try store.deleteGroup(try GroupName("gone".utf8))
        try site.accounts.setPassword(of: ann, to: Array("another horse battery staple".utf8))
        try store.revokeAll(of: ann.id)
        let gone = try site.addUser("gone")
        try store.deleteUser(gone.id)
        let before = try store.allUsers()
        let results = try store.compact()
        #expect(results.map(\.journal) == ["users", "tokens", "sessions", "revocations"])
        #expect(results[0].after < results[0].before)
        let reopened = try site.temporary.reopened()
        for other in [store, reopened] {
            #expect(try other.allUsers() == before)
            #expect(try other.groups().keys.map(\.description) == ["ops"])
        }
        #expect(try reopened.addUser(try Username("new".utf8), passwordHash: nil).id == gone.id + 1)
        // Again, from what was compacted.
        _ = try reopened.compact()
        #expect(try site.temporary.reopened().allUsers().prefix(2) == before.prefix(2))
    }

    @Test(
        "Tokens that are good stay; what was revoked, has long ended or is of another epoch leaves; ids do not return"
    )
    func tokens() throws {
        let store = site.store
        let now = store.now()
        func issue(_ expires: Int64?, _ user: User? = nil) throws -> Token {
            try site.accounts.issueToken(for: user ?? ann, expires: expires.map { now.adding(seconds: $0) }).0
        }
        let stella = try site.user("stella")
        let dead = try issue(nil, stella)
        try store.revokeAll(of: stella.id)
        let kept = [try issue(nil), try issue(60), try issue(-86_400), try issue(nil, try site.user("stella"))]
        let ended = try issue(-8 * 86_400)
        let limited = try site.accounts.issueToken(
            for: ann,
            renewal: 60,
            limits: try TokenLimits(scopes: ["a"], paths: ["/x"]),
            source: .own
        ).0
        let revoked = try issue(nil)
        try store.revokeToken(revoked.id)
        _ = try store.compact()
        let all = try site.temporary.reopened().allTokens()
        #expect(all.map(\.id) == (kept + [limited]).map(\.id))
        #expect(try store.allTokens() == all)
        #expect(all.last?.limits == limited.limits)
        #expect(all.last?.source == .own)
        #expect(try store.token(dead.digest) == nil)
        #expect(try store.token(ended.digest) == nil)
        #expect(try issue(nil).id == revoked.id + 1)
    }

    @Test("Sessions keep their last use; families of refresh tokens go on where they were")
    func sessionsAndFamilies() throws {
        let store = site.store
        let login = site.ask("session.login", headers: ["HOST": "h"], body: InProcessSite.login("ann"))
        let over = site.ask("session.login", headers: ["HOST": "h"], body: InProcessSite.login("ann"))
        #expect(
            site.ask(
                "session.logout",
                headers: [
                    "HOST": "h", "ORIGIN": "http://h",
                    "COOKIE": over.cookies.map { "\($0)=\($1)" }.joined(separator: "; "),
                    "X_CSRFTOKEN": over.cookies["csrftoken"] ?? "",
                ]
            ).status < 400
        )
        let pair = site.pair()
        let second = site.ask("jwt.refresh", ["JWT_GRACE": "0s"], body: #"{"refresh":"\#(pair.refresh)"}"#)
        let ended = site.pair()
        #expect(site.ask("jwt.blacklist", body: #"{"refresh":"\#(ended.refresh)"}"#).status == 200)
        let before = try store.allSessions()
        #expect(try store.compact()[2].after < 6)
        #expect(try site.temporary.reopened().allSessions() == before)
        #expect(before.count == 1)
        #expect(site.whoami(["COOKIE": "sessionid=" + (login.cookies["sessionid"] ?? "")]) == "ann")
        #expect(site.whoami(["COOKIE": "sessionid=" + (over.cookies["sessionid"] ?? "")]) == "")
        #expect(site.whoami(InProcessSite.bearer(ended.access)) == "")
        #expect(
            site.ask("jwt.refresh", ["JWT_GRACE": "0s"], body: #"{"refresh":"\#(second["refresh"])"}"#).status == 200
        )
        // The first one was used up, before and after.
        #expect(site.ask("jwt.refresh", ["JWT_GRACE": "0s"], body: #"{"refresh":"\#(pair.refresh)"}"#).status == 401)
    }

    @Test("Tokens that have ended, which no event tells of, leave by themselves, and are counted as dead before")
    func ended() throws {
        let store = site.store
        let ends = store.now().adding(seconds: -30 * 86_400)
        for _ in 0..<20 { _ = try site.accounts.issueToken(for: ann, expires: ends) }
        let kept = try site.accounts.issueToken(for: ann).0
        #expect(try store.loads()[1].needed == 2)
        try store.compactWhatHasEnded(beyond: 100)
        #expect(try store.loads()[1].events == 21)
        try store.compactWhatHasEnded(beyond: 10)
        #expect(try store.loads()[1].events == 2)
        #expect(try store.allTokens().map(\.id) == [kept.id])
    }

    @Test("More sessions than are looked through at once keep their last use")
    func manySessions() throws {
        let now = site.store.now()
        var table = SessionTable()
        for id in 1...2200 as ClosedRange<Session.ID> {
            let session = Session(
                id: id,
                digest: SessionKey.random().digest,
                user: ann.id,
                epoch: 1,
                started: now.adding(seconds: -5 * 3600),
                expires: now.adding(seconds: 86_400),
                idleLimit: 3600,
                lastUsed: now.adding(seconds: -30)
            )
            // As a compaction writes them.
            try table.apply(Event(time: now, SessionTable.start(session).columns))
            try table.apply(Event(time: session.lastUsed, SessionTable.use(of: id).columns))
        }
        #expect(table.all.count == 2200)
    }

    @Test("Another process goes on as it was, without reading the new files, and sees the next revocation at once")
    func goesOn() throws {
        let (store, other) = (site.store, try site.temporary.reopened())
        let token = try site.accounts.issueToken(for: ann).0
        let session = try store.startSession(.random(), for: ann, lifetime: 3600, idleLimit: 60)
        let login = site.pair()
        _ = site.ask("jwt.refresh", body: #"{"refresh":"\#(login.refresh)"}"#)
        try other.checkReadable()
        _ = try store.compact()
        try store.revokeToken(token.id)
        try store.endSession(session.id)
        try store.revokeAll(of: ann.id)
        try store.revoke(Array("family".utf8), expires: store.now().adding(seconds: 60))
        #expect(try other.token(token.digest) == nil)
        #expect(try other.session(session.digest) == nil)
        #expect(try other.user(ann.id) == store.user(ann.id))
        #expect(try other.isRevoked(Array("family".utf8)))
        func ofFormerFiles(_ store: Store) -> [Bool] {
            [
                store.users.isOfFormerFile, store.tokens.isOfFormerFile, store.sessions.isOfFormerFile,
                store.revocations.isOfFormerFile,
            ]
        }
        #expect(ofFormerFiles(other) == [true, true, true, true])
        #expect(ofFormerFiles(store) == [false, false, false, false])
        let events = try other.loads().map(\.events)
        try other.users.replay()
        try other.tokens.replay()
        try other.sessions.replay()
        try other.revocations.replay()
        #expect(ofFormerFiles(other) == [false, false, false, false])
        #expect(try other.loads().map(\.events) == events)
        #expect(try other.loads().map(\.events) == site.temporary.reopened().loads().map(\.events))
        #expect(try other.user(ann.id) == store.user(ann.id))
        #expect(try other.token(token.digest) == nil)
    }

    @Test("An import is seen by all at once: nobody goes on as he was")
    func imported() throws {
        let other = try site.temporary.reopened()
        let file = site.temporary.path + "/../htpasswd"
        try makePrivateFile(file, Array("new:$apr1$12345678$1234567890123456789012\n".utf8))
        _ = try site.store.importHtpasswd(try ImportFile(file))
        #expect(try other.user(named: try Username("new".utf8)) != nil)
        #expect(!other.users.isOfFormerFile)
    }

    @Test("Whatever happened before and happens after, those who went on know what those know who read the new files")
    func same() throws {
        let seed = Randomized.seed
        var random = Seeded(seed: seed)
        let (store, others) = (site.store, try (0..<3).map { _ in try site.temporary.reopened() })
        let accounts = Accounts(store: store)
        let groups = try ["a", "b", "c"].map { try GroupName($0.utf8) }
        for group in groups { try store.setGroup(group, permissions: []) }
        func anyUser() throws -> User? { try store.allUsers().randomElement(using: &random) }
        for step in 0..<400 {
            let user = try anyUser() ?? site.addUser("again\(step)")
            switch Int.random(in: 0..<16, using: &random) {
            case 0:
                _ = try store.addUser(try Username("user\(step)".utf8), passwordHash: step % 2 == 0 ? "x\(step)" : nil)
            case 1: try store.setPassword(of: user.id, to: "hash\(step)")
            case 2: try store.setActive(user.id, .random(using: &random))
            case 3: try store.revokeAll(of: user.id)
            case 4: try store.deleteUser(user.id)
            case 5: try? store.grant(user.id, addingGroups: [groups.randomElement(using: &random) ?? groups[0]])
            case 6: try? store.deleteGroup(groups.randomElement(using: &random) ?? groups[0])
            case 7: try store.setGroup(groups[0], permissions: [try PermissionName("a.p\(step)".utf8)])
            case 8, 9:
                let ends = store.now().adding(seconds: .random(in: -700_000...700_000, using: &random))
                let source = Token.Source(rawValue: .random(in: 0...3, using: &random))
                _ = try accounts.issueToken(for: user, expires: step % 3 == 0 ? nil : ends, source: source)
            case 10:
                if let token = try store.allTokens().randomElement(using: &random) { try store.revokeToken(token.id) }
            case 11: _ = try store.startSession(.random(), for: user, lifetime: step % 2 == 0 ? 3600 : 0, idleLimit: 60)
            case 12: if let one = try store.allSessions().randomElement(using: &random) { try store.endSession(one.id) }
            case 13:
                let now = store.now()
                let successor = RefreshSuccessor(
                    jti: Array("s\(step)".utf8),
                    issued: now,
                    expires: now.adding(seconds: 60)
                )
                let family = Array("f\(step % 7)".utf8)
                _ = try store.rotate(family, of: family, expires: now, successor: successor, caller: [], grace: 0)
            case 14: try store.revoke(Array("f\(step % 7)".utf8), expires: store.now().adding(seconds: 60))
            default: _ = try (others + [store]).randomElement(using: &random)?.compact()
            }
            if step % 5 == 0 { try others[step / 5 % 3].checkReadable() }
            guard step % 20 == 0 else { continue }
            let fresh = try site.temporary.reopened()
            for other in others.dropLast(step % 3) + [store] {
                let comment: Comment = "seed \(seed), step \(step)"
                #expect(try other.allUsers() == fresh.allUsers(), comment)
                #expect(try other.groups() == fresh.groups(), comment)
                let now = fresh.now()
                func isGood(_ token: Token) throws -> Bool {
                    try fresh.user(token.user).map { token.isGood(for: $0, at: now) } ?? false
                }
                #expect(try other.allTokens().filter(isGood) == fresh.allTokens().filter(isGood), comment)
                func isOpen(_ one: Session) throws -> Bool {
                    try now < one.ends && fresh.user(one.user).map { one.epoch >= $0.epoch } ?? false
                }
                #expect(try other.allSessions().filter(isOpen) == fresh.allSessions().filter(isOpen), comment)
                for family in (0..<7).map({ Array("f\($0)".utf8) }) {
                    #expect(try other.refreshFamily(family) == fresh.refreshFamily(family), comment)
                }
            }
        }
    }

    @Test("Ids beyond which there is none are not believed")
    func lastID() {
        for verb in ["last-id", "issued"] {
            let event = Event([Array(verb.utf8), Array(String(Int64.max).utf8)])
            var (tokens, sessions, users) = (TokenTable(), SessionTable(), UserTable())
            #expect(throws: EventError.self) { try tokens.apply(event) }
            #expect(throws: EventError.self) { try sessions.apply(event) }
            #expect(throws: EventError.self) { try users.apply(event) }
        }
    }

    @Test("Coming and going leaves a small file by itself, and nothing of what is acknowledged is lost")
    func churn() throws {
        let store = site.store
        store.maintainByItself(beyond: 64)
        let kept = try site.accounts.issueToken(for: ann).0
        var greatest = 0
        for _ in 0..<1500 {
            let token = try site.accounts.issueToken(for: ann).0
            #expect(try store.token(token.digest) != nil)
            try store.revokeToken(token.id)
            greatest = max(greatest, try size("tokens"))
        }
        #expect(try store.allTokens().map(\.id) == [kept.id])
        #expect(try site.temporary.reopened().allTokens() == [kept])
        // 3000 events are half a megabyte.
        #expect(greatest < 150_000, "\(greatest)")
    }

    @Test(
        "Logging in and out, and revoking what ends soon, leaves small files by itself; many times more in the long mode"
    )
    func logins() throws {
        let store = site.store
        store.maintainByItself(beyond: 512)
        let kept = try store.startSession(SessionKey.random(), for: ann, lifetime: 86_400, idleLimit: 86_400)
        // More writers share a sync.
        let writers = LongTests.are ? 64 : 8
        let users = try (0..<writers).map { try site.addUser("user\($0)") }
        let rounds = LongTests.are ? 1_000_000 / writers : 150
        let failures = Mutex<[String]>([])
        let greatest = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: writers) { writer in
            do {
                for round in 0..<rounds {
                    let session = try store.startSession(
                        SessionKey.random(),
                        for: users[writer],
                        lifetime: 3600,
                        idleLimit: 60
                    )
                    try store.endSession(session.id)
                    try store.revoke(Array("\(writer).\(round)".utf8), expires: store.now().adding(seconds: -7200))
                    guard round % 16 == 0 else { continue }
                    let size = try max(size("sessions"), size("revocations"))
                    greatest.withLock { $0 = max($0, size) }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        for store in [store, try site.temporary.reopened()] {
            #expect(try store.allSessions().map(\.id) == [kept.id])
            #expect(try store.session(kept.digest)?.user == ann.id)
        }
        // The sessions of the short mode alone are 450 kilobytes of events.
        #expect(greatest.withLock { $0 } < 300_000, "\(greatest.withLock { $0 })")
    }
}
