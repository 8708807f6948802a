import CLinux
import Glibc

/// Whether the store's lock can be had, as every writer needs it.
struct LockCheck: DoctorCheck {
    let name = "lock"
    let path: String
    /// As long as a writer waits.
    var patience = Duration.seconds(5)

    /// Where the lock of writers is, see `LockFile`.
    private static let byte: Int64 = 0

    func diagnose() -> Diagnosis {
        let file = path + "/lock"
        let descriptor = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            return Diagnosis(findings: ["\(file) cannot be opened: \(String(cString: strerror(errno)))."])
        }
        // Drops the lock as well.
        defer { close(descriptor) }
        let deadline = ContinuousClock.now + patience
        while linux_lock_exclusive(descriptor, Self.byte, true) != 0 {
            guard errno == EAGAIN || errno == EACCES || errno == EINTR else {
                return Diagnosis(findings: [
                    "\(file) cannot be locked: \(String(cString: strerror(errno))); use a local disk."
                ])
            }
            guard ContinuousClock.now < deadline else {
                return Diagnosis(findings: [
                    "\(file) is held by another process for too long, and nothing can be written: see what it does, or end it."
                ])
            }
            usleep(10000)
        }
        return Diagnosis(state: "free")
    }
}
