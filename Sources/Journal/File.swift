internal import CLinux
internal import Glibc

/// An open regular file, and the system calls that journals are made of. EINTR is resumed here.
final class File: Sendable {
    let path: String
    let descriptor: Int32

    struct Status: Equatable {
        let size: Int64
        let identity: Identity
        /// When its bytes or what is known about it changed last, in nanoseconds since 1970.
        let changed: Int64
        /// When its bytes changed last, likewise. Whoever may write to it may set this back.
        let modified: Int64
        let hasName: Bool

        fileprivate init(_ status: stat) {
            changed = Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
            modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
            hasName = status.st_nlink > 0
            size = Int64(status.st_size)
            identity = Identity(inode: status.st_ino, device: status.st_dev)
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
    }

    /// Opens an existing file for reading and writing.
    /// - Parameter owner: Who must own it.
    /// - Throws: ``JournalError`` for a link, a second link, another type, another owner, or a mode that lets others in.
    init(opening path: String, owner: uid_t) throws(JournalError) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.error("open", path) }
        self.path = path
        self.descriptor = descriptor
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.error("fstat", path) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink <= 1 else { throw .wrongType(path: path) }
        guard status.st_uid == owner else { throw .foreignOwner(path: path) }
        guard status.st_mode & 0o077 == 0 else { throw .tooOpen(path: path, mode: "600") }
    }

    /// Makes a new file of mode 0600, whatever the umask, that belongs to `owner`. As long as it is open it is nobody's
    /// leftover, see ``Leftovers``.
    init(creating path: String, owner: uid_t, group: gid_t) throws(JournalError) {
        let descriptor = Self.create(path)
        guard descriptor >= 0 else { throw Self.error("open", path) }
        self.path = path
        self.descriptor = descriptor
        guard fchmod(descriptor, 0o600) == 0 else { throw Self.error("fchmod", path) }
        guard geteuid() == owner || fchown(descriptor, owner, group) == 0 else { throw Self.error("fchown", path) }
    }

    deinit { close(descriptor) }

    /// A new file that whoever removes leftovers knows to be somebody's; -1 with the reason in errno.
    private static func create(_ path: String) -> Int32 {
        var attempts = 0
        while true {
            let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT | O_EXCL, 0o600)
            guard descriptor < 0 else {
                var status = stat()
                let isLocked = linux_lock_exclusive(descriptor, Leftovers.ownedByte, true) == 0
                if isLocked, fstat(descriptor, &status) == 0, status.st_nlink > 0 { return descriptor }
                // Somebody has taken it for a leftover, in the moment before it was locked, and removes it.
                let reason = errno
                close(descriptor)
                guard isLocked || reason == EAGAIN || reason == EACCES || reason == EINTR, attempts < 100 else {
                    unlink(path)
                    errno = reason
                    return -1
                }
                attempts += 1
                continue
            }
            guard errno == EEXIST, (1..<100).contains(attempts) else { return -1 }
            attempts += 1
            usleep(100)
        }
    }

    /// Takes a lock on the file itself, which ends with ``unlock()`` or when no process has it open as this one has.
    ///
    /// - Returns: false when another file has taken its place at the path meanwhile: there is no lock then.
    /// - Throws: ``JournalError/locked(path:holder:)`` when another has it for longer than `patience`.
    func lock(for patience: Duration) throws(JournalError) -> Bool {
        let deadline = ContinuousClock.now + patience
        while linux_lock_exclusive(descriptor, 0, true) != 0 {
            switch errno {
            case EINTR: continue
            case EAGAIN, EACCES:
                guard ContinuousClock.now < deadline else { throw .locked(path: path, holder: 0) }
                guard try statusAtPath().identity == status().identity else { return false }
                usleep(200)
            default: throw Self.error("fcntl", path)
            }
        }
        return true
    }

    func unlock() { _ = linux_lock_exclusive(descriptor, 0, false) }

    func status() throws(JournalError) -> Status {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.error("fstat", path) }
        return Status(status)
    }

    /// Of the file that stands at the path now, which may be another one.
    /// - Throws: ``JournalError``, also when it has been opened to others since.
    func statusAtPath() throws(JournalError) -> Status {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Self.error("lstat", path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .wrongType(path: path) }
        guard status.st_mode & 0o077 == 0 else { throw .tooOpen(path: path, mode: "600") }
        return Status(status)
    }

    /// Lets this descriptor stand for another file from now on, in one step: a thread that uses it meanwhile
    /// meets the old file or the new one, never a closed descriptor.
    func become(_ other: File) throws(JournalError) {
        guard linux_replace_descriptor(other.descriptor, descriptor) == 0 else { throw Self.error("dup3", path) }
    }

    /// Up to `count` bytes from `offset` on; fewer only at the end of the file.
    func read(_ count: Int, at offset: Int64) throws(JournalError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let result = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress.map { $0 + filled }, count - filled, off_t(offset) + off_t(filled))
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
    func write(_ bytes: [UInt8], at offset: Int64, with calls: DiskCalls) throws(JournalError) {
        var written = 0
        while written < bytes.count {
            let result = bytes.withUnsafeBytes {
                calls.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[written...]), offset + Int64(written))
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
    func sync(with calls: DiskCalls) throws(JournalError) {
        // An interrupted call has not told of any failure; every other error ends it.
        while calls.sync(descriptor) != 0 {
            guard errno == EINTR else { throw Self.error("fdatasync", path) }
        }
    }

    func truncate(to size: Int64, with calls: DiskCalls) throws(JournalError) {
        while calls.truncate(descriptor, size) != 0 {
            guard errno == EINTR else { throw Self.error("ftruncate", path) }
        }
    }

    /// Makes the names in a folder as durable as the files that they name.
    static func syncFolder(_ path: String) throws(JournalError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw error("fsync", path) }
    }

    static func error(_ call: String, _ path: String) -> JournalError {
        switch errno {
        case ENOENT: .missing(path: path)
        case ELOOP, EISDIR, ENXIO: .wrongType(path: path)
        default: .system(call: call, path: path, errno: errno)
        }
    }
}

/// The calls that change a journal on disk. Tests put failing ones in their place.
struct DiskCalls: Sendable {
    var write: @Sendable (Int32, UnsafeRawBufferPointer, Int64) -> Int = {
        pwrite($0, $1.baseAddress, $1.count, off_t($2))
    }
    var sync: @Sendable (Int32) -> Int32 = { fdatasync($0) }
    var truncate: @Sendable (Int32, Int64) -> Int32 = { ftruncate($0, off_t($1)) }
}
