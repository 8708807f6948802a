import Journal
import Testing

@testable import Postern

@Suite("Store of users and tokens")
struct StoreTests {
    private let temporary: TemporaryStore
    private var store: Store { temporary.store }

    init() throws { temporary = try TemporaryStore() }

    @Test("A new store has no account in it")
    func empty() throws {
        #expect(try store.allUsers().isEmpty)
        #expect(try store.allTokens().isEmpty)
    }

    @Test("What was written is there for another process, whole")
    func reopened() throws {
        let ann = try store.addUser(try Username("ann\u{E9}".utf8), passwordHash: "hash", isStaff: true)
        let secret = TokenSecret.random()
        let token = try store.issueToken(secret, for: ann, label: "tab\tline\nback\\slash")
        let other = try temporary.reopened()
        #expect(try other.user(ann.id) == ann)
        #expect(try other.user(named: ann.username) == ann)
        #expect(try other.token(secret.digest) == token)
    }

    @Test("A change in one process is seen by the next read of another")
    func follows() throws {
        let other = try temporary.reopened()
        let ann = try store.addUser(try Username("ann".utf8), passwordHash: nil)
        #expect(try other.user(ann.id) == ann)
        try store.grant(ann.id, staff: true)
        #expect(try other.user(ann.id)?.isStaff == true)
        let secret = TokenSecret.random()
        let token = try other.issueToken(secret, for: ann)
        #expect(try store.token(secret.digest) == token)
        try store.revokeToken(token.id)
        #expect(try other.token(secret.digest) == nil)
    }

    @Test("A username is given once, and an id never again")
    func uniqueness() throws {
        let name = try Username("ann".utf8)
        let first = try store.addUser(name, passwordHash: nil)
        #expect(throws: StoreError.self) { try store.addUser(name, passwordHash: nil) }
        try store.deleteUser(first.id)
        let second = try store.addUser(name, passwordHash: nil)
        #expect(second.id > first.id)
        #expect(try temporary.reopened().user(first.id) == nil)
    }

    @Test("The last id is not given again after its owner was deleted and the store reopened")
    func lastID() throws {
        let ann = try store.addUser(try Username("ann".utf8), passwordHash: nil)
        let token = try store.issueToken(.random(), for: ann)
        try store.deleteUser(ann.id)
        try store.revokeToken(token.id)
        let other = try temporary.reopened()
        let ben = try other.addUser(try Username("ben".utf8), passwordHash: nil)
        #expect(ben.id > ann.id)
        #expect(try other.issueToken(.random(), for: ben).id > token.id)
    }

    @Test("A new password and disabling raise the epoch; other changes do not")
    func epoch() throws {
        let ann = try store.addUser(try Username("ann".utf8), passwordHash: "one")
        try store.setPassword(of: ann.id, to: "two")
        let first = try #require(try store.user(ann.id)?.epoch)
        // By the clock, so that none comes again that was lost.
        #expect(first >= ann.created.seconds)
        try store.setActive(ann.id, false)
        let second = try #require(try store.user(ann.id)?.epoch)
        #expect(second > first)
        try store.setActive(ann.id, false)
        try store.setActive(ann.id, true)
        try store.grant(ann.id, staff: true, superuser: true)
        try store.replaceHash(of: ann.id, "two", by: "three")
        try store.replaceHash(of: ann.id, "two", by: "never")
        let now = try store.user(ann.id)
        #expect(now?.epoch == second)
        #expect(now?.passwordHash == "three")
        #expect(now?.isActive == true)
    }

    @Test("What does not exist cannot be changed")
    func missing() {
        #expect(throws: StoreError.self) { try store.setActive(7, false) }
        #expect(throws: StoreError.self) { try store.deleteUser(7) }
        #expect(throws: StoreError.self) { try store.revokeToken(7) }
    }

    @Test("Neither a token nor a password is in any file of the store")
    func secrets() throws {
        let accounts = Accounts(store: store)
        let password = "a password of some length"
        let (_, secret) = try accounts.addUser(
            try Username("ann".utf8),
            password: Array(password.utf8),
            withToken: true
        )
        let text = try #require(secret).text
        for file in ["users", "tokens", "lock", "VERSION"] {
            let contents = String(decoding: try temporary.contents(of: file), as: UTF8.self)
            #expect(!contents.contains(text))
            #expect(!contents.contains(text.dropFirst(4).prefix(30)))
            #expect(!contents.contains(password))
        }
    }

    @Test("Signals tell what is on disk")
    func signals() throws {
        let accounts = Accounts(store: store, issuesTokenWithUser: true)
        let received = Received()
        accounts.signals.connect { signal, _ in
            switch signal {
            case .userCreated(let user): received.append("created \(user.username)")
            case .userChanged(let user, let change, _): received.append("\(change) \(user.username)")
            case .groupChanged(let name, let change): received.append("\(change) group \(name)")
            case .loggedIn(let user): received.append("logged in \(user.username)")
            case .loggedOut(let user, let id): received.append("logged out \(user.map { "\($0.username)" } ?? "\(id)")")
            case .loginFailed(let name): received.append("failed \(String(decoding: name, as: UTF8.self))")
            case .refreshTokenReused(let user): received.append("reused \(user.username)")
            case .tokenIssued(let token): received.append("issued \(token.id)")
            case .tokenRevoked(let token): received.append("revoked \(token.id)")
            }
        }
        let (ann, secret) = try accounts.addUser(
            try Username("ann".utf8),
            password: Array("correct horse battery".utf8)
        )
        let digest = try #require(secret).digest
        let token = try #require(try store.token(digest))
        #expect(token.user == ann.id)
        try accounts.revokeToken(token.id)
        #expect(try accounts.user(named: Array("ann".utf8), password: Array("wrong".utf8)) == nil)
        #expect(try accounts.user(named: Array("ann".utf8), password: Array("correct horse battery".utf8)) == ann)
        #expect(received.texts == ["created ann", "issued \(token.id)", "revoked \(token.id)", "failed ann"])
    }

    @Test("A hash of other parameters is replaced at the next login, which ends nothing that was issued")
    func renewedHash() throws {
        let old = PasswordTests.djangoHash
        let ann = try store.addUser(try Username("ann".utf8), passwordHash: old)
        let accounts = Accounts(store: store)
        #expect(try accounts.user(named: ann.username.bytes, password: Array("lètmein".utf8)) == ann)
        let now = try #require(try store.user(ann.id))
        #expect(now.passwordHash?.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$") == true)
        #expect(now.epoch == ann.epoch)
        #expect(try accounts.user(named: ann.username.bytes, password: Array("lètmein".utf8)) == now)
    }

    @Test("Whoever there is not, is disabled, has no password or no name costs a hash like everybody")
    func sameCost() throws {
        let password = Array("correct horse battery".utf8)
        let accounts = Accounts(store: store)
        let (ina, _) = try accounts.addUser(try Username("ina".utf8), password: password)
        try store.setActive(ina.id, false)
        _ = try accounts.addUser(try Username("bot".utf8), password: nil)
        // Where no password can be hashed, an answer would have come without a hash.
        let withoutHasher = Accounts(store: store, hasher: PasswordHasher(threads: 1, maximumQueue: 0))
        for name in ["nobody", "ina", "bot", "", "a:b", "\u{0}", String(repeating: "x", count: 100_000)] {
            for tried in [password, [], [UInt8](repeating: 0x61, count: 100_000)] {
                #expect(throws: APIError.self) { try withoutHasher.user(named: Array(name.utf8), password: tried) }
                if tried == password { #expect(try accounts.user(named: Array(name.utf8), password: tried) == nil) }
            }
        }
    }

    @Test("Of a hundred threads that add the same name exactly one does")
    func racing() async throws {
        let name = try Username("ann".utf8)
        let store = store
        let other = try temporary.reopened()
        let added = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<100 {
                group.addTask { (try? (number % 2 == 0 ? store : other).addUser(name, passwordHash: nil)) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(added == 1)
        #expect(try store.allUsers().count == 1)
    }
}

/// What receivers of signals were told, in order.
private final class Received: @unchecked Sendable {
    // Only one test's own thread sends the signals that are kept here.
    private(set) var texts: [String] = []

    func append(_ text: String) { texts.append(text) }
}
