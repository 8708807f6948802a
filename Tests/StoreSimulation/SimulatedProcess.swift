import Glibc
import Journal

/// A process of the simulated computer. Killed, it has no effect any more: all its calls fail, and what it runs unwinds.
final class SimulatedProcess: System, @unchecked Sendable {
    private let machine: Machine
    let process: Int32
    private var descriptors: [Int32: Description] = [:]
    private var lastDescriptor: Int32 = 100
    private(set) var isOver = false
    /// Calls until it is killed; nil: it lives.
    var callsLeft: Int?

    /// An open file description, which several descriptors may share.
    private final class Description {
        let inode: Inode
        let number: Int
        var uses = 1

        init(_ inode: Inode, _ number: Int) {
            self.inode = inode
            self.number = number
        }
    }

    init(_ machine: Machine, _ process: Int32) {
        self.machine = machine
        self.process = process
    }

    func kill() {
        guard !isOver else { return }
        isOver = true
        for descriptor in descriptors.keys.sorted() { release(descriptor) }
    }

    private func release(_ descriptor: Int32) {
        guard let description = descriptors.removeValue(forKey: descriptor) else { return }
        description.uses -= 1
        guard description.uses == 0 else { return }
        description.inode.locks = description.inode.locks.filter { $0.value != description.number }
    }

    // MARK: Around each call

    /// - Returns: Whether the call is to be done.
    private func enter(_ call: @autoclosure () -> String, canFail: Bool = true) -> Bool {
        guard !isOver else {
            errno = EIO
            return false
        }
        machine.enter(call(), self)
        guard !isOver, !(canFail && machine.fails()) else {
            errno = EIO
            machine.note(-1)
            return false
        }
        return true
    }

    private func result(_ value: Int32, _ number: Int32 = 0) -> Int32 {
        machine.note(Int(value == 0 ? 0 : number))
        if value != 0 { errno = number }
        return value
    }

    private func inode(_ descriptor: Int32) -> Inode? { descriptors[descriptor]?.inode }

    // MARK: Files

    func open(_ path: String, _ flags: Int32) -> Int32 {
        guard enter("open \(path)") else { return -1 }
        let inode: Inode
        if let known = machine.disk[path] {
            guard flags & O_EXCL == 0 else { return result(-1, EEXIST) }
            guard flags & O_DIRECTORY == 0 || known.isFolder else { return result(-1, ENOTDIR) }
            guard !known.isFolder || flags & O_DIRECTORY != 0 else { return result(-1, EISDIR) }
            inode = known
        } else {
            guard flags & O_CREAT != 0, machine.disk[Disk.parent(of: path)] != nil else { return result(-1, ENOENT) }
            inode = machine.disk.make(path, isFolder: false, mode: 0o600)
            touchFolder(of: path)
            machine.touch(inode)
        }
        lastDescriptor += 1
        descriptors[lastDescriptor] = Description(inode, machine.description())
        machine.note(Int(lastDescriptor))
        return lastDescriptor
    }

    private func touchFolder(of path: String) {
        if let folder = machine.disk[Disk.parent(of: path)] { machine.touch(folder) }
    }

    func close(_ descriptor: Int32) { release(descriptor) }

    func status(of descriptor: Int32) -> FileStatus? {
        guard enter("fstat \(descriptor)", canFail: false), let inode = inode(descriptor) else { return nil }
        return status(inode)
    }

    func status(at path: String, followsLinks: Bool) -> FileStatus? {
        guard enter("lstat \(path)", canFail: false) else { return nil }
        guard let inode = machine.disk[path] else {
            _ = result(-1, ENOENT)
            return nil
        }
        return status(inode)
    }

    private func status(_ inode: Inode) -> FileStatus {
        machine.note(inode.size)
        return FileStatus(
            kind: inode.isFolder ? .folder : .file,
            mode: inode.mode,
            owner: user,
            group: user,
            inode: inode.number,
            device: 1,
            names: UInt(max(0, inode.names)),
            size: Int64(inode.size),
            room: Int64(inode.room),
            changed: inode.changed,
            modified: inode.modified
        )
    }

    func read(_ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        guard enter("read \(descriptor) \(bytes.count) at \(offset)"), let inode = inode(descriptor) else { return -1 }
        let count = inode.read(into: bytes, at: Int(offset))
        machine.note(count)
        return count
    }

    func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Int {
        guard enter("write \(descriptor) \(bytes.count) at \(offset)", canFail: false), let inode = inode(descriptor)
        else { return -1 }
        var count = bytes.count
        if machine.fails() {
            guard machine.random.happens(500) else { return Int(result(-1, machine.random.happens(500) ? EIO : EINTR)) }
            count = machine.random.below(count + 1)
        }
        if machine.disk.taken > 0 {
            let room = inode.room + max(0, machine.disk.free)
            count = min(count, max(0, room - Int(offset)))
        }
        guard count > 0 || bytes.isEmpty else { return Int(result(-1, ENOSPC)) }
        inode.write(Array(bytes.prefix(count)), at: Int(offset))
        machine.touch(inode)
        machine.note(count)
        machine.say(String(decoding: bytes.prefix(count), as: UTF8.self))
        return count
    }

    func sync(_ descriptor: Int32, isFolder: Bool) -> Int32 {
        guard enter("sync \(descriptor)", canFail: false), let inode = inode(descriptor) else { return -1 }
        guard isFolder else {
            if machine.fails() {
                inode.failSync(&machine.random)
                return result(-1, EIO)
            }
            inode.sync()
            return result(0)
        }
        guard !machine.fails() else { return result(-1, EIO) }
        if let path = machine.disk.names.first(where: { $0.value === inode })?.key { machine.disk.sync(path) }
        return result(0)
    }

    func truncate(_ descriptor: Int32, to size: Int64) -> Int32 {
        guard enter("truncate \(descriptor) to \(size)"), let inode = inode(descriptor) else { return -1 }
        inode.truncate(to: Int(size))
        machine.touch(inode)
        return result(0)
    }

    func allocate(_ descriptor: Int32, _ size: Int64) -> Int32 {
        guard enter("allocate \(descriptor) \(size)"), let inode = inode(descriptor) else { return EIO }
        if machine.disk.taken > 0, machine.disk.free < Int(size) - inode.room { return ENOSPC }
        inode.allocated = max(inode.allocated, Int(size))
        if inode.size < Int(size) { inode.truncate(to: Int(size)) }
        machine.touch(inode)
        return result(0)
    }

    func setMode(of descriptor: Int32, _ mode: UInt32) -> Int32 {
        guard enter("chmod \(descriptor)"), let inode = inode(descriptor) else { return -1 }
        inode.mode = mode
        return result(0)
    }

    func setOwner(of descriptor: Int32, _ owner: UInt32, _ group: UInt32) -> Int32 { 0 }

    func lock(_ descriptor: Int32, byte: Int64, _ isTaken: Bool) -> Int32 {
        guard enter("\(isTaken ? "lock" : "unlock") \(descriptor) \(byte)", canFail: false),
            let description = descriptors[descriptor]
        else { return -1 }
        let holder = description.inode.locks[byte]
        guard isTaken else {
            if holder == description.number { description.inode.locks[byte] = nil }
            return result(0)
        }
        guard holder == nil || holder == description.number else { return result(-1, EAGAIN) }
        description.inode.locks[byte] = description.number
        return result(0)
    }

    func lockFolder(_ descriptor: Int32) -> Int32 { lock(descriptor, byte: -1, true) }

    func replace(_ descriptor: Int32, with other: Int32) -> Int32 {
        guard enter("dup \(other) to \(descriptor)"), let description = descriptors[other] else { return -1 }
        description.uses += 1
        release(descriptor)
        descriptors[descriptor] = description
        return result(0)
    }

    func mappable(_ descriptor: Int32) -> Int32 {
        guard enter("map \(descriptor)"), let inode = inode(descriptor) else { return -1 }
        return inode.mappable()
    }

    // MARK: Names

    func names(in path: String) -> [String]? {
        guard enter("names \(path)") else { return nil }
        guard machine.disk[path]?.isFolder ?? false else {
            _ = result(-1, ENOENT)
            return nil
        }
        return machine.disk.names(in: path)
    }

    func makeFolder(_ path: String) -> Int32 {
        guard enter("mkdir \(path)") else { return -1 }
        guard machine.disk[path] == nil else { return result(-1, EEXIST) }
        machine.touch(machine.disk.make(path, isFolder: true, mode: 0o700))
        touchFolder(of: path)
        return result(0)
    }

    func setMode(at path: String, _ mode: UInt32) -> Int32 {
        guard enter("chmod \(path)") else { return -1 }
        machine.disk[path]?.mode = mode
        return result(0)
    }

    func rename(_ path: String, to other: String, isNew: Bool) -> Int32 {
        guard enter("rename \(path) to \(other)") else { return -1 }
        guard let inode = machine.disk[path] else { return result(-1, ENOENT) }
        guard !isNew || machine.disk[other] == nil else { return result(-1, EEXIST) }
        machine.disk.rename(path, to: other)
        machine.touch(inode, isContent: false)
        touchFolder(of: path)
        touchFolder(of: other)
        return result(0)
    }

    func unlink(_ path: String) -> Int32 {
        guard enter("unlink \(path)") else { return -1 }
        guard let inode = machine.disk[path] else { return result(-1, ENOENT) }
        guard !inode.isFolder else { return result(-1, EISDIR) }
        machine.disk.unlink(path)
        machine.touch(inode, isContent: false)
        touchFolder(of: path)
        return result(0)
    }

    func removeFolder(_ path: String) -> Int32 {
        guard enter("rmdir \(path)") else { return -1 }
        guard machine.disk[path] != nil else { return result(-1, ENOENT) }
        guard machine.disk.names(in: path).isEmpty else { return result(-1, ENOTEMPTY) }
        machine.disk.unlink(path)
        return result(0)
    }

    func removeTree(_ path: String) {
        guard enter("remove \(path)") else { return }
        machine.disk.removeTree(path)
    }

    func access(_ path: String, _ mode: Int32) -> Int32 {
        guard enter("access \(path)", canFail: false) else { return -1 }
        return machine.disk[path] == nil ? result(-1, ENOENT) : result(0)
    }

    func space(at path: String) -> DiskSpace? {
        guard enter("statvfs \(path)") else { return nil }
        let free = machine.disk.taken > 0 ? machine.disk.free : machine.disk.size
        return DiskSpace(size: UInt64(machine.disk.size), free: UInt64(max(0, free)))
    }

    /// ext4.
    func fileSystem(at path: String) -> Int? { 0xEF53 }

    // MARK: Processes and time

    var user: UInt32 { 1000 }

    func isAlive(_ process: Int32) -> Bool { machine.isAlive(process) }

    var boot: [UInt8] { machine.boot }

    func realTime() -> Int64 { machine.real }

    /// For a process that is over time flies, so that it waits for nothing.
    func elapsedTime() -> Int64 { isOver ? .max / 2 : machine.elapsed }

    func coarseTime() -> Int64 { machine.elapsed / 4000 * 4 }

    var isClockSynchronized: Bool { machine.isSynchronized }

    func pause(microseconds: UInt32) {
        guard !isOver else { return }
        machine.pass(microseconds: Int64(microseconds))
        machine.turns.yield(to: machine.random.next())
    }

    func random() -> UInt64 { machine.random.next() }
}
