internal import Glibc

/// A file that cannot be read: one sentence that names it.
struct UnreadableFile: Error, CustomStringConvertible {
    let description: String
}

/// A file that is read as a whole.
package enum WholeFile {
    static let maximumSize = 1 << 20

    /// - Throws: ``UnreadableFile`` when it cannot be read or is larger than any JWK Set.
    static func read(_ path: String) throws(UnreadableFile) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw error(path) }
        defer { close(descriptor) }
        guard let bytes = bytes(of: descriptor, atMost: maximumSize + 1) else { throw error(path) }
        guard bytes.count <= maximumSize else {
            throw UnreadableFile(description: "\(path) has more than \(maximumSize) bytes.")
        }
        return bytes
    }

    /// What a descriptor gives until its end, or the first `limit` bytes of it; nil when it cannot be read, with the reason in
    /// errno.
    package static func bytes(of descriptor: Int32, atMost limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit, 65536))
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &chunk, min(chunk.count, limit - bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    private static func error(_ path: String) -> UnreadableFile {
        UnreadableFile(description: "\(path) cannot be read: \(String(cString: strerror(errno))).")
    }
}
