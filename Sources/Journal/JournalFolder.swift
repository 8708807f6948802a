internal import CLinux
internal import Glibc
internal import Synchronization

/// A folder of journals that any number of processes share.
public final class JournalFolder: Sendable {
    public let path: String
    let lockFile: LockFile
    let owner: uid_t
    let group: gid_t
    let calls: DiskCalls
    /// The greatest time in any event that was followed, in microseconds.
    private let greatestTime = Atomic<Int64>(0)

    /// Makes a folder with empty journals in it, all of it on disk when this returns. Mode 0700, files 0600,
    /// whatever the umask.
    ///
    /// - Parameters:
    ///   - kind: One word that says whose folder it is; with `version` the text of its file `VERSION`.
    ///   - journals: Names of the journals, of at most 32 ASCII letters.
    /// - Throws: ``JournalError/notEmpty(path:)`` when there is something at `path` already.
    public static func create(at path: String, kind: String, version: Int, journals: [String]) throws(JournalError) {
        if mkdir(path, 0o700) != 0 {
            guard errno == EEXIST else { throw File.error("mkdir", path) }
            guard try isEmptyFolder(path) else { throw .notEmpty(path: path) }
        }
        guard chmod(path, 0o700) == 0 else { throw File.error("chmod", path) }
        for name in journals {
            let header = FileHeader(name: name, fileID: randomID())
            try write(header.line, to: path + "/" + name)
        }
        try write(LockFile.initialText(journals: journals), to: path + "/" + LockFile.name)
        // Last, so that a crash before leaves what is no store.
        try write(Array("\(kind) \(version)\n".utf8), to: path + "/" + versionFile)
        try File.syncFolder(path)
        try File.syncFolder(parent(of: path))
    }

    /// - Parameters:
    ///   - kind: As given to ``create(at:kind:version:journals:)``.
    ///   - patience: How long a writer waits for the lock.
    public convenience init(
        opening path: String,
        kind: String,
        version: Int,
        patience: Duration = .seconds(5)
    ) throws(JournalError) {
        try self.init(opening: path, kind: kind, version: version, patience: patience, calls: DiskCalls())
    }

    init(
        opening path: String,
        kind: String,
        version: Int,
        patience: Duration,
        calls: DiskCalls
    ) throws(JournalError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw File.error("lstat", path) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .wrongType(path: path) }
        guard status.st_uid == geteuid() || geteuid() == 0 else { throw .foreignOwner(path: path) }
        guard status.st_mode & 0o077 == 0 else { throw .tooOpen(path: path, mode: "700") }
        guard try Self.isLocal(path) else { throw .networkFileSystem(path: path) }
        try Self.checkVersion(in: path, kind: kind, version: version, owner: status.st_uid)
        self.path = path
        self.calls = calls
        owner = status.st_uid
        group = status.st_gid
        lockFile = LockFile(try File(opening: path + "/" + LockFile.name, owner: status.st_uid), patience: patience)
    }

    /// The clock by which events are dated and expiry is judged: what the system says, but never before the
    /// latest event that was read, so that a clock set back revives nothing.
    public func now() -> Timestamp {
        max(Timestamp.now(), Timestamp(microseconds: greatestTime.load(ordering: .relaxed)))
    }

    func saw(_ time: Timestamp) {
        greatestTime.max(time.microseconds, ordering: .relaxed)
    }

    private static let versionFile = "VERSION"

    private static func checkVersion(in path: String, kind: String, version: Int, owner: uid_t) throws(JournalError) {
        let file: File
        do {
            file = try File(opening: path + "/" + versionFile, owner: owner)
        } catch .missing {
            throw .notAStore(path: path)
        } catch {
            throw error
        }
        let text = String(decoding: try file.read(64, at: 0).prefix { $0 != 0x0A }, as: UTF8.self)
        guard text.hasPrefix(kind + " ") else { throw .notAStore(path: path) }
        guard text == "\(kind) \(version)" else { throw .newerVersion(path: path, found: text) }
    }

    /// Locks and syncs of network and user-space file systems are their makers' affair.
    private static func isLocal(_ path: String) throws(JournalError) -> Bool {
        let (nfs, cifs, smb, smb2, plan9, fuse) = (0x6969, 0xFF53_4D42, 0x517B, 0xFE53_4D42, 0x0102_1997, 0x6573_5546)
        var status = statfs()
        guard statfs(path, &status) == 0 else { throw File.error("statfs", path) }
        return ![nfs, cifs, smb, smb2, plan9, fuse].contains(Int(status.f_type) & 0xFFFF_FFFF)
    }

    private static func isEmptyFolder(_ path: String) throws(JournalError) -> Bool {
        guard let folder = opendir(path) else {
            if errno == ENOTDIR { return false }
            throw File.error("opendir", path)
        }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return count <= 2
    }

    private static func write(_ bytes: [UInt8], to path: String) throws(JournalError) {
        let file = try File(creating: path, owner: geteuid(), group: getegid())
        try file.write(bytes, at: 0, with: DiskCalls())
        try file.sync(with: DiskCalls())
    }

    private static func parent(of path: String) -> String {
        let trimmed = path.reversed().drop { $0 == "/" }
        guard let slash = trimmed.firstIndex(of: "/") else { return "." }
        let parent = String(trimmed[slash...].dropFirst().reversed())
        return parent.isEmpty ? "/" : parent
    }

    private static func randomID() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<FileHeader.idLength / 2).flatMap { _ in Hexadecimal.digits(generator.next() as UInt8) }
    }
}
