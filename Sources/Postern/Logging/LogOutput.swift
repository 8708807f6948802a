internal import CLinux
internal import Glibc
internal import Synchronization

/// Where lines of a log go, each with one write, from any number of threads and processes.
///
/// It has one descriptor for as long as it lives. When another file takes the place of the first one, as after logrotate,
/// the descriptor stands for it in one step: whoever writes meanwhile meets the old file or the new one, and waits for
/// nobody.
public final class LogOutput: Sendable {
    /// What lines are written to.
    public enum Target: Sendable, Equatable {
        case standardError
        case nowhere
        /// A file by its path. Where there is none it is made, of mode 0600.
        case file(String)
    }

    /// How a line looks.
    public enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    private let descriptor: Int32
    private let target: Mutex<Target>
    private let isJSON: Atomic<Bool>
    private let isSilent: Atomic<Bool>
    /// Whether the last write stopped in the middle of a line, as on a full disk. Asked where the file cannot be.
    private let wasCutShort = Atomic(false)
    /// Where the last line that was written ended, when nobody else had written since the look before it.
    private let knownEnd = Atomic<Int64>(0)

    /// - Throws: ``LogOutputError`` when the file can be neither opened nor made.
    public init(_ target: Target, format: Format = .text) throws(LogOutputError) {
        descriptor = try Self.open(target)
        self.target = Mutex(target)
        isJSON = Atomic(format == .json)
        isSilent = Atomic(target == .nowhere)
    }

    deinit { close(descriptor) }

    public var format: Format {
        get { isJSON.load(ordering: .relaxed) ? .json : .text }
        set { isJSON.store(newValue == .json, ordering: .relaxed) }
    }

    /// Whether anybody reads what is written.
    var isOpen: Bool { !isSilent.load(ordering: .relaxed) }

    /// Opens what stands at the path now, which may be another file than before.
    ///
    /// - Parameter target: nil: the same as before.
    /// - Throws: ``LogOutputError``; lines go on to where they went then.
    public func reopen(_ target: Target? = nil) throws(LogOutputError) {
        try self.target.withLock { known throws(LogOutputError) in
            let target = target ?? known
            let new = try Self.open(target)
            defer { close(new) }
            guard linux_replace_descriptor(new, descriptor) == 0 else {
                throw LogOutputError(target: target, errno: errno)
            }
            known = target
            isSilent.store(target == .nowhere, ordering: .relaxed)
            wasCutShort.store(false, ordering: .relaxed)
            knownEnd.store(0, ordering: .relaxed)
        }
    }

    /// - Parameter line: Without a line feed, which it gets.
    /// - Returns: Whether all of it was written.
    @discardableResult
    func write(_ line: [UInt8]) -> Bool {
        while true {
            let end = fileSize
            // What is left of a line that did not fit, of whichever process, is not to become the beginning of this one.
            let start: [UInt8] = isLineOpen(at: end) ? [0x0A] : []
            let bytes = start + line + [0x0A]
            let count = Glibc.write(descriptor, bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            // Nobody is there to be told, and what is decided does not depend on the log.
            if count == bytes.count {
                wasCutShort.store(false, ordering: .relaxed)
                if let end { knownEnd.store(end + Int64(count), ordering: .relaxed) }
            } else if count > 0 {
                wasCutShort.store(true, ordering: .relaxed)
            }
            return count == bytes.count
        }
    }

    /// nil for what is no regular file.
    private var fileSize: Int64? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(status.st_size)
    }

    /// Whether the file ends in the middle of a line. Its last byte is looked at only when somebody else has written: a file
    /// that ends where our last line did ends with a line feed.
    private func isLineOpen(at end: Int64?) -> Bool {
        if let end {
            guard end > 0, end != knownEnd.load(ordering: .relaxed) else { return false }
            var last: UInt8 = 0
            if pread(descriptor, &last, 1, off_t(end - 1)) == 1 { return last != 0x0A }
        }
        return wasCutShort.load(ordering: .relaxed)
    }

    private static func open(_ target: Target) throws(LogOutputError) -> Int32 {
        let descriptor: Int32
        switch target {
        case .standardError: descriptor = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        case .nowhere: descriptor = Glibc.open("/dev/null", O_WRONLY | O_CLOEXEC)
        case .file(let path):
            // Without waiting for anybody who reads a FIFO.
            let flags = O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK
            let readable = Glibc.open(path, flags | O_RDWR, 0o600)
            // It may be one that we may only write to.
            descriptor = readable < 0 && errno == EACCES ? Glibc.open(path, flags | O_WRONLY, 0o600) : readable
            var status = stat()
            if descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
                close(descriptor)
                throw LogOutputError(target: target, errno: EINVAL)
            }
        }
        guard descriptor >= 0 else { throw LogOutputError(target: target, errno: errno) }
        return descriptor
    }
}

/// A log cannot be written where it should be.
public struct LogOutputError: Error, Equatable, CustomStringConvertible {
    public let target: LogOutput.Target
    public let errno: Int32

    public var description: String {
        let name: String
        switch target {
        case .standardError: name = "standard error"
        case .nowhere: name = "/dev/null"
        case .file(let path): name = path
        }
        let reason = errno == EINVAL ? "It is no regular file" : String(cString: strerror(errno))
        return "The log \(name) cannot be opened: \(reason)."
    }
}
