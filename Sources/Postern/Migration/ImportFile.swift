internal import CLinux
internal import Glibc

/// A file that is read from its beginning, more than once. What comes through a pipe is kept in memory for that, so that no
/// password hash and no token lies in a file of ours.
public final class ImportFile: Sendable {
    /// What messages call it.
    public let path: String
    public let size: Int64
    private let descriptor: Int32
    private let changed: timespec

    /// - Parameter path: nil: standard input.
    /// - Throws: ``ImportError/unreadable(path:reason:)``.
    public init(_ path: String?) throws(ImportError) {
        self.path = path ?? "standard input"
        descriptor =
            if let path { try Self.open(path) } else { try Self.copyToMemory(STDIN_FILENO, "standard input") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.error(self.path) }
        size = Int64(status.st_size)
        changed = status.st_mtim
    }

    deinit { close(descriptor) }

    /// Calls `body` with the bytes of the file, in parts, without the mark that some programs put before UTF-8.
    /// - Throws: ``ImportError``, also for a file that was saved as UTF-16.
    func read(_ body: (UnsafeRawBufferPointer) throws(ImportError) -> Void) throws(ImportError) {
        var buffer = [UInt8](repeating: 0, count: Self.partSize)
        var offset: off_t = 0
        while true {
            let count = pread(descriptor, &buffer, buffer.count, offset)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.error(path) }
            guard count > 0 else { return try checkUnchanged(offset) }
            var start = 0
            if offset == 0 { start = try markLength(of: buffer, count) }
            offset += off_t(count)
            try Self.lend(buffer, start..<count, body)
        }
    }

    /// Calls `body` with each object of JSON in it, which ``JSONObjects`` finds, and with where it stands.
    ///
    /// - Parameters:
    ///   - word: What a place is called, as `object`.
    ///   - read: Makes of the object what `body` wants.
    func eachObject<Value>(
        _ word: String,
        _ read: (JSONObject) throws(JSONError) -> Value,
        _ body: (Value, ImportPlace) throws(ImportError) -> Void
    ) throws(ImportError) {
        var objects = JSONObjects()
        try self.read { part throws(ImportError) in
            try objects.take(part, of: path) { bytes, objects throws(ImportError) in
                let place = ImportPlace(description: "\(word) \(objects.count)", bytes: objects.bytes)
                let value: Value
                do throws(JSONError) {
                    guard case .object(let members) = try JSONReader.read(bytes) else { return }
                    value = try read(JSONObject(members))
                } catch {
                    throw .malformed(path: path, place: place.description, reason: error.description + ".")
                }
                try body(value, place)
            }
        }
        try objects.finish(path)
    }

    /// It is read more than once, and has to say the same each time.
    private func checkUnchanged(_ offset: off_t) throws(ImportError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, Int64(offset) == size, status.st_mtim.tv_sec == changed.tv_sec,
            status.st_mtim.tv_nsec == changed.tv_nsec
        else { throw .unreadable(path: path, reason: "it was changed while it was read") }
    }

    private func markLength(of buffer: [UInt8], _ count: Int) throws(ImportError) -> Int {
        switch TextEncoding(of: buffer[..<count]) {
        case .plain: return 0
        case .marked: return TextEncoding.markLength
        case .utf16:
            throw .malformed(
                path: path,
                place: "byte 1",
                reason:
                    "It is saved as UTF-16, as PowerShell does: write a dump with manage.py dumpdata --output, save another file as UTF-8."
            )
        }
    }

    private static func lend(
        _ buffer: [UInt8],
        _ part: Range<Int>,
        _ body: (UnsafeRawBufferPointer) throws(ImportError) -> Void
    ) throws(ImportError) {
        // `withUnsafeBytes` of the array does not say what it throws.
        let span = buffer.span
        try span.withUnsafeBytes { bytes throws(ImportError) in
            try body(UnsafeRawBufferPointer(rebasing: bytes[part]))
        }
    }

    private static let partSize = 1 << 20

    private static func open(_ path: String) throws(ImportError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error(path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            defer { close(descriptor) }
            guard status.st_mode & S_IFMT != S_IFDIR else {
                throw .unreadable(path: path, reason: "it is a folder")
            }
            return try copyToMemory(descriptor, path)
        }
        return descriptor
    }

    private static func copyToMemory(_ source: Int32, _ path: String) throws(ImportError) -> Int32 {
        let memory = linux_memory_file("import")
        guard memory >= 0 else { throw error(path) }
        var buffer = [UInt8](repeating: 0, count: partSize)
        while true {
            let count = Glibc.read(source, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                guard count == 0 else {
                    defer { close(memory) }
                    throw error(path)
                }
                return memory
            }
            var written = 0
            while written < count {
                let part = buffer.withUnsafeBytes {
                    write(memory, $0.baseAddress.map { $0 + written }, count - written)
                }
                guard part > 0 else {
                    defer { close(memory) }
                    throw error(path)
                }
                written += part
            }
        }
    }

    private static func error(_ path: String) -> ImportError {
        .unreadable(path: path, reason: String(cString: strerror(errno)))
    }
}
