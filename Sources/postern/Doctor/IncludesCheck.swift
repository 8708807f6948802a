import Glibc
import Journal

/// Whether the files that the web server includes are those of this program: what they hand over and what it reads belong
/// together.
struct IncludesCheck: DoctorCheck {
    let name = "includes"
    let paths: [String]

    /// Goes up when a file in `nginx/` or `lighttpd/` changes in a way that an older one must not be used any more.
    static let version = 1

    static let usualFolders = ["/etc/nginx", "/etc/lighttpd"]

    func diagnose() -> Diagnosis {
        var (found, findings) = (0, [String]())
        for file in paths.flatMap({ Self.files(at: $0, depth: 3) }) {
            guard let text = SmallFile.text(at: file) else {
                findings.append("\(file) cannot be read: run this as root.")
                continue
            }
            found += 1
            let version = text.prefix { $0 != "\n" }.wholeMatch(of: /# Postern include, version ([0-9]+)\./).flatMap {
                Int($0.1)
            }
            if version != Self.version {
                findings.append(
                    "\(file) is of \(version.map { "version \($0)" } ?? "another version"), and this program needs version \(Self.version): put the file that came with it there."
                )
            }
        }
        return Diagnosis(state: "\(found) found", findings: findings)
    }

    /// A file that is named is one of ours, whatever it is called.
    private static func files(at path: String, depth: Int) -> [String] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        guard status.st_mode & S_IFMT == S_IFDIR else { return [path] }
        return (Folder.names(in: path) ?? []).sorted().flatMap { name -> [String] in
            let inside = path + "/" + name
            var status = stat()
            guard lstat(inside, &status) == 0 else { return [] }
            if status.st_mode & S_IFMT == S_IFDIR { return depth > 0 ? files(at: inside, depth: depth - 1) : [] }
            return status.st_mode & S_IFMT == S_IFREG && isOurs(name, in: path) ? [inside] : []
        }
    }

    private static func isOurs(_ name: String, in folder: String) -> Bool {
        // A site of one's own may have such a name at nginx.
        if name == "postern.conf" || name.hasSuffix("-postern.conf") { return folder.contains("lighttpd") }
        guard name.hasPrefix("postern-"), name.hasSuffix(".conf") else { return false }
        return ["cache", "endpoints", "fastcgi", "gate", "guard", "identity-fastcgi", "identity-uwsgi", "upstream"]
            .contains(name.dropFirst("postern-".count).dropLast(".conf".count))
    }
}
