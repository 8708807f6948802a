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
        let difference = store.clockDifference
        if difference > Self.tolerance {
            diagnosis.findings.append(
                "The clock is \(difference) seconds behind that of the store, which goes on from its newest event: set it right or, if that event was written when the clock was wrong, run postern store repair --set-clock."
            )
        } else if difference < -Self.tolerance {
            diagnosis.findings.append(
                "The clock was set ahead of that of the store by \(-difference) seconds, which is not believed: set it right or, if it is right now, run postern store repair --set-clock."
            )
        }
        if !linux_clock_is_synchronized() {
            diagnosis.findings.append("Nobody keeps the clock right: run systemd-timesyncd or chrony.")
        }
        return diagnosis
    }
}
