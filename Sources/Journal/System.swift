/// All that a store asks of the operating system. ``Linux`` answers with the system's own calls. A simulation answers from memory,
/// so that what disks, clocks and other processes do to a store can be played through in any order, and repeated.
///
/// The calls are those of POSIX and Linux: where one fails it returns -1, or what is said there, with the reason in `errno`.
package protocol System: Sendable {
    // MARK: Files

    /// open(2), with O_CLOEXEC.
    func open(_ path: String, _ flags: Int32) -> Int32
    func close(_ descriptor: Int32)
    /// fstat(2). nil where it fails.
    func status(of descriptor: Int32) -> FileStatus?
    /// lstat(2), or stat(2) where links are followed. nil likewise.
    func status(at path: String, followsLinks: Bool) -> FileStatus?
    /// pread(2).
    func read(_ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int
    /// pwrite(2).
    func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Int
    /// fdatasync(2); fsync(2) of a folder, which makes its names durable.
    func sync(_ descriptor: Int32, isFolder: Bool) -> Int32
    /// ftruncate(2).
    func truncate(_ descriptor: Int32, to size: Int64) -> Int32
    /// posix_fallocate(3) from the beginning of the file. Returns 0 or the number of the error.
    func allocate(_ descriptor: Int32, _ size: Int64) -> Int32
    /// fchmod(2).
    func setMode(of descriptor: Int32, _ mode: UInt32) -> Int32
    /// fchown(2).
    func setOwner(of descriptor: Int32, _ owner: UInt32, _ group: UInt32) -> Int32
    /// Takes or drops an exclusive open-file-description lock on one byte of a file, without waiting. fcntl(2).
    @discardableResult func lock(_ descriptor: Int32, byte: Int64, _ isTaken: Bool) -> Int32
    /// Takes an exclusive lock on a folder, without waiting. flock(2).
    func lockFolder(_ descriptor: Int32) -> Int32
    /// Lets a descriptor stand for what another one stands for, in one step. dup3(2).
    func replace(_ descriptor: Int32, with other: Int32) -> Int32
    /// The descriptor by which the system maps the file, see ``Mapping``.
    func mappable(_ descriptor: Int32) -> Int32

    // MARK: Names

    /// Names of what is in a folder, in no order; nil when it cannot be read.
    func names(in path: String) -> [String]?
    /// mkdir(2) with mode 0700.
    func makeFolder(_ path: String) -> Int32
    /// chmod(2).
    func setMode(at path: String, _ mode: UInt32) -> Int32
    /// rename(2); with `isNew` only to a name that nothing has, renameat2(2).
    func rename(_ path: String, to other: String, isNew: Bool) -> Int32
    /// unlink(2).
    @discardableResult func unlink(_ path: String) -> Int32
    /// rmdir(2).
    @discardableResult func removeFolder(_ path: String) -> Int32
    /// Removes a folder and all that is in it, or a file. Follows no link.
    func removeTree(_ path: String)
    /// access(2).
    func access(_ path: String, _ mode: Int32) -> Int32
    /// statvfs(3). nil where it fails.
    func space(at path: String) -> DiskSpace?
    /// The type of the file system, as statfs(2) says it; nil where it does not.
    func fileSystem(at path: String) -> Int?

    // MARK: Processes and time

    /// As whom the process acts. geteuid(2).
    var user: UInt32 { get }
    /// getpid(2).
    var process: Int32 { get }
    /// Whether there is such a process.
    func isAlive(_ process: Int32) -> Bool
    /// The id that the system gives to each boot, its 32 digits. Where there is none it is another one each time that a process
    /// begins.
    var boot: [UInt8] { get }
    /// Microseconds since 1970, by the clock that anybody may set. CLOCK_REALTIME.
    func realTime() -> Int64
    /// Microseconds since the boot, by the clock that nobody may set. CLOCK_BOOTTIME.
    func elapsedTime() -> Int64
    /// Milliseconds of a clock that costs next to nothing and ticks some hundred times a second. CLOCK_MONOTONIC_COARSE.
    func coarseTime() -> Int64
    /// Whether the kernel says that the clock which anybody may set follows a time server. adjtimex(2).
    var isClockSynchronized: Bool { get }
    /// Lets others go on for a while. usleep(3).
    func pause(microseconds: UInt32)
    /// For names that nobody else has.
    func random() -> UInt64
}

/// What is known about a file or a folder. stat(3type).
package struct FileStatus: Sendable {
    package enum Kind: Sendable {
        case file, folder
        /// A link, a device, and whatever else there is.
        case other
    }

    package var kind: Kind
    /// The lowest twelve bits of it.
    package var mode: UInt32
    package var owner, group: UInt32
    package var inode, device: UInt
    /// How many names it has.
    package var names: UInt
    /// Bytes that are in it, and that it takes from the disk.
    package var size, room: Int64
    /// When its bytes or what is known about it changed last, in nanoseconds since 1970.
    package var changed: Int64
    /// When its bytes changed last, likewise.
    package var modified: Int64

    package init(
        kind: Kind,
        mode: UInt32,
        owner: UInt32,
        group: UInt32,
        inode: UInt,
        device: UInt,
        names: UInt,
        size: Int64,
        room: Int64,
        changed: Int64,
        modified: Int64
    ) {
        self.kind = kind
        self.mode = mode
        self.owner = owner
        self.group = group
        self.inode = inode
        self.device = device
        self.names = names
        self.size = size
        self.room = room
        self.changed = changed
        self.modified = modified
    }

    /// Whether somebody else than the owner may get at it.
    var isOpenToOthers: Bool { mode & 0o077 != 0 }
}

/// Bytes of a file system, and those that are free for us.
package struct DiskSpace: Sendable {
    package var size, free: UInt64

    package init(size: UInt64, free: UInt64) {
        self.size = size
        self.free = free
    }
}

extension System {
    /// The time of ``elapsedTime()`` at which somebody has waited for so long.
    func deadline(in patience: Duration) -> Int64 { elapsedTime() &+ Int64(patience / .microseconds(1)) }
}

/// A system of which nothing but some calls is not Linux's own.
package protocol LinuxCalls: System {}

/// The system as it is.
package struct Linux: LinuxCalls {
    package init() {}
}
