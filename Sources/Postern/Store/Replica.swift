internal import Journal
internal import Synchronization

/// One journal and the state that its events add up to, kept up to date by whoever reads.
final class Replica<State: EventSourced>: Sendable {
    private let journal: Journal
    private let state = Mutex(State())

    init(of name: String, in folder: JournalFolder) throws(JournalError) {
        journal = try Journal(opening: name, in: folder)
    }

    /// Follows the journal, then lends the state. One system call when nothing was appended.
    func read<Result: Sendable>(_ body: (borrowing State) -> Result) throws(StoreError) -> Result {
        do {
            try journal.follow(reset: reset, apply: apply)
        } catch {
            throw StoreError(error)
        }
        return state.withLock { body($0) }
    }

    /// Lets `decide` make events out of the state as it is under the lock of the store, appends and syncs
    /// them. What `decide` throws ends the attempt and nothing is written.
    func write(_ decide: (borrowing State) throws(StoreError) -> [Event]) throws(StoreError) {
        var refusal: StoreError?
        do {
            try journal.append(reset: reset, apply: apply) {
                state.withLock { state in
                    do throws(StoreError) {
                        return try decide(state)
                    } catch {
                        refusal = error
                        return []
                    }
                }
            }
        } catch {
            throw StoreError(error)
        }
        if let refusal { throw refusal }
    }

    private func reset() {
        state.withLock { $0 = State() }
    }

    private func apply(_ event: Event) throws(EventError) {
        try state.withLock { state throws(EventError) in try state.apply(event) }
    }
}
