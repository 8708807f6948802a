internal import Dispatch
internal import Synchronization

/// A request that was put off, with what is needed to answer it.
struct PostponedRequest: Sendable {
    let head: RecordScanner.Head
    let parameters: Parameters
    let body: ReceivedBody
    let kept: (any Sendable)?
    let turn: Turn
    /// Nanoseconds of the monotonic clock at which it was put off for the first time.
    let since: UInt64
}

/// The requests that were put off, and the threads that wait for them. A request that waits costs memory and its
/// connection, and no thread.
///
/// There is a line for each kind of thing that is waited for. In a line those keys that have somebody waiting take turns,
/// so a client that sends many requests waits for itself.
final class RequestQueue: Sendable {
    struct Entry: Sendable {
        let request: PostponedRequest
        let connection: Connection
        /// The records up to the body, of a request that has one.
        let headBytes: [UInt8]
        let closesAfterwards: Bool
        /// Bytes that it keeps, with what came behind it.
        let bytes: Int
        fileprivate var notBefore: UInt64 = 0

        init(_ request: PostponedRequest, _ connection: Connection, headBytes: [UInt8], closesAfterwards: Bool) {
            bytes = request.parameters.size + request.body.count + headBytes.count + connection.rest.count
            self.request = request
            self.connection = connection
            self.headBytes = headBytes
            self.closesAfterwards = closesAfterwards
            let delay = MonotonicClock.nanoseconds(request.turn.delay)
            if delay > 0 { notBefore = MonotonicClock.now() &+ delay }
        }
    }

    fileprivate struct Line {
        let maximumRunning: Int
        let maximumWaiting: Int
        let maximumPerKey: Int
        var running = 0
        var waiting = 0
        var entries: [UInt64: [Entry]] = [:]
        /// The keys that have entries, the next one first.
        var keys: [UInt64] = []
    }

    private struct State {
        /// By ``Turn/Line/rawValue``.
        var lines: [Line]
        var isClosed = false
    }

    private let state: Mutex<State>
    private let bell = DispatchSemaphore(value: 0)
    private let timeout: UInt64
    private let budget: BufferBudget
    /// How many threads are to call ``next()``.
    let threadCount: Int
    /// How many wait, in both lines.
    private let waiting = Atomic(0)

    init(_ options: ServerOptions, _ budget: BufferBudget, cores: Int) {
        self.budget = budget
        let workers = max(1, options.workers)
        let scarce = max(1, options.scarceWorkers ?? 2 * cores)
        threadCount = workers + scarce
        timeout = MonotonicClock.nanoseconds(options.queueTimeout)
        state = Mutex(
            State(lines: [
                Line(
                    maximumRunning: workers,
                    maximumWaiting: options.maximumWaiting,
                    maximumPerKey: options.maximumWaitingPerKey
                ),
                Line(
                    maximumRunning: scarce,
                    maximumWaiting: options.maximumWaiting,
                    maximumPerKey: options.maximumScarcePerKey
                ),
            ])
        )
    }

    /// Whether one more may wait: there is a place, or one that belongs to a key with more entries.
    ///
    /// - Parameter bytes: That it keeps.
    func hasRoom(for turn: Turn, bytes: Int) -> Bool {
        budget.hasRoom(bytes) && state.withLock { $0.lines[turn.line.rawValue].hasRoom(key: turn.key) }
    }

    /// - Returns: One that has to give its place up, and be refused.
    func add(_ entry: Entry) -> Entry? {
        let turn = entry.request.turn
        budget.add(entry.bytes)
        let loser = state.withLock { $0.lines[turn.line.rawValue].add(entry, key: turn.key) }
        if loser == nil { waiting.add(1, ordering: .relaxed) }
        bell.signal()
        return loser
    }

    /// Waits for the next one whose turn has come; nil: there will be none any more. ``finished(_:)`` is due afterwards.
    func next() -> Entry? {
        while true {
            let now = MonotonicClock.now()
            var delay: UInt64?
            let (entry, isClosed) = state.withLock { state -> (Entry?, Bool) in
                for line in state.lines.indices {
                    if let entry = state.lines[line].take(now: now, &delay) { return (entry, state.isClosed) }
                }
                return (nil, state.isClosed)
            }
            if isClosed { return nil }
            if let entry {
                waiting.subtract(1, ordering: .relaxed)
                // Others are to look after those that are not due yet.
                if hasSomebody { bell.signal() }
                return entry
            }
            _ = bell.wait(timeout: delay.map { .now() + .nanoseconds(Int(clamping: $0)) } ?? .distantFuture)
        }
    }

    /// It was answered, or put off again.
    func finished(_ entry: Entry) { state.withLock { $0.lines[entry.request.turn.line.rawValue].running -= 1 } }

    /// What it kept is given back.
    func release(_ entry: Entry) { budget.add(-entry.bytes) }

    var hasSomebody: Bool { count > 0 }

    /// How many wait.
    var count: Int { waiting.load(ordering: .relaxed) }

    /// Whether it has waited too long.
    func isOverdue(_ entry: Entry, at now: UInt64 = MonotonicClock.now()) -> Bool {
        now > entry.request.since &+ timeout
    }

    func takeOverdue() -> [Entry] {
        guard hasSomebody else { return [] }
        let now = MonotonicClock.now()
        let overdue = state.withLock { state in
            state.lines.indices.flatMap { state.lines[$0].takeAll { isOverdue($0, at: now) } }
        }
        waiting.subtract(overdue.count, ordering: .relaxed)
        return overdue
    }

    /// Lets the threads end. Those that still wait are never answered.
    func close() {
        state.withLock { $0.isClosed = true }
        for _ in 0..<threadCount { bell.signal() }
    }
}

extension RequestQueue.Line {
    fileprivate func hasRoom(key: UInt64) -> Bool {
        let own = entries[key]?.count ?? 0
        guard own < maximumPerKey else { return false }
        return waiting < maximumWaiting || (longest.map { entries[$0]?.count ?? 0 } ?? 0) > own + 1
    }

    /// The key that has the most entries.
    private var longest: UInt64? { entries.max { $0.value.count < $1.value.count }?.key }

    /// - Returns: The last entry of the key with the most of them, where there are more than may be.
    fileprivate mutating func add(_ entry: RequestQueue.Entry, key: UInt64) -> RequestQueue.Entry? {
        if entries[key] == nil { keys.append(key) }
        entries[key, default: []].append(entry)
        guard waiting == maximumWaiting, let longest, let loser = entries[longest]?.popLast() else {
            waiting += 1
            return nil
        }
        if entries[longest]?.isEmpty ?? true {
            entries[longest] = nil
            keys.removeAll { $0 == longest }
        }
        return loser
    }

    /// The first one that is due, of the key whose turn it is.
    ///
    /// - Parameter delay: Becomes the time in nanoseconds after which one will be due, where one waits for its time.
    fileprivate mutating func take(now: UInt64, _ delay: inout UInt64?) -> RequestQueue.Entry? {
        guard running < maximumRunning else { return nil }
        for (place, key) in keys.enumerated() {
            guard let first = entries[key]?.first else { continue }
            guard first.notBefore <= now else {
                delay = min(delay ?? .max, first.notBefore - now)
                continue
            }
            keys.remove(at: place)
            entries[key]?.removeFirst()
            if entries[key]?.isEmpty ?? true { entries[key] = nil } else { keys.append(key) }
            waiting -= 1
            running += 1
            return first
        }
        return nil
    }

    fileprivate mutating func takeAll(where isDue: (RequestQueue.Entry) -> Bool) -> [RequestQueue.Entry] {
        var taken: [RequestQueue.Entry] = []
        for key in keys {
            let due = entries[key, default: []].filter(isDue)
            guard !due.isEmpty else { continue }
            taken += due
            entries[key]?.removeAll(where: isDue)
            if entries[key]?.isEmpty ?? true { entries[key] = nil }
        }
        keys.removeAll { entries[$0] == nil }
        waiting -= taken.count
        return taken
    }
}
