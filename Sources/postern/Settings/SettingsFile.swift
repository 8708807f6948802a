import Glibc
import Postern

/// The file of settings: a line a setting, `name = value`; what stands behind a `#` at the beginning of a line or after a
/// space is a comment. It is read strictly: what is not understood lets nothing start.
struct SettingsFile {
    /// Where it is looked for when no other is named.
    static let standardPath = "/etc/postern/postern.conf"

    /// Bytes.
    private static let maximumSize = 64 * 1024

    let path: String
    private(set) var values: [Setting: (text: String, line: Int)] = [:]

    /// - Returns: nil where there is no file.
    /// - Throws: ``Failure``, exit code 78, naming file and line; 66 for a file that cannot be read.
    init?(at path: String) throws {
        guard let bytes = try Self.read(path) else { return nil }
        self.path = path
        let encoding = TextEncoding(of: bytes)
        guard encoding != .utf16 else {
            throw Failure(.configuration, "\(printable(path)) is saved as UTF-16: save it as UTF-8.")
        }
        let text = bytes.dropFirst(encoding == .marked ? TextEncoding.markLength : 0)
        for (number, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            try take(line.last == 0x0D ? line.dropLast() : line, number + 1)
        }
    }

    private mutating func take(_ line: ArraySlice<UInt8>, _ number: Int) throws {
        func refuse(_ reason: String) -> Failure { Failure(.configuration, "\(printable(path)):\(number): \(reason).") }
        guard let text = String(validating: line, as: UTF8.self) else { throw refuse("This is not UTF-8") }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control && $0 != "\t" }) else {
            throw refuse("A control character stands here")
        }
        let content = Self.trimmed(Self.withoutComment(text))
        guard !content.isEmpty else { return }
        guard let equals = content.firstIndex(of: "=") else {
            throw refuse("\"\(printable(content))\" is no name = value")
        }
        let name = Self.trimmed(content[..<equals])
        let value = Self.trimmed(content[content.index(after: equals)...])
        guard let setting = Setting(rawValue: name) else {
            throw refuse("\"\(printable(name))\" is no setting: see postern settings")
        }
        if let other = values[setting] { throw refuse("\(name) stands in line \(other.line) already") }
        guard !value.isEmpty else { throw refuse("\(name) has no value") }
        if let fault = setting.fault(of: value) { throw refuse("\(name) \"\(printable(value))\" \(fault)") }
        values[setting] = (value, number)
    }

    private static func withoutComment(_ line: String) -> Substring {
        var previous: Character = " "
        for position in line.indices {
            if line[position] == "#", previous == " " || previous == "\t" { return line[..<position] }
            previous = line[position]
        }
        return line[...]
    }

    private static func trimmed(_ text: Substring) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        let start = text.drop(while: isSpace)
        return String(start.reversed().drop(while: isSpace).reversed())
    }

    /// nil where there is no file.
    private static func read(_ path: String) throws -> [UInt8]? {
        // Whoever owns the file, or where a link leads, decides what root does.
        let isRoot = geteuid() == 0
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (isRoot ? O_NOFOLLOW : 0))
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            if errno == ELOOP, isRoot {
                throw Failure(
                    .configuration,
                    "\(printable(path)) is a link, which root does not follow: put the file itself there."
                )
            }
            throw Failure(.noInput, "\(printable(path)) cannot be read: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.noInput, "\(printable(path)) is no file.")
        }
        guard status.st_uid == 0 || !isRoot && status.st_uid == geteuid() else {
            throw Failure(.noPermission, "\(printable(path)) belongs to another user: chown it to root.")
        }
        guard status.st_mode & 0o022 == 0 else {
            throw Failure(.configuration, "\(printable(path)) can be written by others: chmod go-w it.")
        }
        guard let bytes = WholeFile.bytes(of: descriptor, atMost: maximumSize + 1) else {
            throw Failure(.noInput, "\(printable(path)) cannot be read: \(String(cString: strerror(errno))).")
        }
        guard bytes.count <= maximumSize else {
            throw Failure(.configuration, "\(printable(path)) is larger than 64 KiB.")
        }
        return bytes
    }
}
