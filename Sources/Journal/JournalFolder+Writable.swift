internal import Glibc

extension JournalFolder {
    /// Bytes that have to be free. A group of lines is far smaller.
    private static let neededRoom: UInt64 = 1 << 16

    /// Whether journals can be appended to, as far as that shows without doing so. A quota does not.
    ///
    /// - Throws: ``JournalError`` for what may not be written, a file system that can only be read, and one that is full.
    package func checkWritable(_ journals: [String]) throws(JournalError) {
        for name in [""] + journals.map({ "/" + $0 }) {
            // Also of a file system that has become one that can only be read.
            guard system.access(path + name, W_OK) == 0 else { throw File.error("access", path + name) }
        }
        guard let space = system.space(at: path) else { throw File.error("statvfs", path) }
        guard space.free >= Self.neededRoom else {
            throw .system(call: "statvfs", path: path, errno: ENOSPC)
        }
    }
}
