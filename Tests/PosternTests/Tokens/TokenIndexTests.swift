import FastCGI
import Foundation
import Journal
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Postern

@Suite("The index of a large journal of tokens", .randomized)
struct TokenIndexTests {
    private let site: InProcessSite
    private let users: [User]
    private var path: String { site.temporary.path }

    init() throws {
        let site = try InProcessSite()
        self.site = site
        users = try ["ann", "stella"].map { try site.user($0) }
    }

    /// As a store with a journal of many megabytes is opened.
    private func openIndexed() throws -> Store { try open(unsaved: 0) }

    private func open(unsaved: Int64) throws -> Store {
        try Store(opening: path, unsaved: unsaved, progress: Store.noProgress)
    }

    private var indexes: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasPrefix("tokens.index") }
        }
    }

    /// Tokens of all kinds, and those that were revoked.
    private func fill(_ store: Store, _ count: Int = 60) throws -> (alive: [Token], dead: [Token]) {
        let accounts = Accounts(store: store)
        var (alive, dead): ([Token], [Token]) = ([], [])
        for number in 0..<count {
            let token = try accounts.issueToken(
                for: users[number % 2],
                label: number % 3 == 0 ? "" : "a label\tof é \(number)",
                expires: number % 4 == 0 ? nil : store.now().adding(seconds: 60),
                renewal: number % 5 == 0 ? 86_400 : nil,
                limits: number % 7 == 0 ? try TokenLimits(scopes: ["read"], paths: ["/x"]) : nil,
                source: Token.Source(rawValue: UInt8(number / 3 % 4))
            ).0
            if number % 6 == 5 { dead.append(try store.revokeToken(token.id)) } else { alive.append(token) }
            if number % 5 == 0 { try store.renewToken(token) }
        }
        return (try alive.compactMap { try store.token($0.digest) }, dead)
    }

    /// Every way to ask for them gives these tokens and no others.
    private func expect(_ store: Store, _ alive: [Token], without dead: [Token], _ comment: Comment = "") throws {
        #expect(try store.allTokens() == alive, comment)
        #expect(try store.tokenCount() == alive.count, comment)
        for token in alive { #expect(try store.token(token.digest) == token, comment) }
        for token in dead { #expect(try store.token(token.digest) == nil, comment) }
        for user in users { #expect(try store.tokens(of: user.id) == alive.filter { $0.user == user.id }, comment) }
        for owner in users.flatMap({ TokenOwner.all(of: $0.id) }) + TokenOwner.all(of: 99) {
            let own = alive.filter { $0.owner == owner }
            let (tokens, count, few) = try store.withTokenTable { table throws(StoreError) in
                (
                    try table.tokens(of: owner), try table.count(of: owner, upTo: 1000),
                    try table.count(of: owner, upTo: 3)
                )
            }
            #expect(tokens == own, comment)
            #expect(count == own.count)
            #expect(few == min(3, own.count))
        }
        #expect(try store.tokens(of: 99) == [], comment)
        #expect(try store.token(SecretDigest(of: Array("nobody's".utf8)[...])) == nil, comment)
    }

    @Test("It gives the tokens that the journal gives, whatever happens to them later")
    func same() throws {
        var (alive, dead) = try fill(site.store)
        #expect(try indexes.isEmpty)
        let indexed = try openIndexed()
        #expect(try indexes.count == 1)
        try expect(indexed, alive, without: dead)

        // Of the index and of what came later: revoked, renewed, issued.
        let later = try fill(indexed)
        alive += later.alive
        dead += later.dead
        for number in [70, 41, 3, 0] { dead.append(try indexed.revokeToken(alive.remove(at: number).id)) }
        for token in alive where token.renewal != nil && token.expires != nil {
            try indexed.tokens.write { _ in
                [TokenTable.renewal(of: token.id, until: indexed.now().adding(seconds: 999_999))]
            }
        }
        alive = try alive.map { try #require(try indexed.token($0.digest)) }
        #expect(alive.contains { ($0.expires ?? $0.created).seconds - $0.created.seconds > 900_000 })
        for store in [indexed, site.store, try openIndexed(), try site.temporary.reopened()] {
            try expect(store, alive, without: dead)
        }
        // An index that is made of all that.
        #expect(throws: StoreError.self) { try indexed.revokeToken(dead[0].id) }
        try FileManager.default.removeItem(atPath: path + "/" + (try #require(try indexes.first)))
        try expect(try openIndexed(), alive, without: dead)
        #expect(try Accounts(store: openIndexed()).issueToken(for: users[0]).0.id == 121)
    }

    @Test("A file of mode 0600, that is made anew when it is gone, cut off, damaged or another journal's")
    func damaged() throws {
        let (alive, dead) = try fill(site.store, 12)
        _ = try openIndexed()
        let name = try #require(try indexes.first)
        let file = path + "/" + name
        let permissions = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(permissions == 0o600)
        let whole = try Data(contentsOf: URL(fileURLWithPath: file))
        func put(_ bytes: Data) throws {
            try FileManager.default.removeItem(atPath: file)
            try makePrivateFile(file, [UInt8](bytes))
        }
        for position in stride(from: 0, to: whole.count, by: 3) {
            var bytes = whole
            bytes[position] ^= 1 << UInt8(position % 8)
            try put(bytes)
            try expect(try openIndexed(), alive, without: dead, "byte \(position)")
        }
        for length in [0, 1, 119, 120, whole.count - 1] {
            try put(whole.prefix(length))
            try expect(try openIndexed(), alive, without: dead, "\(length) bytes")
        }
        try put(whole + Data(count: 8))
        try expect(try openIndexed(), alive, without: dead)
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == whole)

        let other = try InProcessSite()
        _ = try other.accounts.issueToken(for: try other.user("ann"))
        _ = try Store(opening: other.temporary.path, unsaved: 0, progress: Store.noProgress)
        let foreign = try FileManager.default.contentsOfDirectory(atPath: other.temporary.path)
            .first { $0.hasPrefix("tokens.index") }
        try put(try Data(contentsOf: URL(fileURLWithPath: other.temporary.path + "/" + (try #require(foreign)))))
        try expect(try openIndexed(), alive, without: dead)
    }

    @Test("A journal that was put back from an older copy, taken by a repair, does not go by it")
    func olderCopy() throws {
        let (alive, dead) = try fill(site.store, 12)
        let copy = try site.temporary.contents(of: "tokens")
        _ = try fill(site.store, 12)
        _ = try openIndexed()
        try FileManager.default.removeItem(atPath: path + "/tokens")
        try makePrivateFile(path + "/tokens", copy)
        #expect(throws: StoreError.self) { try openIndexed() }
        #expect(try Store.repair(at: path).map(\.hasLostEnd) == [false, true, false, false])
        try expect(try site.temporary.reopened(), alive, without: dead)
        try expect(try openIndexed(), alive, without: dead)
        let later = try fill(try openIndexed(), 40)
        let all = try openIndexed()
        try expect(all, alive + later.alive, without: dead + later.dead)
        // It was made anew, of the file that is there.
        #expect(try indexes.count == 1)
        #expect(try all.indexedTokens == alive.count + later.alive.count)
    }

    @Test("A line that is damaged is an error for whoever asks for it, not a token that nobody knows; a check finds it")
    func damagedLine() throws {
        let (alive, dead) = try fill(site.store, 12)
        _ = try openIndexed()
        var bytes = try site.temporary.contents(of: "tokens")
        let text = try #require(bytes.firstRange(of: Array("a label".utf8)))
        bytes[text.lowerBound] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/tokens"))
        let store = try openIndexed()
        let victim = try #require(alive.first { $0.label.hasPrefix("a label") })
        #expect(throws: StoreError.self) { try store.token(victim.digest) }
        #expect(throws: StoreError.self) { try store.allTokens() }
        #expect(throws: StoreError.self) { try store.check() }
        for token in alive where token != victim { #expect(try store.token(token.digest) == token) }
        for token in dead { #expect(try store.token(token.digest) == nil) }
    }

    @Test("Who makes a token or ends one is not made to read a user's others")
    func others() throws {
        _ = try fill(site.store, 12)
        let basic = ["AUTHORIZATION": "Basic " + Data("ann:\(InProcessSite.password)".utf8).base64EncodedString()]
        let own = try site.accounts.issueToken(for: users[0], source: .own).0
        _ = try openIndexed()
        var bytes = try site.temporary.contents(of: "tokens")
        for text in bytes.ranges(of: Array("a label".utf8)) { bytes[text.lowerBound] ^= 1 }
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/tokens"))
        let accounts = Accounts(store: try openIndexed())
        let application = Application(accounts: accounts, logger: Logger(label: "") { _ in SwiftLogNoOpLogHandler() })
        func ask(_ method: String, _ view: String, _ path: String, _ body: String = "") -> String {
            var parameters = [("REQUEST_METHOD", method), ("REMOTE_ADDR", "127.0.0.1"), ("POSTERN_VIEW", view)]
            parameters += [("DOCUMENT_URI", path), ("HTTP_AUTHORIZATION", basic["AUTHORIZATION"] ?? "")]
            if !body.isEmpty { parameters.append(("CONTENT_TYPE", "application/json")) }
            let request = FastCGI.Request(
                role: .responder,
                parameters: Parameters(parameters.map { ($0.0, Array($0.1.utf8)) }),
                body: Array(body.utf8)
            )
            return String(String(decoding: application.respond(to: request).bytes, as: UTF8.self).prefix(11))
        }
        #expect(ask("GET", "tokens", "/api/tokens/") == "Status: 503")
        #expect(ask("POST", "tokens", "/api/tokens/", "{}") == "Status: 201")
        #expect(ask("DELETE", "tokens.detail", "/api/tokens/\(own.id)/") == "Status: 204")
    }

    @Test(
        "Behind a damaged line the index stays as it is, however the journal grows, and all other tokens are answered"
    )
    func damagedAndGrown() throws {
        let (alive, dead) = try fill(site.store, 12)
        _ = try openIndexed()
        let file = path + "/" + (try #require(try indexes.first))
        let index = try Data(contentsOf: URL(fileURLWithPath: file))
        var bytes = try site.temporary.contents(of: "tokens")
        let text = try #require(bytes.firstRange(of: Array("a label".utf8)))
        bytes[text.lowerBound] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/tokens"))
        let victim = try #require(alive.first { $0.label.hasPrefix("a label") })
        for _ in 0..<3 { _ = try fill(try openIndexed(), 6) }
        let store = try openIndexed()
        for token in alive where token != victim { #expect(try store.token(token.digest) == token) }
        for token in dead { #expect(try store.token(token.digest) == nil) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == index)
        #expect(throws: StoreError.self) { try store.check() }
        #expect(throws: StoreError.self) { try store.compact() }
    }

    /// With the checksums that hold for them.
    private func put(forged bytes: [UInt8], at file: String) throws {
        var bytes = bytes
        bytes.withUnsafeMutableBytes { bytes in
            func put(_ checksum: Int64, _ field: TokenIndexLayout.Field) {
                bytes.storeBytes(of: checksum, toByteOffset: 8 * field.rawValue, as: Int64.self)
            }
            put(TokenIndexLayout.tableChecksum(of: UnsafeRawBufferPointer(bytes)), .tableChecksum)
            put(TokenIndexLayout.headerChecksum(of: UnsafeRawBufferPointer(bytes)), .headerChecksum)
        }
        try FileManager.default.removeItem(atPath: file)
        try makePrivateFile(file, bytes)
    }

    @Test("Whatever an index says, with checksums that hold, no token is found that the journal does not have")
    func anything() throws {
        let (alive, dead) = try fill(site.store, 24)
        _ = try openIndexed()
        let file = path + "/" + (try #require(try indexes.first))
        let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
        let known = Set((alive + dead).map(\.id))
        var random = seeded
        for _ in 0..<(LongTests.are ? 200_000 : 1000) {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let place = Int.random(in: 0..<bytes.count / 4, using: &random) * 4
                // The counts are what the size of the file says.
                let values: [UInt32] = [0, 1, UInt32(alive.count), .max, .random(in: 0...2000, using: &random)]
                let value = values[Int.random(in: 0..<values.count, using: &random)]
                withUnsafeBytes(of: value) { bytes.replaceSubrange(place..<place + 4, with: $0) }
            }
            try put(forged: bytes, at: file)
            let store = try site.temporary.reopened()
            for token in alive + dead {
                if let found = try? store.token(token.digest) { #expect(found.id == token.id) }
            }
            let listed = (try? store.allTokens()) ?? []
            #expect(known.isSuperset(of: listed.map(\.id)))
            for user in users {
                #expect(known.isSuperset(of: ((try? store.tokens(of: user.id)) ?? []).map(\.id)))
            }
        }
    }

    @Test("A check finds an index whose checksums hold and that says something else than the journal")
    func forged() throws {
        _ = try fill(site.store, 12)
        let store = try openIndexed()
        try store.check()
        _ = try fill(store, 6)
        try store.check()
        let file = path + "/" + (try #require(try indexes.first))
        let whole = try Data(contentsOf: URL(fileURLWithPath: file))
        // The greatest time in the header, and each table.
        let places = [64] + Array(stride(from: TokenIndexLayout.headerSize, to: whole.count, by: 40))
        for place in places {
            var bytes = [UInt8](whole)
            bytes[place] ^= 1
            try put(forged: bytes, at: file)
            #expect("byte \(place)") { try site.temporary.reopened().check() } throws: { error in
                guard case StoreError.journal(.wrongIndex(file)) = error else { return false }
                return true
            }
        }
    }

    @Test("An index of another number of groups is not gone by, and where nothing comes behind it a check finds it")
    func forgedSequence() throws {
        let (alive, dead) = try fill(site.store, 12)
        _ = try openIndexed()
        let file = path + "/" + (try #require(try indexes.first))
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
        bytes[8 * TokenIndexLayout.Field.sequence.rawValue] ^= 1
        try put(forged: bytes, at: file)
        #expect { try site.temporary.reopened().check() } throws: { error in
            guard case StoreError.journal(.wrongIndex(file)) = error else { return false }
            return true
        }
        let later = try fill(site.store, 6)
        let store = try site.temporary.reopened()
        try store.check()
        try expect(store, alive + later.alive, without: dead + later.dead)
        #expect(try store.indexedTokens == 0)
    }

    @Test("A check refuses a line that an index would cover and that says nothing this version understands")
    func meaningless() throws {
        let digest = String(repeating: "0", count: 64)
        let columns = ["issued", "7", "sha256:" + digest, "1", "no epoch"]
        Event(columns.map { Array($0.utf8) }).withLine { line in
            var (builder, checker) = (TokenIndexBuilder(), TokenChecker(nil, path: ""))
            #expect(throws: Never.self) { try builder.apply(line) }
            #expect(throws: EventError.malformed) { try checker.apply(line) }
        }
    }

    @Test("A compacted journal has one of its own, which whoever follows it takes; the old one is gone")
    func compacted() throws {
        let (alive, dead) = try fill(site.store)
        let (one, other) = (try openIndexed(), try openIndexed())
        let first = try indexes
        _ = try one.compact()
        let second = try indexes
        #expect(second.count == 1)
        #expect(second != first)
        for store in [one, other, try openIndexed(), site.store] { try expect(store, alive, without: dead) }
        try other.revokeToken(alive[1].id)
        let rest = [alive[0]] + alive[2...]
        _ = try openIndexed().compact()
        for store in [one, other, site.store] { try expect(store, rest, without: dead + [alive[1]]) }
        #expect(try Accounts(store: other).issueToken(for: users[0]).0.id == 61)
    }

    @Test("Where none can be written the tokens come from the journal")
    func cannotBeSaved() throws {
        let (alive, dead) = try fill(site.store)
        _ = try openIndexed()
        let name = try #require(try indexes.first)
        try FileManager.default.removeItem(atPath: path + "/" + name)
        try FileManager.default.createDirectory(atPath: path + "/\(name).new", withIntermediateDirectories: false)
        try expect(try openIndexed(), alive, without: dead)
        #expect(try indexes == [name + ".new"])
    }

    /// Looks at tokens under the lock of the writers.
    /// - Returns: How often that was decided.
    private func decide(_ store: Store, _ alive: [Token]) throws -> Int {
        var count = 0
        try store.tokens.write { table throws(StoreError) in
            count += 1
            // Those that are in it, those that are not, and those of a user.
            var found = true
            for token in alive where try table[token.digest] == nil { found = false }
            let isNobodys = try table[SecretDigest(of: Array("nobody's".utf8)[...])] == nil
            let own = try table.tokens(of: users[0].id).count
            guard found, isNobodys, own == alive.count(where: { $0.user == users[0].id }) else { throw .conflict }
            return []
        }
        return count
    }

    @Test("Whoever goes by one goes on when another process saves it anew, also a writer, and decides once")
    func savedAnew() throws {
        var alive = try fill(site.store).alive
        let (reader, writer) = (try openIndexed(), try openIndexed())
        let known = try writer.indexedTokens
        for _ in 0..<3 {
            alive += try fill(site.store).alive
            _ = try openIndexed()
            #expect(try decide(writer, alive) == 1)
            #expect(try reader.allTokens() == alive)
            // Neither has mapped the new one: they were not led to believe that theirs is spoiled.
            #expect(try writer.indexedTokens == known)
            #expect(try reader.indexedTokens == known)
        }
        _ = try openIndexed().compact()
        #expect(try decide(writer, alive) == 1)
    }

    @Test("A writer who finds it changed decides once more, and refuses nobody", arguments: 0..<2)
    func changedUnderWriter(way: Int) throws {
        let alive = try fill(site.store).alive
        let store = try openIndexed()
        #expect(try decide(store, alive) == 1)
        let file = path + "/" + (try #require(try indexes.first))
        let handle = try #require(FileHandle(forUpdatingAtPath: file))
        let end = try handle.seekToEnd()
        if way == 0 {
            // No token is found in it any more.
            try handle.seek(toOffset: UInt64(TokenIndexLayout.headerSize))
            try handle.write(contentsOf: Data(count: Int(end) - TokenIndexLayout.headerSize))
        } else {
            try handle.truncate(atOffset: 0)
        }
        try handle.close()
        #expect(try decide(store, alive) == 2)
        #expect(try decide(store, alive) == 1)
    }

    @Test("Of many who need it at once one makes it, and all have the same tokens")
    func together() throws {
        let (alive, dead) = try fill(site.store)
        let stores = Mutex<[Store]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            if let store = try? openIndexed() { stores.withLock { $0.append(store) } }
        }
        let all = stores.withLock { $0 }
        #expect(all.count == 8)
        for store in all { try expect(store, alive, without: dead) }
        #expect(try indexes.count == 1)
    }

    @Test("A process that lives long saves it by itself, and the others go on with it", .timeLimit(.minutes(15)))
    func byItself() throws {
        let (one, other) = (try open(unsaved: 20_000), try open(unsaved: 20_000))
        for store in [one, other] { store.maintainByItself() }
        var (alive, dead): ([Token], [Token]) = ([], [])
        repeat {
            let more = try fill(one, 24)
            alive += more.alive
            dead += more.dead
            #expect(try other.tokenCount() == alive.count)
        } while try indexes.isEmpty || one.indexedTokens == 0 || other.indexedTokens == 0
        for store in [one, other] { try expect(store, alive, without: dead) }
    }
}

extension Store {
    fileprivate var indexedTokens: Int {
        get throws { try tokens.read { $0.indexedCount } }
    }
}
