import Glibc

/// A folder in /tmp, mode 0700, that is gone when `body` is done.
func withTemporaryFolder<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
    var template = Array("/tmp/postern-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(.cannotCreate, "No folder can be made in /tmp.") }
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { removeTree(path) }
    return try body(path)
}

/// Follows no link.
private func removeTree(_ path: String) {
    guard unlink(path) != 0, let folder = opendir(path) else { return }
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { removeTree(path + "/" + name) }
    }
    closedir(folder)
    rmdir(path)
}
