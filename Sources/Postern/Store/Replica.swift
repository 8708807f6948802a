internal import Journal
internal import Synchronization

/// One journal and the state that its events add up to, kept up to date by whoever reads.
final class Replica<State: EventSourced>: Sendable {
    private let journal: Journal
    private let told = Mutex(Told())
    private let whenGrown = Mutex<(events: Int, call: @Sendable () -> Void)?>(nil)

    /// While a file that took the place of another is told from the beginning, readers keep what was whole:
    /// half of its history may hold a token whose revocation has not been read yet.
    private struct Told {
        var state = State()
        var next: State?
        /// Events of the file until now.
        var count = 0
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
        if let (events, call) = whenGrown.withLock({ $0 }),
            told.withLock({ $0.count > events && $0.count > 2 * $0.state.count })
        {
            call()
        }
    }

    /// Calls `body` after each write to a file of more than so many events of which more than half are of no use.
    func whenGrown(beyond events: Int, _ body: @escaping @Sendable () -> Void) {
        whenGrown.withLock { $0 = (events, body) }
    }

    /// Bytes of the file as far as it was read.
    var size: Int64 { journal.size }

    /// How many events the file holds, and how many would be enough.
    func load() throws(StoreError) -> (events: Int, needed: Int) {
        try read { _ in }
        return told.withLock { ($0.count, $0.state.count) }
    }

    /// Puts a file in the place of this one that holds only what still counts.
    ///
    /// - Parameter isAlive: Asked when the state has been taken: what it knows by then is not older.
    /// - Returns: false when another process did the same meanwhile.
    func compact(
        at now: Timestamp,
        isAlive: () throws(StoreError) -> (User.ID, Int64) -> Bool
    ) throws(StoreError) -> Bool {
        var refusal: StoreError?
        do {
            return try journal.compact(reset: reset, apply: apply, told: finish) {
                told.withLock { $0.state }
            } events: { state, write throws(JournalError) in
                let judge: (User.ID, Int64) -> Bool
                do throws(StoreError) {
                    judge = try isAlive()
                } catch {
                    refusal = error
                    throw .missing(path: "users")
                }
                try state.write(at: now, isAlive: judge, write)
            }
        } catch {
            throw refusal ?? StoreError(error)
        }
    }

    private func reset() {
        told.withLock {
            $0.next = State()
            $0.count = 0
        }
    }

    private func apply(_ event: Event) throws(EventError) {
        try told.withLock { told throws(EventError) in
            told.count += 1
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
