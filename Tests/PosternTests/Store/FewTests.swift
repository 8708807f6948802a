import Foundation
import Testing

@testable import Journal
@testable import Postern

/// A store that was opened for few questions says what one says that has read everything.
@Suite("Stores that are opened for few questions")
struct FewTests {
    private let temporary: TemporaryStore
    private var path: String { temporary.path }
    private var store: Store { temporary.store }

    init() throws { temporary = try TemporaryStore(lookInterval: 0) }

    private func few() throws -> Store { try Store(openingForFew: path) }

    private func name(_ text: String) throws -> Username { try Username(text.utf8) }

    private func add(_ text: String) throws -> User { try store.addUser(try name(text), passwordHash: nil) }

    private func startSession(for user: User) throws -> Session {
        try store.startSession(.random(), for: user, lifetime: 3600, idleLimit: 3600)
    }

    private func journal(_ name: String) throws -> (JournalFolder, Journal) {
        let folder = try JournalFolder(opening: path, kind: "postern", version: 1)
        return (folder, try Journal(opening: name, in: folder))
    }

    private func append(_ events: [Event], to name: String) throws {
        try journal(name).1.append(reset: { _ in }, apply: { _ in }, events: { events })
    }

    private func put(_ name: String, _ bytes: [UInt8]) throws {
        try FileManager.default.removeItem(atPath: path + "/" + name)
        try makePrivateFile(path + "/" + name, bytes)
    }

    /// As after a boot from which the lock file did not come back.
    private func forgetLock() throws {
        let fresh = path + "-fresh"
        try Store.create(at: fresh)
        try put("lock", [UInt8](try Data(contentsOf: URL(fileURLWithPath: fresh + "/lock"))))
        try FileManager.default.removeItem(atPath: fresh)
    }

    @Test("Whatever happened to the users, each of them is what the whole says, by name and by id")
    func users() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = Seeded(seed: seed)
        let names = try ["ann", "ann2", "bob", "zoë", "zoe\\", "x"].map(name)
        let groups = try ["a", "b"].map { try GroupName($0.utf8) }
        for group in groups { try store.setGroup(group, permissions: []) }
        for step in 0..<300 {
            let new = names.randomElement(using: &random) ?? names[0]
            let user = try store.allUsers().randomElement(using: &random)
            let isTaken = try store.user(named: new) != nil
            switch (Int.random(in: 0..<9, using: &random), user) {
            case (0, _), (_, nil): if !isTaken { _ = try store.addUser(new, passwordHash: "hash\(step)") }
            case (1, let user?): try store.setPassword(of: user.id, to: "hash\(step)")
            case (2, let user?): try store.setActive(user.id, .random(using: &random))
            case (3, let user?): try store.revokeAll(of: user.id)
            case (4, let user?): try store.deleteUser(user.id)
            case (5, let user?): try? store.grant(user.id, addingGroups: [groups[step % 2]], removingGroups: [])
            case (6, _): try? store.deleteGroup(groups[step % 2])
            case (7, _): try store.setGroup(groups[step % 2], permissions: [try PermissionName("a.p\(step)".utf8)])
            case (_, var user?):
                user.username = new
                if !isTaken { try append([UserTable.event(.granted, user)], to: "users") }
            }
            guard step % 10 == 0 else { continue }
            let (comment, whole): (Comment, Store) = ("seed \(seed), step \(step)", try temporary.reopened())
            #expect(try few().groups() == whole.groups(), comment)
            for name in names {
                let (one, other) = (try few().user(named: name), try whole.user(named: name))
                #expect(one == other, comment)
                // Another question after the first.
                let both = try few()
                _ = try both.user(named: name)
                #expect(try names.map { try both.user(named: $0) } == names.map { try whole.user(named: $0) }, comment)
                #expect(try both.allUsers() == whole.allUsers(), comment)
            }
            for user in try whole.allUsers() { #expect(try few().user(user.id) == user, comment) }
        }
    }

    @Test("Only what is asked about is kept")
    func little() throws {
        let users = try (0..<20).map { try add("user\($0)") }
        let session = try startSession(for: users[7])
        _ = try startSession(for: users[8])
        let store = try few()
        #expect(try store.user(named: users[3].username) == users[3])
        #expect(try store.users.read(about: .user(users[3].id)) { $0.userCount } == 1)
        #expect(try store.sessions(of: users[7].id).map(\.id) == [session.id])
        #expect(try store.sessions.read(about: .of(users[7].id)) { $0.sessionCount } == 1)
        #expect(try store.allSessions().count == 2 && store.allUsers() == users)
    }

    @Test("What nobody asks about keeps nobody from what is asked about")
    func damage() throws {
        let ann = try add("ann")
        _ = try startSession(for: ann)
        var bytes = try temporary.contents(of: "sessions")
        bytes[bytes.count / 2] ^= 1
        try put("sessions", bytes)
        #expect(throws: StoreError.self) { try Store(opening: path) }
        try few().setActive(ann.id, false)
        #expect(throws: StoreError.self) { try few().sessions(of: ann.id) }
        // Who may be named there is not known.
        #expect(throws: StoreError.self) { try few().addUser(try name("bob"), passwordHash: nil) }
    }

    @Test("Users that are added get ids and epochs that nobody has had, whoever names them")
    func floors() throws {
        let ann = try add("ann")
        let far = Timestamp(seconds: Timestamp.lastSecond)
        let start = SessionTable.start(
            Session(
                id: 70,
                digest: SecretDigest(of: [1][...]),
                user: 900,
                epoch: 1,
                started: store.now(),
                expires: far,
                idleLimit: 9,
                lastUsed: store.now()
            )
        )
        try append([start], to: "sessions")
        let other = try few()
        let bob = try other.addUser(try name("bob"), passwordHash: nil)
        #expect(bob.id == 901)
        var late = ann
        late.epoch = store.now().adding(seconds: 3600).microseconds
        try append([UserTable.event(.revoked, late)], to: "users")
        #expect(try few().addUser(try name("cleo"), passwordHash: nil).epoch > late.epoch)
        #expect(try few().setPassword(of: bob.id, to: "hash").epoch > late.epoch)
        #expect(
            try few().startSession(.random(), for: bob.with(epoch: try few().user(bob.id)), lifetime: 9, idleLimit: 9)
                .id == 71
        )
    }

    @Test("A journal that lost its end is refused by what another one said long ago", arguments: [0, 40_000])
    func claims(lines: Int) throws {
        let ann = try add("ann")
        let known = try temporary.contents(of: "users")
        _ = try add("bob")
        let session = try startSession(for: ann)
        let uses = [Event](repeating: SessionTable.use(of: session.id), count: 100)
        for _ in 0..<lines / 100 { try append(uses, to: "sessions") }
        try put("users", known)
        try forgetLock()
        #expect(throws: StoreError.self) { try Store(opening: path) }
        #expect(throws: StoreError.self) { try few().user(named: ann.username) }
        #expect(throws: StoreError.self) { try few().setActive(ann.id, false) }
        #expect(try temporary.contents(of: "users") == known)
    }

    @Test("Time goes on from the latest event, in whichever journal that is")
    func clock() throws {
        let ann = try add("ann")
        let session = try startSession(for: ann)
        let (folder, journal) = try journal("sessions")
        let late = store.now().adding(seconds: 3600)
        folder.saw(late)
        try journal.append(reset: { _ in }, apply: { _ in }, events: { [SessionTable.use(of: session.id)] })
        try forgetLock()
        #expect(try few().now() >= late)
    }
}

extension User {
    fileprivate func with(epoch other: User?) -> User {
        var user = self
        user.epoch = other?.epoch ?? epoch
        return user
    }
}
