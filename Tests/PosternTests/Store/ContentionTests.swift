import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import Postern

@Suite("Contention", .randomized, .timeLimit(.minutes(15)))
struct ContentionTests {
    /// A token and what has been done about it, so that every look at it can be judged.
    private final class Life: Sendable {
        enum State: Int {
            case issued, revoking, revoked
        }

        let token: Token
        private let state = Atomic(State.issued.rawValue)

        init(_ token: Token) { self.token = token }

        var now: State { State(rawValue: state.load(ordering: .sequentiallyConsistent)) ?? .issued }

        /// - Returns: Whether nobody else has begun to.
        func beginRevoking() -> Bool {
            state.compareExchange(
                expected: State.issued.rawValue,
                desired: State.revoking.rawValue,
                ordering: .sequentiallyConsistent
            ).exchanged
        }

        func isRevoked() { state.store(State.revoked.rawValue, ordering: .sequentiallyConsistent) }
    }

    @Test("Each token is good from its issue to its revocation, for every thread of every process, while all write")
    func linearizable() throws {
        let site = try InProcessSite()
        let ann = try site.user("ann")
        let stores = try (0..<4).map { _ in try Store(opening: site.temporary.path) }
        let lives = Mutex<[Life]>([])
        let found = Mutex<[String]>([])
        let checks = Atomic(0)
        let revocations = Atomic(0)

        @Sendable func step(_ store: Store) throws {
            let life = lives.withLock { $0.randomElement(using: &seeded) }
            switch (Int.random(in: 0..<10, using: &seeded), life) {
            case (0..<2, _), (_, nil):
                let life = Life(try Accounts(store: store).issueToken(for: ann).0)
                lives.withLock { $0.append(life) }
            case (2, let life?):
                guard life.beginRevoking() else { return }
                try store.revokeToken(life.token.id)
                life.isRevoked()
                revocations.add(1, ordering: .relaxed)
            case (_, let life?):
                let before = life.now
                let isGood = try store.token(life.token.digest) != nil
                let after = life.now
                checks.add(1, ordering: .relaxed)
                if isGood && before == .revoked { found.withLock { $0.append("token \(life.token.id) lives on") } }
                if !isGood && after == .issued { found.withLock { $0.append("token \(life.token.id) is not there") } }
            }
        }

        let group = DispatchGroup()
        for thread in 0..<16 {
            DispatchQueue(label: "thread \(thread)").async(group: group) {
                do {
                    for _ in 0..<600 { try step(stores[thread % 4]) }
                    if thread % 4 == 0 { _ = try stores[thread / 4].compact() }
                    for _ in 0..<600 { try step(stores[thread % 4]) }
                } catch {
                    found.withLock { $0.append("\(error)") }
                }
            }
        }
        group.wait()
        #expect(found.withLock { $0 } == [])
        #expect(checks.load(ordering: .relaxed) > 1000)
        #expect(revocations.load(ordering: .relaxed) > 100)
        let alive = lives.withLock { $0.filter { $0.now == .issued }.map(\.token.id).sorted() }
        for store in stores + [try Store(opening: site.temporary.path)] {
            #expect(try store.allTokens().map(\.id) == alive)
        }
    }
}
