/// One thing that `postern doctor` looks at.
protocol DoctorCheck {
    /// A word for it, as `socket`.
    var name: String { get }

    func diagnose() -> Diagnosis
}

/// What a check found.
struct Diagnosis {
    /// What is there, for whoever wants to know; `postern doctor --json` shows it.
    var state: String?
    /// What is wrong, each a sentence that says what to do about it.
    var findings: [String] = []
    /// What is worth knowing and may well be so.
    var notes: [String] = []
}
