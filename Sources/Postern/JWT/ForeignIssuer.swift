internal import Glibc
internal import Synchronization

/// Another issuer whose tokens a location takes: its name, the file with its JWK Set, and the claim that
/// holds the username.
struct ForeignIssuer: Sendable {
    let name: String
    let keys: JSONWebKeySetFile
    /// The claim whose text is a username here: never an id, which would be another's here.
    let userClaim: String

    /// nil when the location names none.
    init?(_ settings: PolicySettings) throws(PolicyError) {
        guard let words = settings.words(.jwtJWKS) else { return nil }
        guard words.count == 2, words[1].hasPrefix("/") else {
            throw settings.error(.jwtJWKS, "is not an issuer, a space and the path of its JWK Set")
        }
        guard settings[.jwtAudience] != nil else {
            throw settings.error(
                .jwtJWKS,
                "needs POSTERN_JWT_AUDIENCE, so that no token for another application is taken"
            )
        }
        name = words[0]
        keys = JSONWebKeySetFile(path: words[1])
        userClaim = settings[.jwtUserClaim] ?? "sub"
    }
}

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
