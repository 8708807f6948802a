/// Whether the file of settings, where there is one, can be understood: a server does not start without.
struct SettingsCheck: DoctorCheck {
    let name = "settings"
    var path = SettingsFile.standardPath

    func diagnose() -> Diagnosis {
        do {
            return Diagnosis(state: try SettingsFile(at: path) == nil ? "no file" : path)
        } catch {
            return Diagnosis(findings: [Failure(error)?.message ?? "\(error)"])
        }
    }
}
