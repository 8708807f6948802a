internal import CLinux
internal import Glibc

/// What processes leave that are killed while they make a file or a folder which is to take its name when it is whole.
///
/// Such a file has a name of its own until then, and a lock as long as its maker lives. Whoever opens the folder removes those
/// that nobody has locked.
enum Leftovers {
    /// What such names have in them.
    static let infix = ".new"
    /// Beyond all bytes that are locked for another reason.
    static let ownedByte: Int64 = 1 << 41

    /// Removes those in a folder of journals, or of whole files.
    static func remove(in path: String, owner: uid_t) {
        for name in Folder.names(in: path) ?? [] where isTemporary(name) {
            let path = path + "/" + name
            guard let file = try? File(opening: path, owner: owner),
                linux_lock_exclusive(file.descriptor, ownedByte, true) == 0
            else { continue }
            unlink(path)
        }
    }

    private static func isTemporary(_ name: String) -> Bool { name.contains(infix) || name.hasPrefix(".") }

    /// Removes folders that were to become the one at `path`.
    static func removeFolders(besides path: String) {
        let parent = JournalFolder.parent(of: path)
        let prefix = path.split(separator: "/").last.map { $0 + infix + "-" } ?? ""
        for name in Folder.names(in: parent) ?? [] where !prefix.isEmpty && name.hasPrefix(prefix) {
            let path = parent + "/" + name
            if Hold(of: path) != nil { Folder.removeTree(path) }
        }
    }

    /// A lock on a folder, for as long as this is there.
    struct Hold: ~Copyable {
        private let descriptor: Int32

        /// nil when another has it, or it is no folder of ours.
        init?(of path: String) {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_uid == geteuid() || geteuid() == 0,
                flock(descriptor, LOCK_EX | LOCK_NB) == 0
            else {
                close(descriptor)
                return nil
            }
            self.descriptor = descriptor
        }

        deinit { close(descriptor) }
    }
}
