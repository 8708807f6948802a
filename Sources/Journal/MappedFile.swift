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
        if let bytes = try Self.map(path, folder, size), isValid(UnsafeRawBufferPointer(bytes)) {
            self.bytes = bytes
            return
        }
        let isThere = access(path, F_OK) == 0
        try Self.make(path, folder, size, header, replacing: isThere)
        // Perhaps another process was faster, and ours is gone: what stands there now is the one that all share.
        guard let bytes = try Self.map(path, folder, size), isValid(UnsafeRawBufferPointer(bytes)) else {
            throw .foreignFile(path: path)
        }
        self.bytes = bytes
    }

    /// Memory of this process alone, which does the same for its threads. nil where there is none.
    package init?(size: Int, header: [UInt8]) {
        guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            address != MAP_FAILED
        else { return nil }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
        bytes.copyBytes(from: header)
    }

    /// The word at a position that is a multiple of eight.
    package func atomic(at position: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        // An atomic is nothing but its value in memory, and there is no memory without an address.
        (bytes.baseAddress! + position).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }

    /// nil for a missing file, and for one of another size.
    private static func map(
        _ path: String,
        _ folder: JournalFolder,
        _ size: Int
    ) throws(JournalError) -> UnsafeMutableRawBufferPointer? {
        let file: File
        do {
            file = try File(opening: path, owner: folder.owner)
        } catch .missing {
            return nil
        } catch {
            throw error
        }
        guard try file.status().size == size else { return nil }
        guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0),
            address != MAP_FAILED
        else { throw File.error("mmap", path) }
        return UnsafeMutableRawBufferPointer(start: address, count: size)
    }

    private static func make(
        _ path: String,
        _ folder: JournalFolder,
        _ size: Int,
        _ header: [UInt8],
        replacing isThere: Bool
    ) throws(JournalError) {
        let temporary = path + ".new-" + String(UInt64.random(in: .min ... .max), radix: 36)
        let file = try File(creating: temporary, owner: folder.owner, group: folder.group)
        do throws(JournalError) {
            let result = posix_fallocate(file.descriptor, 0, off_t(size))
            guard result == 0 else { throw .system(call: "posix_fallocate", path: temporary, errno: result) }
            try file.write(header, at: 0, with: DiskCalls())
            guard isThere ? rename(temporary, path) == 0 : linux_rename_new(temporary, path) == 0 || errno == EEXIST
            else { throw File.error("rename", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        // There still where another process was faster.
        unlink(temporary)
    }
}
