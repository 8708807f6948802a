internal import Glibc

/// A folder of small whole files inside of a ``JournalFolder``: each is written once and later removed, never
/// changed. A file is there with all of its bytes or not at all, after a crash too.
public final class FileFolder: Sendable {
    public let path: String
    private let folder: JournalFolder
    /// Where its changes are counted.
    private let slot: Int

    /// No file of such a folder is larger, in bytes.
    public static let maximumSize = 64 * 1024

    /// When the folder's list of files last changed, as far as the system's clock tells.
    public struct Version: Sendable, Equatable {
        let inode: UInt
        /// Nanoseconds since 1970.
        let changed: Int64
        /// What was counted before the look; nil: nobody knows.
        fileprivate let count: UInt64?
        /// When to look again, by the coarse clock in milliseconds, for what is changed by hand.
        fileprivate let nextLook: Int64
        /// When it was looked, in nanoseconds since 1970.
        fileprivate let looked: Int64

        /// Whether another change could follow that leaves the same time: clocks of file systems are coarse.
        public var isSettled: Bool { looked &- changed > 100_000_000 }

        public static func == (one: Version, other: Version) -> Bool {
            one.inode == other.inode && one.changed == other.changed
        }
    }

    /// - Throws: ``JournalError`` when the folder is missing, a link, another's, or open to others.
    public init(opening name: String, in folder: JournalFolder) throws(JournalError) {
        path = folder.path + "/" + name
        self.folder = folder
        slot = ChangeMemory.slot(of: name)
        _ = try version()
        Leftovers.remove(in: path, owner: folder.owner, folder.system)
    }

    /// Whether nobody has counted a change since that look and none by hand is to be looked for: no system call. With false
    /// there may be another ``version()``.
    public func isStill(_ version: Version) -> Bool {
        version.count != nil && version.count == folder.changes.count(at: slot)
            && folder.system.coarseTime() < version.nextLook
    }

    /// Looks at the path.
    public func version() throws(JournalError) -> Version {
        let now = folder.system.coarseTime()
        folder.look()
        let count = folder.changes.count(at: slot)
        guard let status = folder.system.status(at: path, followsLinks: false) else { throw File.error("lstat", path) }
        guard status.kind == .folder else { throw .wrongType(path: path) }
        guard status.owner == folder.owner else { throw .foreignOwner(path: path) }
        guard !status.isOpenToOthers else { throw .tooOpen(path: path, mode: "700") }
        return Version(
            inode: status.inode,
            changed: status.modified,
            count: count,
            nextLook: now &+ folder.lookInterval,
            looked: folder.system.realTime() &* 1000
        )
    }

    /// Names of the files that end with `suffix`, in order.
    public func names(endingWith suffix: String) throws(JournalError) -> [String] {
        guard let names = folder.system.names(in: path) else { throw File.error("opendir", path) }
        return names.filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }.sorted()
    }

    /// - Parameter name: One of ``names(endingWith:)``.
    public func read(_ name: String) throws(JournalError) -> [UInt8] {
        let file = try folder.open(path + "/" + name)
        let bytes = try file.read(Self.maximumSize + 1, at: 0)
        guard bytes.count <= Self.maximumSize else { throw .foreignFile(path: file.path) }
        return bytes
    }

    /// Puts a file there, mode 0600, in the place of one that has this name, and returns when it is on disk.
    public func add(_ name: String, _ bytes: [UInt8]) throws(JournalError) {
        let target = path + "/" + name
        // A name that no reader looks at, until all of it is there.
        let temporary = Leftovers.name(besides: path + "/." + name, folder.system)
        let file = try folder.make(temporary)
        defer { folder.system.unlink(temporary) }
        try file.write(bytes, at: 0)
        try file.sync()
        guard folder.system.rename(temporary, to: target, isNew: false) == 0 else { throw File.error("rename", target) }
        folder.changes.increase(at: slot, in: folder)
        try Folder.sync(path, folder.system)
    }

    public func remove(_ name: String) throws(JournalError) {
        guard folder.system.unlink(path + "/" + name) == 0 else { throw File.error("unlink", path + "/" + name) }
        folder.changes.increase(at: slot, in: folder)
        try Folder.sync(path, folder.system)
    }
}
