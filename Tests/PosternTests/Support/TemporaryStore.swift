import Foundation
import Testing

@testable import Journal
@testable import Postern

/// Whether the figures of `make test-long` are asked for.
enum LongTests {
    static let are = ProcessInfo.processInfo.environment["POSTERN_LONG_TESTS"] == "1"
}

/// A store in a folder that is gone with the test.
final class TemporaryStore: Sendable {
    private let folder: TemporaryFolder
    let store: Store

    var path: String { folder.path + "/store" }

    /// - Parameter lookInterval: 0 where what a test changes by hand is to be seen at once.
    init(lookInterval: Int64 = 10) throws {
        folder = try TemporaryFolder()
        let path = folder.path + "/store"
        try Store.create(at: path)
        store = try Store(opening: path, lookInterval: lookInterval, progress: Store.noProgress)
    }

    /// The same store, opened as another process would.
    func reopened() throws -> Store { try Store(opening: path) }

    /// A file of the store, whole.
    func contents(of name: String) throws -> [UInt8] {
        let descriptor = open(path + "/" + name, O_RDONLY)
        defer { close(descriptor) }
        try #require(descriptor >= 0)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(descriptor, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }
}

extension EventSourced {
    mutating func apply(_ event: Event) throws {
        try event.withLine { line throws(EventError) in try apply(line) }
    }
}

extension SecretDigest {
    init?(hexadecimal text: [UInt8]) {
        guard let digest = text.withUnsafeBytes({ SecretDigest(hexadecimal: $0) }) else { return nil }
        self = digest
    }
}

/// Makes a file of mode 0600. Foundation's own way to do so changes the umask of the whole process for a moment, and with
/// it the files of tests that run beside.
func makePrivateFile(_ path: String, _ bytes: [UInt8]) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    try #require(descriptor >= 0, "\(path)")
    defer { close(descriptor) }
    try #require(write(descriptor, bytes, bytes.count) == bytes.count)
}
