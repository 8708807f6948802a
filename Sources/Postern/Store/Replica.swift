internal import Journal
internal import Synchronization

/// One journal and the state that its events add up to, kept up to date by whoever reads.
final class Replica<State: EventSourced>: Sendable {
    private let journal: Journal
    private let told = Mutex(Told())

    /// While a file that took the place of another is told from the beginning, readers keep what was whole:
    /// half of its history may hold a token whose revocation has not been read yet.
    private struct Told {
        var state = State()
        var next: State?
    }

    init(of name: String, in folder: JournalFolder) throws(JournalError) {
        journal = try Journal(opening: name, in: folder)
    }

    /// Follows the journal, then lends the state. One system call when nothing was appended.
    func read<Result: Sendable>(_ body: (borrowing State) -> Result) throws(StoreError) -> Result {
        do {
            try journal.follow(reset: reset, apply: apply, told: finish)
        } catch {
            throw StoreError(error)
        }
        return told.withLock { body($0.state) }
    }

    /// Lets `decide` make events out of the state as it is under the lock of the store, appends and syncs
    /// them. What `decide` throws ends the attempt and nothing is written.
    func write(_ decide: (borrowing State) throws(StoreError) -> [Event]) throws(StoreError) {
        var refusal: StoreError?
        do {
            try journal.append(reset: reset, apply: apply, told: finish) {
                told.withLock { told in
                    do throws(StoreError) {
                        return try decide(told.state)
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
        told.withLock { $0.next = State() }
    }

    private func apply(_ event: Event) throws(EventError) {
        try told.withLock { told throws(EventError) in
            if told.next != nil { try told.next?.apply(event) } else { try told.state.apply(event) }
        }
    }

    private func finish() {
        told.withLock { told in
            guard let next = told.next else { return }
            told.state = next
            told.next = nil
        }
    }
}
