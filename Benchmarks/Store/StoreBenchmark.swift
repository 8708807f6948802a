import Dispatch
import Glibc
import Journal
import Postern
import Synchronization

/// The store's half of `make bench-store`; `Benchmarks/run-store` calls it and prints what it finds.
///
///     store-benchmark fill PATH COUNT            makes a store of so many tokens
///     store-benchmark open PATH                  seconds to open it, private bytes a token, nanoseconds a lookup
///     store-benchmark write PATH WRITERS COUNT   issues and revocations a second
@main
enum StoreBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        let (verb, path) = (arguments.first ?? "", arguments.dropFirst().first ?? "")
        let numbers = arguments.dropFirst(2).compactMap { Int($0) }
        switch (verb, numbers.count) {
        case ("fill", 1): try fill(path, numbers[0])
        case ("open", 0): try open(path)
        case ("write", 2): try write(path, writers: numbers[0], count: numbers[1])
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
                let columns = [
                    "issued", String(id), column(of: digest(id)), String(ann.id), String(ann.epoch),
                    "2026-01-01T00:00:00.000000Z", "-", "benchmark",
                ]
                return Event(columns.map { Array($0.utf8) })
            }
            try journal.append(reset: {}, apply: { _ in }, events: { events })
        }
    }

    private static func digest(_ id: Int) -> SecretDigest { SecretDigest(of: Array("token \(id)".utf8)[...]) }

    private static func column(of digest: SecretDigest) -> String {
        withUnsafeBytes(of: digest) { bytes in
            "sha256:" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }

    private static func open(_ path: String) throws {
        let before = privateBytes()
        let clock = ContinuousClock()
        var opened: Store?
        let time = try clock.measure { opened = try Store(opening: path) }
        guard let store = opened else { return }
        let bytes = privateBytes() - before
        let count = try store.allTokens().count
        var generator = SystemRandomNumberGenerator()
        let digests = (0..<100_000).map { _ in digest(Int.random(in: 1...count, using: &generator)) }
        var hits = 0
        let lookups = try clock.measure {
            for digest in digests where try store.token(digest) != nil { hits += 1 }
        }
        print(time / .seconds(1), bytes / count, Int(lookups / .nanoseconds(1)) / hits)
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

    /// Memory of this process that no other shares. proc(5).
    private static func privateBytes() -> Int {
        guard let file = fopen("/proc/self/smaps_rollup", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        var kilobytes = 0
        while fgets(&line, 256, file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                .split(separator: " ")
            if let name = words.first, name.hasPrefix("Private_"), words.count > 1 { kilobytes += Int(words[1]) ?? 0 }
        }
        return kilobytes * 1024
    }
}
