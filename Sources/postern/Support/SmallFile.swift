import Glibc
import Postern

enum SmallFile {
    /// The text of a file, as far as it is UTF-8; nil when it cannot be read.
    /// - Parameter limit: Bytes; what stands behind them is left out.
    static func text(at path: String, limit: Int = 1 << 20) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return WholeFile.bytes(of: descriptor, atMost: limit).map { String(decoding: $0, as: UTF8.self) }
    }
}
