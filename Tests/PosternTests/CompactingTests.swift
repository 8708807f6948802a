import Foundation
import Journal
import Synchronization
import Testing

@testable import Postern

@Suite("Compacting a store")
struct StoreCompactingTests {
    private let gate: Gate
    private let ann: User

    init() throws {
        gate = try Gate()
        ann = try gate.user("ann")
    }

    private func size(_ journal: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: gate.temporary.path + "/" + journal)[.size] as? Int ?? 0
    }

    @Test("Users are as they were, with epochs, groups and what a password ended")
    func users() throws {
        let store = gate.store
        for group in ["ops", "gone"] {
            try store.setGroup(try GroupName(group.utf8), permissions: [try PermissionName("a.b".utf8)])
        }
        try store.grant(
            ann.id,
            addingGroups: [try GroupName("ops".utf8), try GroupName("gone".utf8)],
            addingPermissions: [try PermissionName("c.d".utf8)]
        )
        try store.deleteGroup(try GroupName("gone".utf8))
        try gate.accounts.setPassword(of: ann, to: Array("another horse battery staple".utf8))
        try store.revokeAll(of: ann.id)
        let gone = try gate.addUser("gone")
        try store.deleteUser(gone.id)
        let before = try store.allUsers()
        let results = try store.compact()
        #expect(results.map(\.journal) == ["users", "tokens", "sessions", "revocations"])
        #expect(results[0].after < results[0].before)
        let reopened = try gate.temporary.reopened()
        for other in [store, reopened] {
            #expect(try other.allUsers() == before)
            #expect(try other.groups().keys.map(\.description) == ["ops"])
        }
        #expect(try reopened.addUser(try Username("new".utf8), passwordHash: nil).id == gone.id + 1)
        // Again, from what was compacted.
        _ = try reopened.compact()
        #expect(try gate.temporary.reopened().allUsers().prefix(2) == before.prefix(2))
    }

    @Test(
        "Tokens that are good stay; what was revoked, has long ended or is of another epoch leaves; ids do not return"
    )
    func tokens() throws {
        let store = gate.store
        let now = store.now()
        func issue(_ expires: Int64?, _ user: User? = nil) throws -> Token {
            try gate.accounts.issueToken(for: user ?? ann, expires: expires.map { now.adding(seconds: $0) }).0
        }
        let stella = try gate.user("stella")
        let dead = try issue(nil, stella)
        try store.revokeAll(of: stella.id)
        let kept = [try issue(nil), try issue(60), try issue(-86_400), try issue(nil, try gate.user("stella"))]
        let ended = try issue(-8 * 86_400)
        let limited = try gate.accounts.issueToken(
            for: ann,
            renewal: 60,
            limits: try TokenLimits(scopes: ["a"], paths: ["/x"])
        ).0
        let revoked = try issue(nil)
        try store.revokeToken(revoked.id)
        _ = try store.compact()
        let all = try gate.temporary.reopened().allTokens()
        #expect(all.map(\.id) == (kept + [limited]).map(\.id))
        #expect(try store.allTokens() == all)
        #expect(all.last?.limits == limited.limits)
        #expect(try store.token(dead.digest) == nil && store.token(ended.digest) == nil)
        #expect(try issue(nil).id == revoked.id + 1)
    }

    @Test("Sessions keep their last use; families of refresh tokens go on where they were")
    func sessionsAndFamilies() throws {
        let store = gate.store
        let login = gate.ask("session.login", headers: ["HOST": "h"], body: Gate.login("ann"))
        let over = gate.ask("session.login", headers: ["HOST": "h"], body: Gate.login("ann"))
        #expect(
            gate.ask(
                "session.logout",
                headers: [
                    "HOST": "h", "ORIGIN": "http://h",
                    "COOKIE": over.cookies.map { "\($0)=\($1)" }.joined(separator: "; "),
                    "X_CSRFTOKEN": over.cookies["csrftoken"] ?? "",
                ]
            ).status < 400
        )
        let pair = gate.pair()
        let second = gate.ask("jwt.refresh", ["JWT_GRACE": "0s"], body: #"{"refresh":"\#(pair.refresh)"}"#)
        let ended = gate.pair()
        #expect(gate.ask("jwt.blacklist", body: #"{"refresh":"\#(ended.refresh)"}"#).status == 200)
        let before = try store.allSessions()
        #expect(try store.compact()[2].after < 6)
        #expect(try gate.temporary.reopened().allSessions() == before && before.count == 1)
        #expect(gate.whoami(["COOKIE": "sessionid=" + (login.cookies["sessionid"] ?? "")]) == "ann")
        #expect(gate.whoami(["COOKIE": "sessionid=" + (over.cookies["sessionid"] ?? "")]) == "")
        #expect(gate.whoami(Gate.bearer(ended.access)) == "")
        #expect(
            gate.ask("jwt.refresh", ["JWT_GRACE": "0s"], body: #"{"refresh":"\#(second["refresh"])"}"#).status == 200
        )
        // The first one was used up, before and after.
        #expect(gate.ask("jwt.refresh", ["JWT_GRACE": "0s"], body: #"{"refresh":"\#(pair.refresh)"}"#).status == 401)
    }

    @Test("Tokens that have ended, which no event tells of, leave by themselves, and are counted as dead before")
    func ended() throws {
        let store = gate.store
        let ends = store.now().adding(seconds: -30 * 86_400)
        for _ in 0..<20 { _ = try gate.accounts.issueToken(for: ann, expires: ends) }
        let kept = try gate.accounts.issueToken(for: ann).0
        #expect(try store.loads()[1].needed == 2)
        try store.compactWhatHasEnded(beyond: 100)
        #expect(try store.loads()[1].events == 21)
        try store.compactWhatHasEnded(beyond: 10)
        #expect(try store.loads()[1].events == 2 && store.allTokens().map(\.id) == [kept.id])
    }

    @Test("More sessions than are looked through at once keep their last use")
    func manySessions() throws {
        let now = gate.store.now()
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
        let store = gate.store
        store.maintainByItself(beyond: 64)
        let kept = try gate.accounts.issueToken(for: ann).0
        var greatest = 0
        for _ in 0..<1500 {
            let token = try gate.accounts.issueToken(for: ann).0
            #expect(try store.token(token.digest) != nil)
            try store.revokeToken(token.id)
            greatest = max(greatest, try size("tokens"))
        }
        #expect(try store.allTokens().map(\.id) == [kept.id])
        #expect(try gate.temporary.reopened().allTokens() == [kept])
        // 3000 events are half a megabyte.
        #expect(greatest < 150_000, "\(greatest)")
    }

    @Test(
        "Logging in and out, and revoking what ends soon, leaves small files by itself; many times more in the long mode"
    )
    func logins() throws {
        let store = gate.store
        store.maintainByItself(beyond: 512)
        let kept = try store.startSession(SessionKey.random(), for: ann, lifetime: 86_400, idleLimit: 86_400)
        // More writers share a sync.
        let writers = LongTests.are ? 64 : 8
        let users = try (0..<writers).map { try gate.addUser("user\($0)") }
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
        for store in [store, try gate.temporary.reopened()] {
            #expect(try store.allSessions().map(\.id) == [kept.id])
            #expect(try store.session(kept.digest)?.user == ann.id)
        }
        // The sessions of the short mode alone are 450 kilobytes of events.
        #expect(greatest.withLock { $0 } < 300_000, "\(greatest.withLock { $0 })")
    }
}
