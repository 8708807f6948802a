import Glibc
import Synchronization

@testable import Journal

/// Calls that change a journal on disk, in whose place a test puts failing ones.
struct DiskCalls: Sendable {
    var write: @Sendable (Int32, UnsafeRawBufferPointer, Int64) -> Int = { Linux().write($0, $1, at: $2) }
    var sync: @Sendable (Int32) -> Int32 = { Linux().sync($0, isFolder: false) }
    var truncate: @Sendable (Int32, Int64) -> Int32 = { Linux().truncate($0, to: $1) }
}

/// A system whose calls for journals are a test's. Those for the files beside them are Linux's own.
final class ReplacedCalls: LinuxCalls {
    private let calls: DiskCalls
    /// Descriptors of files beside journals.
    private let others = Mutex<Set<Int32>>([])

    init(_ calls: DiskCalls) { self.calls = calls }

    func open(_ path: String, _ flags: Int32) -> Int32 {
        let descriptor = Linux().open(path, flags)
        let name = path.split(separator: "/").last ?? ""
        if ["lock", "reserve", "changes", "VERSION"].contains(where: { name.hasPrefix($0) }) {
            others.withLock { _ = $0.insert(descriptor) }
        }
        return descriptor
    }

    func close(_ descriptor: Int32) {
        others.withLock { _ = $0.remove(descriptor) }
        Linux().close(descriptor)
    }

    private func isOther(_ descriptor: Int32) -> Bool { others.withLock { $0.contains(descriptor) } }

    func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Int {
        isOther(descriptor) ? Linux().write(descriptor, bytes, at: offset) : calls.write(descriptor, bytes, offset)
    }

    func sync(_ descriptor: Int32, isFolder: Bool) -> Int32 {
        isFolder || isOther(descriptor)
            ? Linux().sync(descriptor, isFolder: isFolder) : calls.sync(descriptor)
    }

    func truncate(_ descriptor: Int32, to size: Int64) -> Int32 {
        isOther(descriptor) ? Linux().truncate(descriptor, to: size) : calls.truncate(descriptor, size)
    }
}

extension File {
    convenience init(opening path: String, owner: uid_t) throws(JournalError) {
        try self.init(opening: path, owner: owner, Linux())
    }

    convenience init(creating path: String, owner: uid_t, group: gid_t) throws(JournalError) {
        try self.init(creating: path, owner: owner, group: group, Linux())
    }
}
