import Glibc
import Journal
import Postern

/// The JWK Sets of other issuers that locations of the web server name: whether they can be used, and which keys of theirs
/// are passed over.
struct KeySetsCheck: DoctorCheck {
    let name = "key sets"
    /// Files of the web server's configuration, and folders of them.
    let paths: [String]

    static let usualFolders = IncludesCheck.usualFolders + ["/etc/caddy", "/etc/apache2", "/etc/httpd"]

    func diagnose() -> Diagnosis {
        let sets = Set(paths.flatMap { Self.files(at: $0, depth: 3) }.flatMap(Self.keySets)).sorted()
        var diagnosis = Diagnosis(state: "\(sets.count) named")
        for path in sets {
            if let finding = Self.accessFinding(path) {
                diagnosis.findings.append(finding)
                continue
            }
            do {
                let verifier = try JWTVerifier(keysAt: path)
                guard let passedOver = verifier.passedOver else { continue }
                diagnosis.notes.append("\(path) has keys that are passed over: \(passedOver).")
            } catch {
                diagnosis.findings.append(
                    "\(error) Tokens of that issuer are verified by the keys from before, or not at all."
                )
            }
        }
        return diagnosis
    }

    private static func accessFinding(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return "\(path) cannot be read: \(String(cString: strerror(errno)))." }
        guard status.st_mode & S_IFMT == S_IFREG else { return "\(path) is no file." }
        return status.st_mode & 0o002 == 0 ? nil : "Everybody may write \(path), so it is not used: chmod o-w it."
    }

    /// The paths in `POSTERN_JWT_JWKS "ISSUER PATH"`, however the web server writes an assignment.
    static func keySets(in file: String) -> [String] {
        guard let text = SmallFile.text(at: file) else { return [] }
        return text.split(whereSeparator: \.isNewline).filter { !$0.drop(while: \.isWhitespace).hasPrefix("#") }
            .flatMap { line in
                line.matches(of: /POSTERN_JWT_JWKS["']?\s*(?:=>|=)?\s*["'][^\s"']+\s+(\/[^\s"';$]+)["']/).map {
                    String($0.1)
                }
            }
    }

    /// Links too: `sites-enabled` is made of them.
    private static func files(at path: String, depth: Int) -> [String] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        if status.st_mode & S_IFMT == S_IFREG { return [path] }
        guard status.st_mode & S_IFMT == S_IFDIR, depth > 0 else { return [] }
        return (Folder.names(in: path) ?? []).sorted().flatMap { files(at: path + "/" + $0, depth: depth - 1) }
    }
}
