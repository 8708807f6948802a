internal import CLinux
internal import Glibc

extension LinuxCalls {
    package func open(_ path: String, _ flags: Int32) -> Int32 { Glibc.open(path, flags | O_CLOEXEC, 0o600) }

    package func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    package func status(of descriptor: Int32) -> FileStatus? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? FileStatus(status) : nil
    }

    package func status(at path: String, followsLinks: Bool) -> FileStatus? {
        var status = stat()
        return (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 ? FileStatus(status) : nil
    }

    package func read(_ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        pread(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
    }

    package func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Int {
        pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
    }

    package func sync(_ descriptor: Int32, isFolder: Bool) -> Int32 {
        isFolder ? fsync(descriptor) : fdatasync(descriptor)
    }

    package func truncate(_ descriptor: Int32, to size: Int64) -> Int32 { ftruncate(descriptor, off_t(size)) }

    package func allocate(_ descriptor: Int32, _ size: Int64) -> Int32 {
        posix_fallocate(descriptor, 0, off_t(size))
    }

    package func setMode(of descriptor: Int32, _ mode: UInt32) -> Int32 { fchmod(descriptor, mode) }

    package func setOwner(of descriptor: Int32, _ owner: UInt32, _ group: UInt32) -> Int32 {
        fchown(descriptor, owner, group)
    }

    package func lock(_ descriptor: Int32, byte: Int64, _ isTaken: Bool) -> Int32 {
        linux_lock_exclusive(descriptor, byte, isTaken)
    }

    package func lockFolder(_ descriptor: Int32) -> Int32 { flock(descriptor, LOCK_EX | LOCK_NB) }

    package func replace(_ descriptor: Int32, with other: Int32) -> Int32 {
        linux_replace_descriptor(other, descriptor)
    }

    package func mappable(_ descriptor: Int32) -> Int32 { descriptor }

    package func names(in path: String) -> [String]? { Folder.names(in: path) }

    package func makeFolder(_ path: String) -> Int32 { mkdir(path, 0o700) }

    package func setMode(at path: String, _ mode: UInt32) -> Int32 { chmod(path, mode) }

    package func rename(_ path: String, to other: String, isNew: Bool) -> Int32 {
        isNew ? linux_rename_new(path, other) : Glibc.rename(path, other)
    }

    package func unlink(_ path: String) -> Int32 { Glibc.unlink(path) }

    package func removeFolder(_ path: String) -> Int32 { rmdir(path) }

    package func removeTree(_ path: String) { Folder.removeTree(path) }

    package func access(_ path: String, _ mode: Int32) -> Int32 { Glibc.access(path, mode) }

    package func space(at path: String) -> DiskSpace? {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return nil }
        let unit = UInt64(space.f_frsize)
        return DiskSpace(size: times(UInt64(space.f_blocks), unit), free: times(UInt64(space.f_bavail), unit))
    }

    private func times(_ count: UInt64, _ unit: UInt64) -> UInt64 {
        let (product, overflows) = count.multipliedReportingOverflow(by: unit)
        return overflows ? .max : product
    }

    package func fileSystem(at path: String) -> Int? {
        var fileSystem = statfs()
        return statfs(path, &fileSystem) == 0 ? Int(fileSystem.f_type) : nil
    }

    package var user: UInt32 { geteuid() }

    package var process: Int32 { getpid() }

    package func isAlive(_ process: Int32) -> Bool { kill(process, 0) == 0 || errno != ESRCH }

    package var boot: [UInt8] { Linux.boot }

    package func realTime() -> Int64 { microseconds(of: CLOCK_REALTIME) }

    package func elapsedTime() -> Int64 { microseconds(of: CLOCK_BOOTTIME) }

    package func coarseTime() -> Int64 { microseconds(of: CLOCK_MONOTONIC_COARSE) / 1000 }

    private func microseconds(of clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1000
    }

    package var isClockSynchronized: Bool { linux_clock_is_synchronized() }

    package func pause(microseconds: UInt32) { usleep(microseconds) }

    package func random() -> UInt64 { UInt64.random(in: .min ... .max) }
}

extension FileStatus {
    fileprivate init(_ status: stat) {
        let kind: Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            default: .other
            }
        self.init(
            kind: kind,
            mode: status.st_mode & 0o7777,
            owner: status.st_uid,
            group: status.st_gid,
            inode: UInt(status.st_ino),
            device: UInt(status.st_dev),
            names: UInt(status.st_nlink),
            size: Int64(status.st_size),
            room: Int64(status.st_blocks) * 512,
            changed: Self.nanoseconds(status.st_ctim),
            modified: Self.nanoseconds(status.st_mtim)
        )
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

extension Linux {
    /// Read once.
    fileprivate static let boot: [UInt8] = {
        // Not of the process's number, which a process of the next boot may have.
        let unknown = Array("unknown \(UInt64.random(in: .min ... .max))".utf8)
        let descriptor = Glibc.open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return unknown }
        defer { _ = Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 36)
        guard Glibc.read(descriptor, &bytes, bytes.count) == bytes.count else { return unknown }
        return bytes.filter { $0 != UInt8(ascii: "-") }
    }()
}
