import Foundation
import Journal
import Synchronization
import Testing

@testable import Postern

@Suite("Copies of a store")
struct BackupTests {
    private let site: InProcessSite
    private let ann: User

    init() throws {
        site = try InProcessSite()
        ann = try site.user("ann")
    }

    private var copy: String { site.temporary.path + "-copy" }

    @Test("A copy is a store with all that was there, and goes its own way")
    func whole() throws {
        let token = try site.accounts.issueToken(for: ann).0
        _ = site.pair()
        try site.store.backUp(to: copy)
        let other = try Store(opening: copy)
        #expect(try other.allUsers() == site.store.allUsers())
        #expect(try other.allTokens() == [token])
        #expect(try other.keyRing().keys.map(\.id) == site.store.keyRing().keys.map(\.id))
        try site.store.revokeToken(token.id)
        #expect(try other.token(token.digest) == token)
        _ = try other.issueToken(TokenSecret.random(), for: ann)
        #expect(try Store(opening: copy).allTokens().count == 2)
        for name in ["users", "tokens", "lock", "VERSION", "keys"] {
            let mode = try FileManager.default.attributesOfItem(atPath: copy + "/" + name)[.posixPermissions] as? Int
            #expect(mode == (name == "keys" ? 0o700 : 0o600))
        }
    }

    @Test("Where there is something already nothing is written, and damage is not copied")
    func refusals() throws {
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
        #expect(throws: StoreError.self) { try site.store.backUp(to: copy) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: copy).isEmpty)
        try FileManager.default.removeItem(atPath: copy)
        for _ in 0..<3 { _ = try site.accounts.issueToken(for: ann) }
        let file = try #require(FileHandle(forUpdatingAtPath: site.temporary.path + "/tokens"))
        try file.seek(toOffset: 150)
        try file.write(contentsOf: Data([0x21]))
        try file.close()
        #expect(throws: StoreError.self) { try site.store.backUp(to: copy) }
        #expect(!FileManager.default.fileExists(atPath: copy))
    }

    @Test("Copies that are made while others write and compact hold what was acknowledged before, and no half")
    func meanwhile() async throws {
        let store = site.store
        let acknowledged = Mutex<[Token.ID]>([])
        let isDone = Atomic(false)
        let accounts = site.accounts
        let ann = ann
        async let writer: Void = onThread {
            while !isDone.load(ordering: .relaxed) {
                let token = try accounts.issueToken(for: ann).0
                acknowledged.withLock { $0.append(token.id) }
                if token.id % 40 == 0 { _ = try store.compact() }
            }
        }
        for number in 0..<25 {
            let before = acknowledged.withLock { $0 }
            let path = copy + "\(number)"
            try store.backUp(to: path)
            let copied = try Store(opening: path).allTokens().map(\.id)
            #expect(copied.starts(with: before))
            #expect(copied == Array(copied.indices).map { Int64($0 + 1) })
        }
        isDone.store(true, ordering: .relaxed)
        try await writer
    }

    private func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }

    @Test(
        "What was issued since the copy was made to a user who is gone with it becomes nobody else's",
        arguments: [true, false]
    )
    func idsSinceThen(revokingAll: Bool) throws {
        try site.store.backUp(to: copy)
        let (before, gone) = (site.pair(), try site.user("stella"))
        let target = copy + "-restored"
        try Store.restore(copy, to: target, revokingAll: revokingAll)
        let restored = try Store(opening: target)
        let known = try #require(try restored.user(ann.id))
        #expect(known.epoch == ann.epoch || revokingAll && known.epoch >= ann.created.seconds)
        #expect(try restored.addUser(try Username("new".utf8), passwordHash: nil).id > gone.id)
        #expect(!before.access.isEmpty)
        try FileManager.default.removeItem(atPath: target)
    }

    @Test("What is in a store is counted")
    func loads() throws {
        _ = try site.accounts.issueToken(for: ann)
        let loads = try site.store.loads()
        #expect(loads.map(\.journal) == ["users", "tokens", "sessions", "revocations"])
        #expect(loads.map(\.events) == [2, 1, 0, 0])
        #expect(loads[1].bytes == Int64(try site.temporary.contents(of: "tokens").count))
    }
}
