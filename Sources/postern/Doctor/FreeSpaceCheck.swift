import Glibc

/// Room for what will be written, and for a compaction, which needs as much as the live part of a journal once more.
struct FreeSpaceCheck: DoctorCheck {
    let name = "space"
    let path: String
    /// Bytes.
    var least: UInt64 = 256 << 20
    var leastFiles: UInt64 = 256

    func diagnose() -> Diagnosis {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return Diagnosis() }
        let bytes = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        let files = UInt64(status.f_favail)
        var diagnosis = Diagnosis(state: "\(bytes >> 20) MiB free")
        if bytes < least {
            diagnosis.findings.append(
                "Only \(bytes >> 20) MiB are free where \(path) is, and what does not fit is refused: make room."
            )
        }
        // Some file systems have no fixed number of files.
        if status.f_files > 0, files < leastFiles {
            diagnosis.findings.append("Only \(files) more files can be made where \(path) is: remove some.")
        }
        return diagnosis
    }
}
