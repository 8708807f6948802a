import Glibc
import Journal

/// A folder in /tmp, mode 0700, that is gone when `body` is done.
func withTemporaryFolder<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
    var template = Array("/tmp/postern-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(.cannotCreate, "No folder can be made in /tmp.") }
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { Folder.removeTree(path) }
    return try body(path)
}
