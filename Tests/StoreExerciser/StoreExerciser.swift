import Dispatch
import Glibc
import Journal
import Postern
import Synchronization

/// One of several processes that use a store at the same time, for tests which judge afterwards what they saw.
///
///     store-exerciser STORE FOLDER NAME SECONDS THREADS WRITES
///
/// Threads issue, look up and revoke tokens and add users for so many seconds, or with 0 until they are killed. Of a
/// hundred things that they do `WRITES` are writes. What they do goes to the file `history-NAME` of the folder, a line
/// each, with nanoseconds of the clock that all processes share (CLOCK_MONOTONIC):
///
///     issued ID BEGIN END         revoking ID TIME         revoked ID BEGIN END
///     good ID BEGIN END           gone ID BEGIN END        (also what was to be revoked and was not there)
///     adding NUMBER TIME          added NUMBER BEGIN END   taken NUMBER BEGIN END
///     busy 0 TIME              failed MESSAGE
///
/// Lines about writes are in the file before the next thing is done, so that a kill loses none. `issued` in the folder
/// is what all have issued: whoever looks for a token takes one from there.
@main
struct StoreExerciser: Sendable {
    let store: Store
    let accounts: Accounts
    let ann: User
    let history: History
    let issued: Issued
    let writes: Int

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let numbers = arguments.dropFirst(3).compactMap { Int($0) }
        guard arguments.count == 6, numbers.count == 3 else {
            print("usage: store-exerciser STORE FOLDER NAME SECONDS THREADS WRITES")
            exit(64)
        }
        let store = try Store(opening: arguments[0])
        guard let ann = try store.user(named: try Username("ann".utf8)) else { exit(66) }
        store.maintainByItself(beyond: 512)
        let exerciser = StoreExerciser(
            store: store,
            accounts: Accounts(store: store),
            ann: ann,
            history: try History(arguments[1] + "/history-" + arguments[2]),
            issued: try Issued(arguments[1] + "/issued"),
            writes: numbers[2]
        )
        let end = numbers[0] == 0 ? UInt64.max : now() + UInt64(numbers[0]) * 1_000_000_000
        let threads = DispatchGroup()
        for number in 0..<numbers[1] {
            DispatchQueue(label: "thread \(number)").async(group: threads) { exerciser.run(until: end) }
        }
        threads.wait()
    }

    private func run(until end: UInt64) {
        while Self.now() < end {
            do {
                try step()
            } catch StoreError.journal(.locked) {
                history.write("busy 0 \(Self.now())")
            } catch {
                history.write("failed \(error)")
            }
        }
        history.flush()
    }

    private func step() throws {
        guard Int.random(in: 0..<100) < writes, let one = issued.random() else {
            guard let one = issued.random() else { return try issue() }
            return try look(one)
        }
        switch Int.random(in: 0..<10) {
        case 0: try addUser()
        case 1..<6: try issue()
        default: try revoke(one)
        }
    }

    private func issue() throws {
        let begin = Self.now()
        let (token, secret) = try accounts.issueToken(for: ann)
        history.write("issued \(token.id) \(begin) \(Self.now())")
        issued.add(token.id, secret.text)
    }

    private func look(_ one: Issued.Entry) throws {
        let digest = SecretDigest(of: one.secret)
        let begin = Self.now()
        let isGood = try store.token(digest) != nil
        history.note("\(isGood ? "good" : "gone") \(one.id) \(begin) \(Self.now())")
    }

    private func revoke(_ one: Issued.Entry) throws {
        let begin = Self.now()
        history.write("revoking \(one.id) \(begin)")
        do {
            try store.revokeToken(one.id)
            history.write("revoked \(one.id) \(begin) \(Self.now())")
        } catch StoreError.noSuchToken {
            history.write("gone \(one.id) \(begin) \(Self.now())")
        }
    }

    /// All that come within the same moments try the same name.
    private func addUser() throws {
        let begin = Self.now()
        let number = begin / 50_000_000
        history.write("adding \(number) \(begin)")
        do {
            _ = try store.addUser(try Username("user-\(number)".utf8), passwordHash: nil)
            history.write("added \(number) \(begin) \(Self.now())")
        } catch StoreError.usernameTaken {
            history.write("taken \(number) \(begin) \(Self.now())")
        }
    }

    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// A file of lines to which one process appends.
final class History: Sendable {
    private let descriptor: Int32
    /// Lines that a kill may lose.
    private let notes = Mutex<[UInt8]>([])

    init(_ path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw JournalError.missing(path: path) }
    }

    func write(_ line: String) { append(Array((line + "\n").utf8)) }

    func note(_ line: String) {
        let full = notes.withLock { notes -> [UInt8]? in
            notes += Array((line + "\n").utf8)
            guard notes.count > 1 << 16 else { return nil }
            defer { notes = [] }
            return notes
        }
        if let full { append(full) }
    }

    func flush() {
        append(
            notes.withLock { notes in
                defer { notes = [] }
                return notes
            }
        )
    }

    private func append(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}

/// Tokens that processes have issued, as entries of one length in a file to which all of them append.
final class Issued: Sendable {
    struct Entry {
        let id: Int64
        let secret: ArraySlice<UInt8>
    }

    private static let idLength = 20
    private static let length = 60
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw JournalError.missing(path: path) }
    }

    func add(_ id: Int64, _ secret: String) {
        let digits = Array(String(id).utf8)
        let bytes = [UInt8](repeating: 0x30, count: Self.idLength - digits.count) + digits + Array(secret.utf8)
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Any one, of those of late more often: most of the old ones are revoked. nil where there is none.
    func random() -> Entry? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let count = Int(status.st_size) / Self.length
        guard count > 0 else { return nil }
        let number = Bool.random() ? Int.random(in: 0..<count) : Int.random(in: max(0, count - 64)..<count)
        var bytes = [UInt8](repeating: 0, count: Self.length)
        guard pread(descriptor, &bytes, Self.length, off_t(number * Self.length)) == Self.length,
            let id = Int64(String(decoding: bytes[..<Self.idLength], as: UTF8.self))
        else { return nil }
        return Entry(id: id, secret: bytes[Self.idLength...])
    }
}
