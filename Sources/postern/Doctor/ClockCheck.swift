import CLinux
import Journal
import Postern

/// Whether the clock is behind what the store has seen, and whether somebody keeps it right.
struct ClockCheck: DoctorCheck {
    let name = "clock"
    let store: Store

    /// Seconds. Machines that write one store differ by less.
    private static let tolerance: Int64 = 2

    func diagnose() -> Diagnosis {
        let now = Timestamp.now()
        var diagnosis = Diagnosis(state: now.rfc3339)
        // Never behind the newest event.
        let behind = (store.now().microseconds - now.microseconds) / 1_000_000
        if behind > Self.tolerance {
            diagnosis.findings.append(
                "The clock is \(behind) seconds behind the newest event of the store, which counts meanwhile: set it right; if that event is from a time when the clock was wrong, what was issued then ends late."
            )
        }
        if !linux_clock_is_synchronized() {
            diagnosis.findings.append("Nobody keeps the clock right: run systemd-timesyncd or chrony.")
        }
        return diagnosis
    }
}
