internal import Glibc
internal import Synchronization

/// An open regular file, and the system calls that journals are made of. EINTR is resumed here.
final class File: Sendable {
    let path: String
    let descriptor: Int32
    let system: any System
    /// How often the descriptor came to stand for another opening of a file, which has none of the locks of the one before.
    let openings = Atomic(0)

    struct Status: Equatable {
        let size: Int64
        let identity: Identity
        /// When its bytes or what is known about it changed last, in nanoseconds since 1970.
        let changed: Int64
        /// When its bytes changed last, likewise. Whoever may write to it may set this back.
        let modified: Int64
        let hasName: Bool

        fileprivate init(_ status: FileStatus) {
            changed = status.changed
            modified = status.modified
            hasName = status.names > 0
            size = status.size
            identity = Identity(status)
        }

        /// Whether nothing has happened to the file since but that its last name was taken away. That counts as a change of
        /// what is known about it, and not of its bytes; and who can no longer open it cannot write to it.
        func isSame(since former: Status) -> Bool {
            self == former
                || !hasName && identity == former.identity && size == former.size && modified == former.modified
        }
    }

    /// Which file it is, whatever its name.
    struct Identity: Equatable {
        let inode: UInt
        let device: UInt

        init(inode: UInt, device: UInt) {
            self.inode = inode
            self.device = device
        }

        init(_ status: FileStatus) { self.init(inode: status.inode, device: status.device) }
    }

    /// Opens an existing file for reading and writing.
    /// - Parameter owner: Who must own it.
    /// - Throws: ``JournalError`` for a link, a second link, another type, another owner, or a mode that lets others in.
    init(opening path: String, owner: uid_t, _ system: any System) throws(JournalError) {
        let descriptor = system.open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.error("open", path) }
        self.path = path
        self.descriptor = descriptor
        self.system = system
        guard let status = system.status(of: descriptor) else { throw Self.error("fstat", path) }
        guard status.kind == .file, status.names <= 1 else { throw .wrongType(path: path) }
        guard status.owner == owner else { throw .foreignOwner(path: path) }
        guard !status.isOpenToOthers else { throw .tooOpen(path: path, mode: "600") }
    }

    /// Makes a new file of mode 0600, whatever the umask, that belongs to `owner`. As long as it is open it is nobody's
    /// leftover, see ``Leftovers``.
    init(creating path: String, owner: uid_t, group: gid_t, _ system: any System) throws(JournalError) {
        let descriptor = Self.create(path, system)
        guard descriptor >= 0 else { throw Self.error("open", path) }
        self.path = path
        self.descriptor = descriptor
        self.system = system
        guard system.setMode(of: descriptor, 0o600) == 0 else { throw Self.error("fchmod", path) }
        guard system.user == owner || system.setOwner(of: descriptor, owner, group) == 0 else {
            throw Self.error("fchown", path)
        }
    }

    deinit { system.close(descriptor) }

    /// A new file that whoever removes leftovers knows to be somebody's; -1 with the reason in errno.
    private static func create(_ path: String, _ system: any System) -> Int32 {
        var attempts = 0
        while true {
            let descriptor = system.open(path, O_RDWR | O_NOFOLLOW | O_CREAT | O_EXCL)
            guard descriptor < 0 else {
                let isLocked = system.lock(descriptor, byte: Leftovers.ownedByte, true) == 0
                if isLocked, let status = system.status(of: descriptor), status.names > 0 { return descriptor }
                // Somebody has taken it for a leftover, in the moment before it was locked, and removes it.
                let reason = errno
                system.close(descriptor)
                guard isLocked || reason == EAGAIN || reason == EACCES || reason == EINTR, attempts < 100 else {
                    system.unlink(path)
                    errno = reason
                    return -1
                }
                attempts += 1
                continue
            }
            guard errno == EEXIST, (1..<100).contains(attempts) else { return -1 }
            attempts += 1
            system.pause(microseconds: 100)
        }
    }

    /// Takes a lock on the file itself, which ends with ``unlock()`` or when no process has it open as this one has.
    ///
    /// - Returns: false when another file has taken its place at the path meanwhile: there is no lock then.
    /// - Throws: ``JournalError/locked(path:holder:)`` when another has it for longer than `patience`.
    func lock(for patience: Duration) throws(JournalError) -> Bool {
        let deadline = system.deadline(in: patience)
        while system.lock(descriptor, byte: 0, true) != 0 {
            switch errno {
            case EINTR: continue
            case EAGAIN, EACCES:
                guard system.elapsedTime() < deadline else { throw .locked(path: path, holder: 0) }
                guard try isAtPath() else { return false }
                system.pause(microseconds: 200)
            default: throw Self.error("fcntl", path)
            }
        }
        return true
    }

    /// Takes that lock.
    /// - Returns: false when another file has taken its place at the path.
    func isLockedAtPath(for patience: Duration) throws(JournalError) -> Bool {
        guard try lock(for: patience) else { return false }
        return try isAtPath()
    }

    /// Whether no other file has taken its place at the path.
    func isAtPath() throws(JournalError) -> Bool { try statusAtPath().identity == status().identity }

    func unlock() { system.lock(descriptor, byte: 0, false) }

    func status() throws(JournalError) -> Status {
        guard let status = system.status(of: descriptor) else { throw Self.error("fstat", path) }
        return Status(status)
    }

    /// Of the file that stands at the path now, which may be another one.
    /// - Throws: ``JournalError``, also when it has been opened to others since.
    func statusAtPath() throws(JournalError) -> Status {
        guard let status = system.status(at: path, followsLinks: false) else { throw Self.error("lstat", path) }
        guard status.kind == .file else { throw .wrongType(path: path) }
        guard !status.isOpenToOthers else { throw .tooOpen(path: path, mode: "600") }
        return Status(status)
    }

    /// Lets this descriptor stand for another file from now on, in one step: a thread that uses it meanwhile
    /// meets the old file or the new one, never a closed descriptor.
    func become(_ other: File) throws(JournalError) {
        guard system.replace(descriptor, with: other.descriptor) == 0 else { throw Self.error("dup3", path) }
        openings.add(1, ordering: .relaxed)
    }

    /// Up to `count` bytes from `offset` on; fewer only at the end of the file.
    func read(_ count: Int, at offset: Int64) throws(JournalError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let result = bytes.withUnsafeMutableBytes {
                let rest = UnsafeMutableRawBufferPointer(rebasing: $0[filled...])
                return system.read(descriptor, into: rest, at: offset + Int64(filled))
            }
            if result < 0 {
                if errno == EINTR { continue }
                throw Self.error("pread", path)
            }
            if result == 0 { break }
            filled += result
        }
        bytes.removeLast(count - filled)
        return bytes
    }

    /// One write; the rest of a short one is tried again until it is done or fails.
    func write(_ bytes: [UInt8], at offset: Int64) throws(JournalError) {
        var written = 0
        while written < bytes.count {
            let result = bytes.withUnsafeBytes {
                system.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[written...]), at: offset + Int64(written))
            }
            if result < 0 {
                if errno == EINTR { continue }
                throw Self.error("pwrite", path)
            }
            guard result > 0 else { throw .system(call: "pwrite", path: path, errno: ENOSPC) }
            written += result
        }
    }

    /// Never tried again when it fails: the system may count lost pages as written then.
    func sync() throws(JournalError) {
        // An interrupted call has not told of any failure; every other error ends it.
        while system.sync(descriptor, isFolder: false) != 0 {
            guard errno == EINTR else { throw Self.error("fdatasync", path) }
        }
    }

    func truncate(to size: Int64) throws(JournalError) {
        while system.truncate(descriptor, to: size) != 0 {
            guard errno == EINTR else { throw Self.error("ftruncate", path) }
        }
    }

    static func error(_ call: String, _ path: String) -> JournalError {
        switch errno {
        case ENOENT: .missing(path: path)
        case ELOOP, EISDIR, ENXIO: .wrongType(path: path)
        default: .system(call: call, path: path, errno: errno)
        }
    }
}
