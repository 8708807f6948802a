import Postern

/// Whether the journals hold more that is of no use than a server leaves there, and whether anything was taken out of them.
struct JournalsCheck: DoctorCheck {
    let name = "journals"
    let store: Store

    /// A running server compacts a journal of more events than this when more than half of them are dead
    /// (``Store/maintainByItself(beyond:)``); when it is much more than half, nobody does.
    var events = 8192
    private static let deadPercent = 75

    func diagnose() -> Diagnosis {
        let loads: [Store.Load]
        do {
            loads = try store.loads()
        } catch {
            return Diagnosis(findings: [error.description])
        }
        return Diagnosis(
            state: loads.map { "\($0.journal) \($0.events) events, \($0.deadPercent)% dead" }.joined(separator: "; "),
            findings: loads.filter { $0.events > events && $0.deadPercent > Self.deadPercent }.map {
                "Of the journal \($0.journal) \($0.deadPercent)% are of no use: run postern store compact, and see whether a server runs."
            } + store.leftovers.map { "\($0) is no part of the store: look what is in it, and remove it." }
        )
    }
}

/// The store cannot be opened, and why not.
struct UnopenedStoreCheck: DoctorCheck {
    let name = "store"
    let error: StoreError

    func diagnose() -> Diagnosis { Diagnosis(findings: [error.description]) }
}
