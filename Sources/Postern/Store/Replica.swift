internal import Journal
internal import Synchronization

/// One journal and the state that its events add up to, kept up to date by whoever reads.
///
/// Nobody waits for what takes long. When another file takes the journal's place because it was compacted, the state goes on in it
/// as it is (see `Handover`); one thread reads that file from its beginning beside all others, and puts what it adds up to in the
/// place of the state when it has got as far. Decisions are made on a copy of the state, which costs nothing: whoever changes it
/// meanwhile copies the part that changes.
final class Replica<State: EventSourced>: Sendable {
    private let journal: Journal
    private let told = Mutex(Told())
    private let care = Mutex<Care?>(nil)
    /// Whether the state is, or becomes, one of all that there is.
    private let isWhole: Atomic<Bool>

    /// While a file that took the place of another is told from the beginning, readers keep what was whole:
    /// half of its history may hold a token whose revocation has not been read yet.
    private struct Told {
        /// What is told anew is told to this one.
        var empty = State()
        var state = State()
        var next: State?
        /// Whether a part was asked about.
        var isBegun = false
        /// Events of the file until now.
        var count = 0
        /// Bytes of the file that were in the state that was saved, and until now.
        var saved: Int64 = 0
        var end: Int64 = 0
        /// Whether it came from the file that this one was made of: it may know what nobody needs any more, and hold on to
        /// that file.
        var isOfFormerFile = false

        mutating func apply(_ event: EventLine) throws(EventError) {
            count += 1
            end = event.offset
            if next != nil { try next?.apply(event) } else { try state.apply(event) }
        }
    }

    /// What a journal needs that has grown.
    enum Need {
        /// More than half of it is of no use.
        case compaction
        /// It has grown far beyond what is saved of it.
        case saving
        /// It was compacted, and the state came from the file before.
        case replay
    }

    private struct Care {
        let events: Int
        let call: @Sendable (Need) -> Void
    }

    /// - Parameter isWhole: Whether the state is one of all that there is from the beginning; otherwise of what is asked about
    ///   first, as long as nothing else is. Such a replica is for a single thread.
    init(of name: String, in folder: JournalFolder, isWhole: Bool = true) throws(JournalError) {
        journal = try Journal(opening: name, in: folder)
        self.isWhole = Atomic(isWhole)
    }

    /// As ``Journal/glance(of:)``.
    func glance(of others: [String]) throws(StoreError) {
        do {
            try journal.glance(of: others)
        } catch {
            throw StoreError(error)
        }
    }

    /// Sees to it that the state is told all about a part of what there is.
    private func cover(_ part: State.Part) {
        guard !isWhole.load(ordering: .relaxed) else { return }
        let isNew = told.withLock { told in
            guard !told.isBegun || !told.state.covers(part) else { return false }
            // After a first part everything is asked about, so that nothing is read a third time.
            if told.isBegun {
                told.empty = State()
                isWhole.store(true, ordering: .relaxed)
            } else {
                told.empty = State(part)
                told.state = told.empty
                told.isBegun = true
            }
            return true
        }
        if isNew { journal.restart() }
    }

    private func follow(
        about part: State.Part,
        _ follow: () throws(JournalError) -> Void
    ) throws(JournalError) {
        cover(part)
        try follow()
        // Only what was read says whether that was enough.
        guard !isWhole.load(ordering: .relaxed), told.withLock({ !$0.state.covers(part) }) else { return }
        cover(part)
        try follow()
    }

    /// Follows the journal, then lends the state. No system call when nothing was appended.
    /// - Parameter part: All that `body` asks about.
    func read<Result: Sendable>(
        about part: State.Part = State.whole,
        _ body: (borrowing State) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        do {
            try follow(about: part) { () throws(JournalError) in
                try journal.follow(reset: reset, apply: apply, told: finish)
            }
        } catch {
            throw StoreError(error)
        }
        return try rereading { () throws(StoreError) in
            try told.withLock { told throws(StoreError) in try body(told.state) }
        }
    }

    /// Reads what there is once more, by what the other journals say of it, too.
    func confirm() throws(StoreError) {
        cover(State.whole)
        do {
            try journal.followAnew(reset: reset, apply: apply, told: finish)
        } catch {
            throw StoreError(error)
        }
    }

    /// As ``read(_:)`` with a copy of the state, so that what takes long is done beside the requests that go on.
    func readCopy<Result>(_ body: (State) throws(StoreError) -> Result) throws(StoreError) -> Result {
        try rereading { () throws(StoreError) in try body(try read { copy $0 }) }
    }

    /// Calls `body`, and once more by what there is then where somebody has changed by hand what was saved beside the journal.
    private func rereading<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        do throws(StoreError) {
            return try body()
        } catch .journal(.wrongIndex) {
            journal.restart()
        } catch {
            throw error
        }
        do {
            try journal.follow(reset: reset, apply: apply, told: finish)
        } catch {
            throw StoreError(error)
        }
        return try body()
    }

    /// As ``read(_:)``, when all that the state rests on is on disk: for what goes into another journal, or to somebody
    /// who may keep it.
    func readSynced<Result: Sendable>(
        about part: State.Part = State.whole,
        _ body: (borrowing State) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        try rereading { () throws(StoreError) in
            do throws(JournalError) {
                try follow(about: part) { () throws(JournalError) in
                    try journal.followSynced(reset: reset, apply: apply, told: finish)
                }
            } catch {
                throw StoreError(error)
            }
            return try told.withLock { told throws(StoreError) in try body(told.state) }
        }
    }

    /// Lets `decide` make events out of the state as it is under the lock of the store, appends and syncs
    /// them. What `decide` throws ends the attempt and nothing is written. It is called once more where what it looked at was
    /// changed by hand.
    /// - Parameters:
    ///   - isAwaited: With false nothing is waited for, neither the lock nor the disk: for what may be lost.
    ///   - mayUseReserve: Whether events that only end something may be written with the last room on the disk.
    ///   - part: All that `decide` asks about.
    func write(
        about part: State.Part = State.whole,
        isAwaited: Bool = true,
        mayUseReserve: Bool = true,
        _ decide: (borrowing State) throws(StoreError) -> [Event]
    ) throws(StoreError) {
        cover(part)
        // Who waits for nothing does not wait for the file to be read anew either.
        for isLast in [!isAwaited, true] {
            do throws(StoreError) {
                try writeOnce(isAwaited: isAwaited, mayUseReserve: mayUseReserve, decide)
                break
            } catch .journal(.wrongIndex(let path)) {
                // What is saved beside the journal is not what it was. Nothing was written.
                journal.restart()
                if isLast { throw .journal(.wrongIndex(path: path)) }
            } catch {
                throw error
            }
        }
        if let care = care.withLock({ $0 }), told.withLock({ $0.count > care.events && $0.count > 2 * $0.state.count })
        {
            care.call(.compaction)
        }
    }

    private func writeOnce(
        isAwaited: Bool,
        mayUseReserve: Bool,
        _ decide: (borrowing State) throws(StoreError) -> [Event]
    ) throws(StoreError) {
        var refusal: StoreError?
        do {
            try journal.append(
                isAwaited: isAwaited,
                reset: reset,
                apply: apply,
                told: finish,
                mayUseReserve: { mayUseReserve && $0.allSatisfy(State.ends) },
                events: {
                    // Nobody is told anything before this ends, so it is the newest; readers need not wait for it.
                    let state = told.withLock { $0.state }
                    do throws(StoreError) {
                        return try decide(state)
                    } catch {
                        refusal = error
                        return []
                    }
                }
            )
        } catch {
            throw StoreError(error)
        }
        if let refusal { throw refusal }
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

    /// Reads what there is.
    /// - Returns: Bytes of the file that were read: a whole number of groups.
    func end() throws(StoreError) -> Int64 {
        try confirm()
        return journal.size
    }

    /// Bytes of the file as far as it was read.
    var size: Int64 { journal.size }

    /// Whether the state came from the file that this one was made of, and was not read anew since.
    var isOfFormerFile: Bool { told.withLock { $0.isOfFormerFile } }

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
        return try rereading { () throws(StoreError) in
            let (events, state) = told.withLock { ($0.count, $0.state) }
            do throws(JournalError) {
                return (events, min(events, try state.needed(at: now, isAlive: isAlive)))
            } catch {
                throw StoreError(error)
            }
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
        cover(State.whole)
        do {
            var saved: Int64 = 0
            try journal.saving { source throws(JournalError) in saved = try State.save(source) }
            guard saved > told.withLock({ $0.saved }) else { return }
        } catch {
            throw StoreError(error)
        }
        try replay()
    }

    /// Reads the file from its beginning, or from where it was saved, and goes on with what it adds up to. Others read and write
    /// meanwhile.
    func replay() throws(StoreError) {
        cover(State.whole)
        var new = Told()
        do {
            _ = try journal.replay(
                begin: { new = Self.beginning(&$0, State()) },
                step: { event throws(EventError) in try new.apply(event) },
                reset: reset,
                apply: apply,
                told: finish,
                // What was there is released when nobody waits for it.
                put: { told.withLock { swap(&$0, &new) } }
            )
        } catch {
            throw StoreError(error)
        }
    }

    /// Puts a file in the place of this one that holds only what still counts.
    ///
    /// - Parameters:
    ///   - isAlive: Asked when the state has been taken: what it knows by then is not older.
    ///   - progress: Called now and then with which part of the state is written.
    ///   - saysMore: Whether `more` adds anything: nobody else can go on in the file as he is then.
    ///   - more: Adds to it what is to be there as well, all of it or nothing; the ids in it have to be reserved.
    ///   - admits: Whether `more` may be added to the state, which others may have changed meanwhile.
    /// - Returns: false when another process did the same meanwhile, or `admits` said no.
    func compact(
        at now: Timestamp,
        saysMore: Bool = false,
        isAlive: () throws(StoreError) -> (User.ID, Int64) -> Bool,
        progress: @escaping (Double) -> Void = { _ in },
        adding more: (CompactedFile) throws(StoreError) -> Void = { _ in },
        admits: (borrowing State) -> Bool = { _ in true }
    ) throws(StoreError) -> Bool {
        // The state is written before `more` is asked: that is asked once.
        try rereading { () throws(StoreError) in
            try compactOnce(at: now, saysMore, isAlive, progress, more, admits)
        }
    }

    private func compactOnce(
        at now: Timestamp,
        _ saysMore: Bool,
        _ isAlive: () throws(StoreError) -> (User.ID, Int64) -> Bool,
        _ progress: @escaping (Double) -> Void,
        _ more: (CompactedFile) throws(StoreError) -> Void,
        _ admits: (borrowing State) -> Bool
    ) throws(StoreError) -> Bool {
        cover(State.whole)
        var refusal: StoreError?
        do {
            return try journal.compact(reset: reset, apply: apply, told: finish, saysMore: saysMore) {
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
                admits(told.withLock { $0.state })
            } finished: {
                // Without it everybody who opens the new file makes it.
                _ = try? State.save($0)
            }
        } catch {
            throw refusal ?? StoreError(error)
        }
    }

    private func reset(_ source: inout JournalSource) throws(JournalError) {
        if let known = source.knownEvents, try source.passKnownEvents() {
            return told.withLock {
                $0.count = known
                // What is saved is of the former file.
                $0.saved = 0
                $0.end = source.offset
                $0.isOfFormerFile = true
            }
        }
        let beginning = Self.beginning(&source, told.withLock { $0.empty })
        told.withLock {
            $0.next = beginning.state
            $0.count = beginning.count
            $0.saved = beginning.saved
            $0.end = beginning.end
            $0.isOfFormerFile = false
        }
    }

    private static func beginning(_ source: inout JournalSource, _ empty: State) -> Told {
        let resumed = State.resume(&source)
        return Told(
            state: resumed?.state ?? empty,
            count: resumed?.events ?? 0,
            saved: resumed == nil ? 0 : source.offset,
            end: source.offset
        )
    }

    private func apply(_ event: EventLine) throws(EventError) {
        try told.withLock { told throws(EventError) in try told.apply(event) }
    }

    private func finish() {
        let need = told.withLock { told -> Need? in
            if let next = told.next {
                told.state = next
                told.next = nil
            }
            if told.isOfFormerFile { return .replay }
            return State.isSaved && journal.isFarAhead(of: told.saved, at: told.end) ? .saving : nil
        }
        if let need, let care = care.withLock({ $0 }) { care.call(need) }
    }
}
