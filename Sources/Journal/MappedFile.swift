internal import CLinux
internal import Glibc
package import Synchronization

/// A file of a fixed size inside of a ``JournalFolder`` that every process has mapped: shared memory that outlives them.
/// Nothing of it is ever synced, so it is for what may be lost.
///
/// All of its blocks are there from the beginning: writing into a hole on a full disk would be a fault. Where its owner cuts
/// it, takes it away or puts another one there, ``look()`` lets every process go on with the file that is there then, or
/// with a new one, at the same address.
package final class MappedFile: Sendable {
    /// Whoever uses the bytes sees to it that processes and threads agree; the address and the count never change.
    package var bytes: UnsafeMutableRawBufferPointer { memory.bytes }

    private let memory: Memory
    /// Where the file is; nil for memory of this process alone.
    private let place: Place?
    /// Which file is mapped.
    private let known: Mutex<File.Identity?>

    private enum Memory: Sendable {
        case shared(Mapping)
        case own(Own)

        var bytes: UnsafeMutableRawBufferPointer {
            switch self {
            case .shared(let mapping): mapping.bytes
            case .own(let own): own.bytes
            }
        }

        var isLost: Bool { if case .shared(let mapping) = self { mapping.isLost } else { false } }
    }

    /// Memory of this process alone.
    private final class Own: @unchecked Sendable {
        // As of a mapping.
        let bytes: UnsafeMutableRawBufferPointer

        init?(size: Int) {
            guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                address != MAP_FAILED
            else { return nil }
            bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
        }

        deinit { munmap(bytes.baseAddress, bytes.count) }
    }

    fileprivate struct Place: Sendable {
        let path: String
        let owner: uid_t
        let group: gid_t
        let lockFile: LockFile
        let system: any System
        let size: Int
        /// What every such file begins with.
        let magic: [UInt8]
        let header: Header
    }

    /// Makes what a new file has behind the magic bytes.
    fileprivate struct Header: Sendable {
        let make: @Sendable () -> [UInt8]
    }

    /// Opens the file, or makes it where there is none, or none that begins with `magic`.
    ///
    /// - Parameter header: Makes what follows on `magic` in a new file; the rest of it is zero.
    package init(
        _ name: String,
        in folder: JournalFolder,
        size: Int,
        magic: [UInt8],
        header: @escaping @Sendable () -> [UInt8] = { [] }
    ) throws(JournalError) {
        let place = Place(
            path: folder.path + "/" + name,
            owner: folder.owner,
            group: folder.group,
            lockFile: folder.lockFile,
            system: folder.system,
            size: size,
            magic: magic,
            header: Header(make: header)
        )
        let (file, identity) = try place.openOrMake()
        memory = .shared(try Mapping(file, count: size, isWritable: true))
        self.place = place
        known = Mutex(identity)
    }

    /// Memory of this process alone, which does the same for its threads. nil where there is none.
    package init?(size: Int, header: [UInt8]) {
        guard let own = Own(size: size) else { return nil }
        memory = .own(own)
        place = nil
        known = Mutex(nil)
        bytes.copyBytes(from: header)
    }

    /// The word at a position that is a multiple of eight.
    package func atomic(at position: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        // An atomic is nothing but its value in memory, and there is no memory without an address.
        (bytes.baseAddress! + position).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Which file it is; nil for memory of this process alone.
    var identity: File.Identity? { known.withLock { $0 } }

    /// Milliseconds since the file was made or took its name; nil for memory of this process alone.
    var age: Int64? {
        guard let place, let status = place.system.status(at: place.path, followsLinks: false) else { return nil }
        return (place.system.realTime() &* 1000 &- status.changed) / 1_000_000
    }

    /// Sees to it that the memory is that of the file which is at the path now, and makes one where there is none that is
    /// good. To be called now and then, and where what is in the memory cannot be.
    ///
    /// - Parameters:
    ///   - replaces: Called when another file is about to take the place of the one before; by one thread at a time.
    ///   - isReplaced: Called when it has.
    /// - Throws: ``JournalError`` when there is none and none can be made. What was mapped still is.
    package func look(
        replaces: () -> Void = {},
        isReplaced: () -> Void = {}
    ) throws(JournalError) {
        guard let place, case .shared(let mapping) = memory else { return }
        try known.withLock { known throws(JournalError) in
            if !mapping.isLost, place.isThere(known), beginsRight(place) { return }
            let (file, identity) = try place.openOrMake()
            replaces()
            defer { isReplaced() }
            try mapping.become(file)
            known = identity
        }
    }

    /// Zeros in the place of the first bytes are what a file of zeros begins with, too.
    private func beginsRight(_ place: Place) -> Bool { UnsafeRawBufferPointer(bytes).starts(with: place.magic) }
}

extension MappedFile.Place {
    /// Whether this file is at the path, with its size.
    fileprivate func isThere(_ identity: File.Identity?) -> Bool {
        guard let status = system.status(at: path, followsLinks: false) else { return false }
        return status.size == size && File.Identity(status) == identity
    }

    fileprivate func openOrMake() throws(JournalError) -> (File, File.Identity) {
        if let found = try openGood() { return found }
        var found: (File, File.Identity)?
        // Who comes at the same time takes what the first one makes.
        try lockFile.withMakingLock { () throws(JournalError) in
            found = try openGood()
            guard found == nil else { return }
            try make()
            found = try openGood()
        }
        guard let found else { throw .foreignFile(path: path) }
        return found
    }

    /// nil for a missing file, and for one of another size or beginning.
    private func openGood() throws(JournalError) -> (File, File.Identity)? {
        let file: File
        do {
            file = try File(opening: path, owner: owner, system)
        } catch .missing {
            return nil
        } catch {
            throw error
        }
        let status = try file.status()
        guard status.size == size, try file.read(magic.count, at: 0) == magic else { return nil }
        return (file, status.identity)
    }

    private func make() throws(JournalError) {
        let temporary = Leftovers.name(besides: path, system)
        let file = try File(creating: temporary, owner: owner, group: group, system)
        do throws(JournalError) {
            let result = system.allocate(file.descriptor, Int64(size))
            guard result == 0 else { throw .system(call: "posix_fallocate", path: temporary, errno: result) }
            try file.write(magic + header.make(), at: 0)
            guard system.rename(temporary, to: path, isNew: false) == 0 else { throw File.error("rename", path) }
        } catch {
            system.unlink(temporary)
            throw error
        }
    }
}
