import Foundation
import Testing

@testable import Journal
@testable import Postern

/// A store with one user, and work on it of which each call fails, or is the last one, in turn.
struct FaultyStore {
    private let temporary: TemporaryFolder
    let ann: User
    var folder: String { temporary.path }
    var path: String { folder + "/store" }

    init() throws {
        temporary = try TemporaryFolder()
        try Store.create(at: temporary.path + "/store")
        ann = try Store(opening: temporary.path + "/store").addUser(try Username("ann".utf8), passwordHash: nil)
    }

    /// Does the work until it makes no further call of the kind.
    ///
    /// - Parameters:
    ///   - file: How the path ends whose calls count; nil: all of them.
    ///   - prepare: Called before each time with its number, from 1 on; by default it leaves the work of a writer that was killed
    ///     at the end of the tokens.
    ///   - work: What a process does, which has nothing but these calls.
    ///   - check: Called with what came of it; nil when it failed or was killed.
    func forEveryCall<Done>(
        _ fault: CallFault,
        of file: String? = nil,
        prepare: ((Int) throws -> Void)? = nil,
        _ work: (FailingCalls, Int) throws -> Done,
        check: (Done?, Int) throws -> Void
    ) throws {
        var hits = 0
        for number in 1... {
            try #require(number < 2000)
            if let prepare { try prepare(number) } else { try tear() }
            let calls = FailingCalls(fault, at: number, of: file)
            let done = try result(calls, number, work)
            let isOver = calls.hits.isEmpty
            if !isOver { hits += 1 }
            if fault.isFatal && !isOver && !calls.hasHitMemory { #expect(done == nil, "call \(number): \(calls.hits)") }
            try check(done, number)
            if isOver {
                #expect(done != nil)
                break
            }
        }
        #expect(hits > 0, "no such call was made")
    }

    /// The store is closed when this returns, as when a process ends.
    private func result<Done>(
        _ calls: FailingCalls,
        _ number: Int,
        _ work: (FailingCalls, Int) throws -> Done
    ) throws -> Done? {
        do {
            let done = try work(calls, number)
            return calls.isKilled ? nil : done
        } catch let error as StoreError {
            #expect(!error.description.contains("\n"), "call \(number)")
            return nil
        }
    }

    /// Leaves the beginning of a group at the end of the tokens.
    func tear() throws {
        let file = try #require(FileHandle(forWritingAtPath: path + "/tokens"))
        try file.seekToEnd()
        try file.write(contentsOf: Data("#\t9".utf8))
        try file.close()
    }

    /// As after a boot: nobody knows what was synced.
    func forgetSyncs() { truncate(path + "/lock", 0) }

    /// Lets the sync of an append to the tokens fail.
    func failSync() throws {
        let calls = FailingCalls(CallFault(call: .fdatasync, outcome: .error(EIO)), at: 1, of: "/tokens")
        #expect(throws: StoreError.self) { try issue(calls) }
        #expect(calls.hits == [path + "/tokens"])
    }

    /// A token that a process issues; its id.
    @discardableResult
    func issue(_ system: any System = Linux()) throws -> Int64 {
        let store = try Store(opening: path, system: system)
        let user = try #require(try store.user(named: Username("ann".utf8)))
        return try Accounts(store: store).issueToken(for: user).0.id
    }

    /// What a process sees that opens the store now.
    func tokens() throws -> [Int64] { try Store(opening: path).allTokens().map(\.id) }
}
