import CLinux
import Glibc
import Journal

/// The store's folder, what is in it, and the folders above it: who owns them, and who may write there.
struct StoreFilesCheck: DoctorCheck {
    let name = "files"
    let path: String

    func diagnose() -> Diagnosis {
        guard let real = realpath(path, nil) else { return Diagnosis() }
        defer { free(real) }
        let folder = String(cString: real)
        var status = stat()
        guard lstat(folder, &status) == 0 else { return Diagnosis() }
        return Diagnosis(
            state: "\(folder), mode \(String(status.st_mode & 0o777, radix: 8)), user id \(status.st_uid)",
            findings: aboveFindings(folder, owner: status.st_uid) + insideFindings(folder, owner: status.st_uid)
                + memoryFindings(folder)
        )
    }

    /// Whoever may write in a folder above puts another store in the place of this one.
    private func aboveFindings(_ folder: String, owner: uid_t) -> [String] {
        var findings: [String] = []
        var above = folder
        while above != "/", !above.isEmpty {
            above = String(above[..<(above.lastIndex(of: "/") ?? above.startIndex)])
            let path = above.isEmpty ? "/" : above
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            if status.st_uid != 0, status.st_uid != owner {
                findings.append(
                    "\(path) belongs to user id \(status.st_uid), who can put another store in the place of \(folder): chown it to root."
                )
            }
            if status.st_mode & 0o022 != 0, status.st_mode & S_ISVTX == 0 {
                findings.append(
                    "Others may write in \(path), and put another store in the place of \(folder): chmod go-w \(path)."
                )
            }
        }
        return findings
    }

    private func insideFindings(_ folder: String, owner: uid_t) -> [String] {
        var findings: [String] = []
        for name in (Folder.names(in: folder) ?? []).sorted() {
            let path = folder + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            guard status.st_mode & S_IFMT != S_IFLNK else {
                findings.append("\(path) is a symbolic link, which is not followed: put there what it leads to.")
                continue
            }
            if status.st_uid != owner { findings.append("\(path) belongs to another user than the store: chown it.") }
            if status.st_mode & 0o077 != 0 {
                findings.append("\(path) is open to other users: chmod go= \(path), and find out who read it.")
            }
            if status.st_mode & S_IFMT == S_IFDIR { findings += insideFindings(path, owner: owner) }
        }
        return findings
    }

    private func memoryFindings(_ folder: String) -> [String] {
        var status = statfs()
        guard statfs(folder, &status) == 0, [Self.tmpfs, Self.ramfs].contains(Int(status.f_type)) else { return [] }
        return ["\(folder) is in memory and gone after a restart of the machine: move the store to a disk."]
    }

    // statfs(2).
    private static let tmpfs = 0x0102_1994
    private static let ramfs = 0x8584_58f6
}
