internal import Journal
internal import Synchronization

/// One journal and the state that its events add up to, kept up to date by whoever reads.
final class Replica<State: EventSourced>: Sendable {
    private let journal: Journal
    private let told = Mutex(Told())
    private let care = Mutex<Care?>(nil)

    /// While a file that took the place of another is told from the beginning, readers keep what was whole:
    /// half of its history may hold a token whose revocation has not been read yet.
    private struct Told {
        var state = State()
        var next: State?
        /// Events of the file until now.
        var count = 0
        /// Bytes of the file that were in the state that was saved, and until now.
        var saved: Int64 = 0
        var end: Int64 = 0
    }

    /// What a journal needs that has grown.
    enum Need {
        /// More than half of it is of no use.
        case compaction
        /// It has grown far beyond what is saved of it.
        case saving
    }

    private struct Care {
        let events: Int
        let call: @Sendable (Need) -> Void
    }

    init(of name: String, in folder: JournalFolder) throws(JournalError) {
        journal = try Journal(opening: name, in: folder)
    }

    /// Follows the journal, then lends the state. No system call when nothing was appended.
    func read<Result: Sendable>(
        _ body: (borrowing State) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        do {
            try journal.follow(reset: reset, apply: apply, told: finish)
        } catch {
            throw StoreError(error)
        }
        do throws(StoreError) {
            return try told.withLock { told throws(StoreError) in try body(told.state) }
        } catch .journal(.wrongIndex) {
            // Somebody has changed by hand what was saved beside the journal.
            try readAnew()
        } catch {
            throw error
        }
        return try told.withLock { told throws(StoreError) in try body(told.state) }
    }

    private func readAnew() throws(StoreError) {
        journal.restart()
        do {
            try journal.follow(reset: reset, apply: apply, told: finish)
        } catch {
            throw StoreError(error)
        }
    }

    /// As ``read(_:)``, when all that the state rests on is on disk: for what goes into another journal, or to somebody
    /// who may keep it.
    func readSynced<Result: Sendable>(
        _ body: (borrowing State) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        do {
            try journal.followSynced(reset: reset, apply: apply, told: finish)
        } catch {
            throw StoreError(error)
        }
        return try told.withLock { told throws(StoreError) in try body(told.state) }
    }

    /// Lets `decide` make events out of the state as it is under the lock of the store, appends and syncs
    /// them. What `decide` throws ends the attempt and nothing is written.
    /// - Parameter isAwaited: With false nothing is waited for, neither the lock nor the disk: for what may be lost.
    func write(
        isAwaited: Bool = true,
        _ decide: (borrowing State) throws(StoreError) -> [Event]
    ) throws(StoreError) {
        var refusal: StoreError?
        do {
            try journal.append(isAwaited: isAwaited, reset: reset, apply: apply, told: finish) {
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
        if let refusal {
            // The next who asks gets what stands in the journal.
            if case .journal(.wrongIndex) = refusal { journal.restart() }
            throw refusal
        }
        if let care = care.withLock({ $0 }), told.withLock({ $0.count > care.events && $0.count > 2 * $0.state.count })
        {
            care.call(.compaction)
        }
    }

    /// Calls `body` after each write to a file of more than so many events of which more than half are of no use, and when
    /// the state that is saved beside the journal is far behind.
    func whenInNeed(beyond events: Int, _ body: @escaping @Sendable (Need) -> Void) {
        care.withLock { $0 = Care(events: events, call: body) }
    }

    /// As ``Journal/lineage``.
    var lineage: [UInt8] { journal.lineage }

    /// Lets one at a time of all processes do something that takes long.
    /// - Throws: ``StoreError``, also when another one is at it.
    func exclusively(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        var refusal: StoreError?
        do {
            try journal.saving { _ throws(JournalError) in
                do throws(StoreError) {
                    try body()
                } catch {
                    refusal = error
                }
            }
        } catch {
            throw StoreError(error)
        }
        if let refusal { throw refusal }
    }

    /// Bytes of the file as far as it was read.
    var size: Int64 { journal.size }

    /// How many events the file holds, and how many would be enough.
    func load() throws(StoreError) -> (events: Int, needed: Int) {
        try read { _ in }
        return told.withLock { ($0.count, $0.state.count) }
    }

    /// As ``load()``, by a look at all that there is.
    /// - Parameter isAlive: Whether a credential of this user and epoch may still be good.
    func load(
        at now: Timestamp,
        isAlive: (User.ID, Int64) -> Bool
    ) throws(StoreError) -> (events: Int, needed: Int) {
        try read { _ in }
        let (events, state) = told.withLock { ($0.count, $0.state) }
        do {
            return (events, min(events, try state.needed(at: now, isAlive: isAlive)))
        } catch {
            throw StoreError(error)
        }
    }

    /// Reads all of the file once more, whatever is saved of it, and holds that against the file.
    func check(_ progress: (Double) -> Void) throws(StoreError) {
        do {
            try journal.check(progress, State.checker)
        } catch {
            throw StoreError(error)
        }
    }

    /// Saves the state beside the journal, unless another process did just that, and goes on with what is saved.
    func save() throws(StoreError) {
        do {
            var saved: Int64 = 0
            try journal.saving { source throws(JournalError) in saved = try State.save(source) }
            guard saved > told.withLock({ $0.saved }) else { return }
            journal.restart()
            try journal.follow(reset: reset, apply: apply, told: finish)
        } catch {
            throw StoreError(error)
        }
    }

    /// Puts a file in the place of this one that holds only what still counts.
    ///
    /// - Parameters:
    ///   - isAlive: Asked when the state has been taken: what it knows by then is not older.
    ///   - progress: Called now and then with which part of the state is written.
    ///   - more: Adds to it what is to be there as well, all of it or nothing; the ids in it have to be reserved.
    ///   - admits: Whether `more` may be added to the state, which others may have changed meanwhile.
    /// - Returns: false when another process did the same meanwhile, or `admits` said no.
    func compact(
        at now: Timestamp,
        isAlive: () throws(StoreError) -> (User.ID, Int64) -> Bool,
        progress: @escaping (Double) -> Void = { _ in },
        adding more: (CompactedFile) throws(StoreError) -> Void = { _ in },
        admits: (borrowing State) -> Bool = { _ in true }
    ) throws(StoreError) -> Bool {
        var refusal: StoreError?
        do {
            return try journal.compact(reset: reset, apply: apply, told: finish) {
                told.withLock { $0.state }
            } events: { state, file throws(JournalError) in
                let judge: (User.ID, Int64) -> Bool
                do throws(StoreError) {
                    judge = try isAlive()
                } catch {
                    refusal = error
                    throw .missing(path: "users")
                }
                file.whenWritten { progress(min(1, Double($0) / Double(max(1, state.count)))) }
                try state.write(to: file, at: now, isAlive: judge)
                do throws(StoreError) {
                    try more(file)
                } catch {
                    refusal = error
                    throw .missing(path: "users")
                }
            } admits: {
                told.withLock { admits($0.state) }
            } finished: {
                // Without it everybody who opens the new file makes it.
                _ = try? State.save($0)
            }
        } catch {
            throw refusal ?? StoreError(error)
        }
    }

    private func reset(_ source: inout JournalSource) throws(JournalError) {
        let resumed = State.resume(&source)
        told.withLock {
            $0.next = resumed?.state ?? State()
            $0.count = resumed?.events ?? 0
            $0.saved = resumed == nil ? 0 : source.offset
            $0.end = source.offset
        }
    }

    private func apply(_ event: EventLine) throws(EventError) {
        try told.withLock { told throws(EventError) in
            told.count += 1
            told.end = event.offset
            if told.next != nil { try told.next?.apply(event) } else { try told.state.apply(event) }
        }
    }

    private func finish() {
        let isBehind = told.withLock { told in
            if let next = told.next {
                told.state = next
                told.next = nil
            }
            return State.isSaved && journal.isFarAhead(of: told.saved, at: told.end)
        }
        if isBehind, let care = care.withLock({ $0 }) { care.call(.saving) }
    }
}
