internal import CLinux
internal import Glibc
package import Synchronization

/// A file of a fixed size inside of a ``JournalFolder`` that every process has mapped: shared memory that outlives them.
/// Nothing of it is ever synced, so it is for what may be lost.
///
/// All of its blocks are there from the beginning: writing into a hole on a full disk would be the end of the process.
package final class MappedFile: @unchecked Sendable {
    // Whoever uses the bytes sees to it that processes and threads agree; the address and the count never change.
    package let bytes: UnsafeMutableRawBufferPointer

    /// Which file it is; nil for memory of this process alone.
    let identity: File.Identity?

    /// Opens the file, or makes it where there is none, or none that `isValid`.
    ///
    /// - Parameters:
    ///   - header: What a new file begins with; the rest of it is zero.
    ///   - isValid: Whether a file of the right size is one of ours, by its beginning.
    package init(
        _ name: String,
        in folder: JournalFolder,
        size: Int,
        header: [UInt8],
        isValid: (UnsafeRawBufferPointer) -> Bool
    ) throws(JournalError) {
        let path = folder.path + "/" + name
        var found = try Self.map(path, folder, size, isValid)
        if found == nil {
            // Who comes at the same time takes what the first one makes.
            try folder.lockFile.withMakingLock { () throws(JournalError) in
                found = try Self.map(path, folder, size, isValid)
                guard found == nil else { return }
                try Self.make(path, folder, size, header)
                found = try Self.map(path, folder, size, isValid)
            }
        }
        guard let found else { throw .foreignFile(path: path) }
        (bytes, identity) = found
    }

    /// Memory of this process alone, which does the same for its threads. nil where there is none.
    package init?(size: Int, header: [UInt8]) {
        guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            address != MAP_FAILED
        else { return nil }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
        identity = nil
        bytes.copyBytes(from: header)
    }

    /// The word at a position that is a multiple of eight.
    package func atomic(at position: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        // An atomic is nothing but its value in memory, and there is no memory without an address.
        (bytes.baseAddress! + position).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }

    /// nil for a missing file, and for one of another size or beginning.
    private static func map(
        _ path: String,
        _ folder: JournalFolder,
        _ size: Int,
        _ isValid: (UnsafeRawBufferPointer) -> Bool
    ) throws(JournalError) -> (UnsafeMutableRawBufferPointer, File.Identity)? {
        let file: File
        do {
            file = try File(opening: path, owner: folder.owner)
        } catch .missing {
            return nil
        } catch {
            throw error
        }
        let status = try file.status()
        guard status.size == size else { return nil }
        let bytes = try map(file, size)
        guard isValid(UnsafeRawBufferPointer(bytes)) else {
            munmap(bytes.baseAddress, size)
            return nil
        }
        return (bytes, status.identity)
    }

    private static func map(_ file: File, _ size: Int) throws(JournalError) -> UnsafeMutableRawBufferPointer {
        guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0),
            address != MAP_FAILED
        else { throw File.error("mmap", file.path) }
        return UnsafeMutableRawBufferPointer(start: address, count: size)
    }

    private static func make(
        _ path: String,
        _ folder: JournalFolder,
        _ size: Int,
        _ header: [UInt8]
    ) throws(JournalError) {
        let temporary = path + ".new-" + String(UInt64.random(in: .min ... .max), radix: 36)
        let file = try File(creating: temporary, owner: folder.owner, group: folder.group)
        do throws(JournalError) {
            let result = posix_fallocate(file.descriptor, 0, off_t(size))
            guard result == 0 else { throw .system(call: "posix_fallocate", path: temporary, errno: result) }
            let bytes = try map(file, size)
            bytes.copyBytes(from: header)
            munmap(bytes.baseAddress, size)
            guard rename(temporary, path) == 0 else { throw File.error("rename", path) }
        } catch {
            unlink(temporary)
            throw error
        }
    }
}
