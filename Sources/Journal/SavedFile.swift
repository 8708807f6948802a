internal import Glibc

/// A file beside a journal that holds what the journal adds up to, so that not everybody has to read all of it. It can be
/// made again at any time. Its name has the id of the journal's file: it is about that file and no other.
enum SavedFile {
    private static let infix = ".index-"

    static func name(of header: FileHeader) -> String {
        header.name + infix + String(decoding: header.fileID, as: UTF8.self)
    }

    /// Of the lock for whoever makes it.
    static func lockName(of journal: String) -> String { journal + infix }

    /// Removes those of files that are gone.
    static func removeAll(of journal: String, in folder: JournalFolder, but header: FileHeader) {
        for name in folder.names(startingWith: journal + infix) where name != self.name(of: header) {
            folder.system.unlink(folder.path + "/" + name)
        }
    }
}

extension JournalSource {
    /// What was saved beside the file; nil when nothing was, or it cannot be read.
    package func saved() -> ReadOnlyMap? {
        guard let file = try? folder.open(savedPath), let size = try? file.status().size,
            let count = Int(exactly: size)
        else { return nil }
        return try? ReadOnlyMap(file, count: count)
    }

    /// Lets one at a time of all processes save something beside the file.
    /// - Throws: ``JournalError/locked(path:holder:)`` when another takes too long.
    package func exclusively(_ body: () throws(JournalError) -> Void) throws(JournalError) {
        try folder.lockFile.withSyncLock(of: SavedFile.lockName(of: header.name)) { _ throws(JournalError) in
            try body()
        }
    }

    /// Saves beside the file, in one step. Only ``exclusively(_:)``, or for a file that nobody else knows.
    ///
    /// - Parameters:
    ///   - count: Bytes of what is saved.
    ///   - fill: Called with as many bytes, all of them zero.
    package func save(
        _ count: Int,
        _ fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(JournalError) {
        let temporary = savedPath + ".new"
        // A leftover. Whoever made it is gone.
        folder.system.unlink(temporary)
        let saved = try folder.make(temporary)
        do throws(JournalError) {
            // Before it is mapped: writing into a hole on a full disk would be the end of the process.
            let result = folder.system.allocate(saved.descriptor, Int64(count))
            guard result == 0 else { throw .system(call: "posix_fallocate", path: temporary, errno: result) }
            let mapping = try Mapping(saved, count: count, isWritable: true)
            fill(mapping.bytes)
            guard !mapping.isLost else { throw .wrongIndex(path: temporary) }
            try saved.sync()
            guard folder.system.rename(temporary, to: savedPath, isNew: false) == 0 else {
                throw File.error("rename", temporary)
            }
        } catch {
            folder.system.unlink(temporary)
            throw error
        }
    }

    package var savedPath: String { folder.path + "/" + SavedFile.name(of: header) }
}
