internal import Glibc

package enum Folder {
    /// Names of what is in a folder, in no order; nil when it cannot be read, with the reason in errno.
    package static func names(in path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        return names(in: folder)
    }

    private static func names(in folder: OpaquePointer) -> [String] {
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes a folder with mode 0700, whatever the umask, for this owner. It is ours that is given away, and nothing that somebody
    /// has put in its place meanwhile.
    static func make(_ path: String, owner: uid_t, group: gid_t, _ system: any System) throws(JournalError) {
        guard system.makeFolder(path) == 0 else {
            throw errno == EEXIST ? .notEmpty(path: path) : File.error("mkdir", path)
        }
        let descriptor = system.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        guard descriptor >= 0 else { throw File.error("open", path) }
        defer { system.close(descriptor) }
        guard system.setMode(of: descriptor, 0o700) == 0 else { throw File.error("fchmod", path) }
        guard system.user == owner || system.setOwner(of: descriptor, owner, group) == 0 else {
            throw File.error("fchown", path)
        }
    }

    /// Makes the names in a folder as durable as the files that they name.
    static func sync(_ path: String, _ system: any System) throws(JournalError) {
        let descriptor = system.open(path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { throw File.error("open", path) }
        defer { system.close(descriptor) }
        guard system.sync(descriptor, isFolder: true) == 0 else { throw File.error("fsync", path) }
    }

    /// Removes a folder and all that is in it, or a file. Follows no link, whatever somebody puts there meanwhile.
    package static func removeTree(_ path: String) { removeTree(path, in: AT_FDCWD) }

    /// - Parameter folder: Descriptor of the folder in which `name` is.
    private static func removeTree(_ name: String, in folder: Int32) {
        if unlinkat(folder, name, 0) == 0 { return }
        let descriptor = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        // The stream has the descriptor from then on.
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            return
        }
        defer { closedir(stream) }
        for name in names(in: stream) { removeTree(name, in: descriptor) }
        unlinkat(folder, name, AT_REMOVEDIR)
    }
}
