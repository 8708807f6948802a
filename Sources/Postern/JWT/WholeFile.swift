internal import Glibc

/// A file that cannot be read: one sentence that names it.
struct UnreadableFile: Error, CustomStringConvertible {
    let description: String
}

/// A file that is read as a whole.
enum WholeFile {
    private static let maximumSize = 256 * 1024

    /// - Throws: ``UnreadableFile`` when it cannot be read or is larger than any JWK Set.
    static func read(_ path: String) throws(UnreadableFile) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw error(path) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: maximumSize + 1)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw error(path) }
            if count == 0 { break }
            filled += count
        }
        guard filled <= maximumSize else {
            throw UnreadableFile(description: "\(path) has more than \(maximumSize) bytes.")
        }
        return Array(bytes.prefix(filled))
    }

    private static func error(_ path: String) -> UnreadableFile {
        UnreadableFile(description: "\(path) cannot be read: \(String(cString: strerror(errno))).")
    }
}
