internal import Glibc
internal import Journal

/// What a scrape says of the process that answers it.
enum ProcessState {
    /// When this was asked for the first time, which is when the first pipeline of the process is made.
    static let startSeconds = Double(Timestamp.now().microseconds) / 1e6

    /// Bytes of memory that it has; nil where the system does not say. proc(5).
    static var residentBytes: Int? {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let words = (WholeFile.bytes(of: descriptor, atMost: 128) ?? []).split(separator: 0x20)
        guard words.count > 1, let pages = Decimal.parse(words[1]) else { return nil }
        return Int(pages) * sysconf(Int32(_SC_PAGESIZE))
    }
}
