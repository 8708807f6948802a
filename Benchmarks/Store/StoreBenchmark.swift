import Dispatch
import Glibc
import Journal
import Postern
import Synchronization

/// The store's half of `make bench-store`; `Benchmarks/run-store` calls it and prints what it finds.
///
///     store-benchmark fill PATH COUNT            makes a store of so many tokens
///     store-benchmark index PATH                 seconds to open it without an index, private and shared bytes a token of
///                                                who opens it then, and seconds to copy the journal in memory
///     store-benchmark open PATH                  seconds to open it, nanoseconds a lookup
///     store-benchmark write PATH WRITERS COUNT   issues and revocations a second
///     store-benchmark compact PATH               seconds to compact it, when every other token was revoked
///     store-benchmark churn PATH WRITERS COUNT   logins and logouts a second, each with a JSON Web Token that is revoked, and
///                                                the greatest sizes of the two files meanwhile, and at the end, in bytes
///     store-benchmark owner PATH                 of a store whose tokens are one user's: milliseconds to list them, to issue
///                                                another one within a limit, and of the slowest lookup while both are done
///     store-benchmark people PATH COUNT          makes a store of so many users, each with a password, a token and a session
///     store-benchmark pause PATH COUNT           milliseconds that the slowest lookup took while so many users were compacted:
///                                                in the process that compacts and in another one, and the slowest write
@main
enum StoreBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        let (verb, path) = (arguments.first ?? "", arguments.dropFirst().first ?? "")
        let numbers = arguments.dropFirst(2).compactMap { Int($0) }
        switch (verb, numbers.count) {
        case ("fill", 1): try fill(path, numbers[0])
        case ("index", 0): try index(path)
        case ("open", 0): try open(path)
        case ("compact", 0): try compact(path)
        case ("write", 2): try write(path, writers: numbers[0], count: numbers[1])
        case ("churn", 2): try churn(path, writers: numbers[0], count: numbers[1])
        case ("owner", 0): try owner(path)
        case ("people", 1): try people(path, numbers[0])
        case ("pause", 1): try pause(path, numbers[0])
        default:
            print("usage: store-benchmark fill|open|write PATH …, see Benchmarks/run-store")
            exit(64)
        }
    }

    /// Through the journal, many tokens a group; through the store each would wait for its sync.
    private static func fill(_ path: String, _ count: Int) throws {
        try Store.create(at: path)
        let ann = try Store(opening: path).addUser(try Username("ann".utf8), passwordHash: nil)
        let journal = try Journal(
            opening: "tokens",
            in: try JournalFolder(opening: path, kind: "postern", version: 1)
        )
        for start in stride(from: 1, through: count, by: 10_000) {
            let events = (start..<min(start + 10_000, count + 1)).map { id in
                Event(
                    [Array("issued".utf8), Array(String(id).utf8), digest(id).column]
                        + [String(ann.id), String(ann.epoch), "2026-01-01T00:00:00.000000Z", "-", "benchmark"]
                        .map { Array($0.utf8) }
                )
            }
            try journal.append(reset: { _ in }, apply: { _ in }, events: { events })
        }
    }

    private static func people(_ path: String, _ count: Int) throws {
        try Store.create(at: path)
        let folder = try JournalFolder(opening: path, kind: "postern", version: 1)
        let hash =
            "$argon2id$v=19$m=19456,t=2,p=1$" + String(repeating: "s", count: 22) + "$"
            + String(repeating: "h", count: 43)
        let (created, ends) = ("2026-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z")
        let journals: [(name: String, columns: (Int) -> [String])] = [
            ("users", { ["added", "\($0)", "user\($0)", "active", "\($0 + 1)", created, hash, "", ""] }),
            ("tokens", { ["issued", "\($0)", text(digest($0)), "\($0)", "\($0 + 1)", created, "-", "benchmark"] }),
            (
                "sessions",
                { ["started", "\($0)", text(digest(-$0)), "\($0)", "\($0 + 1)", created, ends, "999999999"] }
            ),
        ]
        for (name, columns) in journals {
            let journal = try Journal(opening: name, in: folder)
            for start in stride(from: 1, through: count, by: 10_000) {
                let events = (start..<min(start + 10_000, count + 1)).map { Event(columns($0).map { Array($0.utf8) }) }
                try journal.append(reset: { _ in }, apply: { _ in }, events: { events })
            }
        }
    }

    private static func text(_ digest: SecretDigest) -> String { String(decoding: digest.column, as: UTF8.self) }

    private static func digest(_ id: Int) -> SecretDigest { SecretDigest(of: Array("token \(id)".utf8)[...]) }

    private static func index(_ path: String) throws {
        for name in Folder.names(in: path) ?? [] where name.hasPrefix("tokens.index") { unlink(path + "/" + name) }
        let made = try ContinuousClock().measure { _ = try Store(opening: path) }
        let before = memory()
        let store = try Store(opening: path)
        let count = try store.tokenCount()
        let after = memory()
        print(
            made / .seconds(1),
            Double(after.anonymous - before.anonymous) / Double(count),
            Double(after.resident - after.anonymous - before.resident + before.anonymous) / Double(count),
            try copying(path + "/tokens")
        )
    }

    private static func copying(_ path: String) throws -> Double {
        let descriptor = Glibc.open(path, O_RDONLY)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0,
            let map = mmap(nil, status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0), map != MAP_FAILED,
            let copy = malloc(status.st_size)
        else { exit(66) }
        return ContinuousClock().measure { memcpy(copy, map, status.st_size) } / .seconds(1)
    }

    private static func open(_ path: String) throws {
        let first = digest(1)
        let clock = ContinuousClock()
        var opened: Store?
        let time = try clock.measure {
            opened = try Store(opening: path)
            _ = try opened?.token(first)
        }
        guard let store = opened else { return }
        let count = try store.tokenCount()
        var generator = SystemRandomNumberGenerator()
        let digests = (0..<100_000).map { _ in digest(Int.random(in: 1...count, using: &generator)) }
        var hits = 0
        let lookups = try clock.measure {
            for digest in digests where try store.token(digest) != nil { hits += 1 }
        }
        guard hits == digests.count else { exit(1) }
        print(time / .seconds(1), Int(lookups / .nanoseconds(1)) / hits)
    }

    /// Revoked through the journal, many at once; through the store each would wait for its sync.
    private static func compact(_ path: String) throws {
        let ids = try Store(opening: path).allTokens().map(\.id).filter { $0 % 2 == 0 }
        let journal = try Journal(
            opening: "tokens",
            in: try JournalFolder(opening: path, kind: "postern", version: 1)
        )
        for start in stride(from: 0, to: ids.count, by: 10_000) {
            let events = ids[start..<min(start + 10_000, ids.count)].map {
                Event([Array("revoked".utf8), Array(String($0).utf8)])
            }
            try journal.append(reset: { _ in }, apply: { _ in }, events: { events })
        }
        let store = try Store(opening: path)
        print(try ContinuousClock().measure { _ = try store.compact() } / .seconds(1))
    }

    private static func write(_ path: String, writers: Int, count: Int) throws {
        let store = try Store(opening: path)
        let ann = try store.addUser(try Username("w\(getpid())".utf8), passwordHash: nil)
        let accounts = Accounts(store: store)
        let share = count / writers
        let ids = Mutex<[[Token.ID]]>([])
        let issues = try rate(writers, share) { _ in
            let mine = try (0..<share).map { _ in try accounts.issueToken(for: ann).0.id }
            ids.withLock { $0.append(mine) }
        }
        let all = ids.withLock { $0 }
        let revocations = try rate(writers, share) { writer in
            for id in all[writer] { try store.revokeToken(id) }
        }
        print(Int(issues), Int(revocations))
    }

    /// The store looks after itself, as it does in a server.
    private static func churn(_ path: String, writers: Int, count: Int) throws {
        let store = try Store(opening: path)
        let users = try (0..<writers).map { try store.addUser(try Username("c\($0)".utf8), passwordHash: nil) }
        let share = count / writers
        let names = ["sessions", "revocations"]
        let greatest = Mutex([0, 0])
        store.maintainByItself()
        let logins = try rate(writers, share) { writer in
            for round in 0..<share {
                let key = SessionKey.random()
                let session = try store.startSession(key, for: users[writer], lifetime: 3600, idleLimit: 60)
                try store.endSession(session.id)
                try store.revoke(Array("\(writer).\(round)".utf8), expires: store.now().adding(seconds: -7200))
                guard round % 16 == 0 else { continue }
                let sizes = names.map { size(of: path + "/" + $0) }
                greatest.withLock { $0 = zip($0, sizes).map { max($0, $1) } }
            }
        }
        let sizes = greatest.withLock { $0 } + names.map { size(of: path + "/" + $0) }
        print(Int(logins), sizes.map(String.init).joined(separator: " "))
    }

    private static func owner(_ path: String) throws {
        let store = try Store(opening: path)
        let accounts = Accounts(store: store)
        guard let ann = try store.user(named: try Username("ann".utf8)) else { exit(66) }
        let digest = digest(1)
        let isOver = Atomic(false)
        let group = DispatchGroup()
        let slowest = Mutex(Duration.zero)
        DispatchQueue(label: "checks").async(group: group) {
            while !isOver.load(ordering: .relaxed) {
                let time = ContinuousClock().measure { _ = try? store.token(digest) }
                slowest.withLock { $0 = max($0, time) }
                usleep(100)
            }
        }
        let rounds = 5
        let listing = try ContinuousClock().measure { for _ in 0..<rounds { _ = try store.tokens(of: ann.id) } }
        let issuing = try ContinuousClock().measure {
            for _ in 0..<rounds { try issueWithinLimit(accounts, ann) }
        }
        isOver.store(true, ordering: .relaxed)
        group.wait()
        let times = [listing / rounds, issuing / rounds, slowest.withLock { $0 }].map { $0 / .milliseconds(1) }
        print(times[0], times[1], times[2])
    }

    private static func issueWithinLimit(_ accounts: Accounts, _ user: User) throws {
        _ = try accounts.issueToken(for: user, source: .own, quota: .refusing(beyond: 1_000_000))
    }

    /// Two stores that are open in one process share nothing that two processes would not share.
    private static func pause(_ path: String, _ count: Int) throws {
        try Store.create(at: path)
        let folder = try JournalFolder(opening: path, kind: "postern", version: 1)
        let journal = try Journal(opening: "users", in: folder)
        for start in stride(from: 1, through: count, by: 10_000) {
            let events = (start..<min(start + 10_000, count + 1)).map { id in
                Event(
                    ["added", String(id), "user\(id)", "active", "1", "2026-01-01T00:00:00.000000Z", "!", "", ""]
                        .map { Array($0.utf8) }
                )
            }
            try journal.append(reset: { _ in }, apply: { _ in }, events: { events })
        }
        let (one, other) = (try Store(opening: path), try Store(opening: path))
        let isOver = Atomic(false)
        let group = DispatchGroup()
        let slowest = Mutex<[String: Duration]>([:])
        let failures = Mutex(0)
        func watch(_ name: String, _ body: @escaping @Sendable (Int64) throws -> Void) {
            DispatchQueue(label: name).async(group: group) {
                var round: Int64 = 0
                while !isOver.load(ordering: .relaxed) {
                    round += 1
                    let time = ContinuousClock().measure {
                        do { try body(round % Int64(count) + 1) } catch { failures.withLock { $0 += 1 } }
                    }
                    slowest.withLock { $0[name] = max($0[name] ?? .zero, time) }
                    usleep(200)
                }
            }
        }
        watch("own") { _ = try one.user($0) }
        watch("other") { _ = try other.user($0) }
        watch("write") { try other.revokeAll(of: $0) }
        usleep(300_000)
        let time = try ContinuousClock().measure { _ = try one.compact() }
        usleep(500_000)
        isOver.store(true, ordering: .relaxed)
        group.wait()
        let milliseconds = slowest.withLock { slowest in
            ["own", "other", "write"].map { (slowest[$0] ?? .zero) / .milliseconds(1) }
        }
        print(milliseconds[0], milliseconds[1], milliseconds[2], time / .seconds(1), failures.withLock { $0 })
    }

    private static func size(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    private static func rate(
        _ writers: Int,
        _ share: Int,
        _ body: @escaping @Sendable (Int) throws -> Void
    ) throws -> Double {
        let failure = Mutex<(any Error)?>(nil)
        let group = DispatchGroup()
        let time = ContinuousClock().measure {
            for writer in 0..<writers {
                DispatchQueue(label: "writer \(writer)").async(group: group) {
                    do { try body(writer) } catch { failure.withLock { $0 = error } }
                }
            }
            group.wait()
        }
        if let error = failure.withLock({ $0 }) { throw error }
        return Double(writers * share) / (time / .seconds(1))
    }

    /// Bytes in memory that are this process's alone, and all that it uses. proc(5).
    private static func memory() -> (anonymous: Int, resident: Int) {
        guard let file = fopen("/proc/self/smaps_rollup", "r") else { return (0, 0) }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        var kilobytes: [Substring: Int] = [:]
        while fgets(&line, 256, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let words = text.split(separator: " ")
            if let name = words.first, words.count > 1 { kilobytes[name] = Int(words[1]) }
        }
        return ((kilobytes["Anonymous:"] ?? 0) * 1024, (kilobytes["Rss:"] ?? 0) * 1024)
    }
}
