internal import Glibc
internal import Synchronization

/// A file with a JWK Set, which another program may replace at any time.
final class JSONWebKeySetFile: Sendable {
    let path: String
    private let known = Mutex<(identity: Identity, set: JSONWebKeySet)?>(nil)

    private struct Identity: Equatable {
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int
    }

    init(path: String) { self.path = path }

    /// The keys that are in the file now. One system call when it is as it was.
    /// - Throws: ``APIError/unavailable(_:)`` when the file cannot be read or understood.
    func set() throws(APIError) -> JSONWebKeySet {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unavailable(String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o002 == 0 else {
            throw unavailable("is no file, or everybody may write it")
        }
        let identity = Identity(
            inode: UInt(status.st_ino),
            size: Int(status.st_size),
            seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec
        )
        if let set = known.withLock({ $0.flatMap { $0.identity == identity ? $0.set : nil } }) { return set }
        do {
            let set = try JSONWebKeySet(parsing: try WholeFile.read(path))
            known.withLock { $0 = (identity, set) }
            return set
        } catch {
            throw unavailable("\(error)")
        }
    }

    private func unavailable(_ reason: String) -> APIError { .unavailable("JWK Set \(path): \(reason)") }
}
