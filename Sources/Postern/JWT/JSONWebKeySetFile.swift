internal import CLinux
internal import Glibc
internal import Synchronization

/// A file with a JWK Set, which another program may replace at any time.
///
/// That program may fail and write an error page or nothing. The keys from before stay then, and an error is logged. To end
/// the trust in an issuer, remove the file or the parameter. A set without a single usable key replaces the one before.
final class JSONWebKeySetFile: Sendable {
    let path: String
    private let known = Mutex<Known?>(nil)

    private struct Known {
        let identity: Identity
        /// What counts now, or why nothing does.
        let set: Result<JSONWebKeySet, JSONWebKeyError>
        /// What was told last of keys that are passed over.
        let told: PassedOverKeys
    }

    private struct Identity: Equatable {
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int
    }

    /// What an operator has to know when a file was read. Nothing in it can end a line.
    struct News {
        /// Whether it is an error: no key of the file can be used.
        let isError: Bool
        let text: String
        /// Whether every set of that issuer has such keys.
        var isUsual = false
    }

    private init(path: String) { self.path = path }

    private static let files = Mutex<[String: JSONWebKeySetFile]>([:])
    /// Paths with variables in them are endless.
    private static let capacity = 256

    /// The one of this process for a path, so that what it says is said once for all locations.
    static func at(_ path: String) -> JSONWebKeySetFile {
        files.withLock { files in
            if let known = files[path] { return known }
            let file = JSONWebKeySetFile(path: path)
            if files.count < capacity { files[path] = file }
            return file
        }
    }

    /// The keys that are in the file now. One system call when it is as it was.
    ///
    /// - Parameter tell: Called when the file is another one and there is something to say about it.
    /// - Throws: ``APIError/unavailable(_:)`` when the file cannot be read, or could never be understood.
    func set(_ tell: (News) -> Void) throws(APIError) -> JSONWebKeySet {
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
        if let set = known.withLock({ $0.flatMap { $0.identity == identity ? $0.set : nil } }) { return try keys(set) }
        let before = known.withLock { $0 }
        let now: Known
        let news: News?
        do {
            guard status.st_size <= WholeFile.maximumSize else { throw JSONWebKeyError.tooLarge }
            let set = try JSONWebKeySet(parsing: try WholeFile.read(path))
            now = Known(identity: identity, set: .success(set), told: set.passedOver)
            news = self.news(of: set, before)
        } catch let error as JSONWebKeyError {
            var set: Result<JSONWebKeySet, JSONWebKeyError> =
                error == .none ? .success(JSONWebKeySet([])) : .failure(error)
            if case .success? = before?.set, let before { set = before.set }
            now = Known(identity: identity, set: set, told: before?.told ?? PassedOverKeys())
            news = failed(error, before)
        } catch {
            throw unavailable("\(error)")
        }
        // Only the first reader reports.
        let (kept, isFirst) = known.withLock { known in
            if let known, known.identity == identity { return (known.set, false) }
            known = now
            return (now.set, true)
        }
        if isFirst, let news { tell(news) }
        return try keys(kept)
    }

    private func keys(_ set: Result<JSONWebKeySet, JSONWebKeyError>) throws(APIError) -> JSONWebKeySet {
        do throws(JSONWebKeyError) {
            return try set.get()
        } catch {
            throw unavailable("\(error)")
        }
    }

    private func news(of set: JSONWebKeySet, _ before: Known?) -> News? {
        guard set.passedOver.count > 0 else { return nil }
        guard !set.keys.isEmpty else {
            return News(isError: true, text: "\(Self.title(path)) has no key that can be used: \(set.passedOver)")
        }
        guard before?.told != set.passedOver else { return nil }
        let text = "\(Self.title(path)): passed over \(set.passedOver.count): \(set.passedOver)"
        return News(isError: false, text: text, isUsual: !set.passedOver.hasFaulty)
    }

    private func failed(_ error: JSONWebKeyError, _ before: Known?) -> News {
        var kept = ""
        if case .success(let set)? = before?.set, !set.keys.isEmpty { kept = "; the keys from before stay" }
        return News(isError: true, text: "\(Self.title(path)) \(error)\(kept)")
    }

    private func unavailable(_ reason: String) -> APIError {
        .unavailable("\(Self.title(path)): \(reason)")
    }

    private static func title(_ path: String) -> String { "JWK Set \(LogText(path))" }
}
