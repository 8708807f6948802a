internal import Glibc

package enum Folder {
    /// Names of what is in a folder, in no order; nil when it cannot be read, with the reason in errno.
    package static func names(in path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a folder and all that is in it. Follows no link.
    package static func removeTree(_ path: String) {
        guard unlink(path) != 0, let names = names(in: path) else { return }
        for name in names { removeTree(path + "/" + name) }
        rmdir(path)
    }
}
