internal import FastCGI
internal import Glibc
internal import Synchronization

/// What has to wait is put off: no thread of an event loop, of which there are few, waits for a disk, a hash or somebody else.
/// A request that was put off goes through the pipeline again, from its beginning, on a thread that may wait. So whoever says
/// that it is about to wait must not have done anything yet that must not be done twice.
extension APIRequest {
    /// Says that what follows waits for a disk or another service.
    ///
    /// - Throws: ``APIError/unavailable(_:)`` where the request is put off, which the pipeline takes care of, and where too
    ///   many wait already. Let it pass.
    public func willWait() throws(APIError) { try willWait(in: .ordinary) }

    /// Says that a password is about to be hashed. Throws as ``willWait()``.
    ///
    /// - Parameter attempt: As which it was counted: kept while the request is put off, not tried where it cannot be.
    func willHash(_ attempt: ClientFailures.Attempt? = nil) throws(APIError) {
        guard !source.mayWait(in: .scarce) else { return }
        let turn = Turn(.scarce, key: ClientAddress(self).turnWord)
        guard try postpone(turn, attempt.map { PendingAttempt($0) }) else { throw Self.tooMany }
    }

    /// The attempt as which the password was counted before the request was put off. It is had once.
    func takeAttempt() -> ClientFailures.Attempt? {
        guard var kept = source.kept as? KeptState, let attempt = kept.attempt else { return nil }
        kept.attempt = nil
        source.kept = kept
        return attempt.take()
    }

    private static let tooMany = APIError.unavailable("Too many requests wait for a thread.")

    func willWait(in line: Turn.Line) throws(APIError) {
        guard try mayWait(in: line) else { throw Self.tooMany }
    }

    /// Whether it may wait here; false where too many do.
    /// - Throws: Where the request is put off.
    func mayWait(in line: Turn.Line = .ordinary) throws(APIError) -> Bool {
        if source.mayWait(in: line) { return true }
        return try postpone(Turn(line, key: ClientAddress(self).turnWord))
    }

    /// Waits for a moment until other requests may have come to their end.
    /// - Throws: Where the request is put off, and where it has waited long enough.
    func waitForOthers() throws(APIError) {
        guard !source.isAlone else {
            usleep(5000)
            return
        }
        _ = try postpone(Turn(.scarce, key: ClientAddress(self).turnWord, delay: .milliseconds(10)))
        throw .unavailable("Too many requests wait for each other.")
    }

    /// - Returns: false where it cannot be.
    private func postpone(_ turn: Turn, _ attempt: PendingAttempt? = nil) throws(APIError) -> Bool {
        guard source.postpone(turn) else { return false }
        source.kept = KeptState(throttled: throttled, attempt: attempt)
        throw .unavailable("The request is put off.")
    }
}

/// What was done for a request before it was put off, and must not be done twice.
struct KeptState: Sendable {
    var throttled: ThrottlePass?
    var attempt: PendingAttempt?
}

/// That the throttles of a location have counted a request and let it pass.
struct ThrottlePass: Sendable {
    /// The header fields that say so.
    let fields: [(name: String, value: String)]
}

/// A password that was counted and waits to be tried. What one counts for that never is, as the client has gone or is refused,
/// the attempt knows.
final class PendingAttempt: Sendable {
    private let attempt: ClientFailures.Attempt
    private let isTaken = Atomic(false)

    init(_ attempt: ClientFailures.Attempt) { self.attempt = attempt }

    deinit { if !isTaken.load(ordering: .relaxed) { attempt.wasNotTried() } }

    func take() -> ClientFailures.Attempt {
        isTaken.store(true, ordering: .relaxed)
        return attempt
    }
}
