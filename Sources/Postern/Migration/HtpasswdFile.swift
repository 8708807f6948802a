internal import Journal

/// A file of `htpasswd`, as nginx's `auth_basic_user_file` and Apache's `AuthUserFile` name it: `name:hash` a line. White space
/// at the ends of a line is no part of it, as for Apache.
struct HtpasswdFile: ImportSource {
    private let file: ImportFile

    var path: String { file.path }
    var size: Int64 { file.size }

    /// Bytes of a line.
    private static let maximumLine = 4096

    init(_ file: ImportFile) { self.file = file }

    func eachRecord(_ body: (ImportRecord, ImportPlace) throws(ImportError) -> Void) throws(ImportError) {
        var line: [UInt8] = []
        var (number, bytes) = (0, Int64(0))
        // Both servers take the first of a name's lines: one that says the same again changes nothing.
        var hashes: [Username: String] = [:]
        func end() throws(ImportError) {
            number += 1
            if var record = Self.record(Self.trimmed(line[...])) {
                if case .user(let user) = record, let hash = user.passwordHash,
                    hashes.updateValue(hash, forKey: user.username) == hash
                {
                    record = .leftOut("lines that are there twice")
                }
                try body(record, ImportPlace(description: "line \(number)", bytes: bytes))
            }
            line.removeAll(keepingCapacity: true)
        }
        try file.read { part throws(ImportError) in
            for byte in part {
                bytes += 1
                guard byte != 0x0A else {
                    try end()
                    continue
                }
                guard line.count < Self.maximumLine else {
                    throw .malformed(path: path, place: "line \(number + 1)", reason: "The line is too long.")
                }
                line.append(byte)
            }
        }
        if !line.isEmpty { try end() }
    }

    /// nil for an empty line and a comment.
    private static func record(_ line: ArraySlice<UInt8>) -> ImportRecord? {
        guard let first = line.first, first != UInt8(ascii: "#") else { return nil }
        // nginx takes a comment behind a second colon.
        let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2 else { return .problem("there is no colon between a name and a hash.") }
        let username: Username
        do throws(UsernameError) {
            username = try Username(parts[0])
        } catch {
            return .problem(error.description)
        }
        guard let hash = String(validating: trimmed(parts[1]), as: UTF8.self) else {
            return .problem("the hash of \(username) has to be valid UTF-8.")
        }
        guard PasswordHash(hash) != nil else {
            return .problem(
                "the hash of \(username) is of the kind \(PasswordHash.unknownKind(hash)), which cannot be verified: set a new one with htpasswd -B, or take the line out."
            )
        }
        return .user(ImportedUser(username: username, passwordHash: hash))
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = text.drop(while: ASCII.isWhiteSpace)
        return start[..<((start.lastIndex { !ASCII.isWhiteSpace($0) }).map { $0 + 1 } ?? start.startIndex)]
    }
}
