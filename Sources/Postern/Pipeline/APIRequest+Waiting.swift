internal import FastCGI
internal import Glibc

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
    func willHash() throws(APIError) { try willWait(in: .scarce) }

    func willWait(in line: Turn.Line) throws(APIError) {
        guard try mayWait(in: line) else { throw .unavailable("Too many requests wait for a thread.") }
    }

    /// Whether it may wait here; false where too many do.
    /// - Throws: Where the request is put off.
    func mayWait(in line: Turn.Line = .ordinary) throws(APIError) -> Bool {
        if source.mayWait(in: line) { return true }
        return try postpone(Turn(line, key: ClientAddress(self).word))
    }

    /// Waits for a moment until other requests may have come to their end.
    /// - Throws: Where the request is put off, and where it has waited long enough.
    func waitForOthers() throws(APIError) {
        guard !source.isAlone else {
            usleep(5000)
            return
        }
        _ = try postpone(Turn(.scarce, key: ClientAddress(self).word, delay: .milliseconds(10)))
        throw .unavailable("Too many requests wait for each other.")
    }

    /// - Returns: false where it cannot be.
    private func postpone(_ turn: Turn) throws(APIError) -> Bool {
        guard source.postpone(turn) else { return false }
        source.kept = throttled
        throw .unavailable("The request is put off.")
    }
}

/// That the throttles of a location have counted a request and let it pass.
struct ThrottlePass: Sendable {
    /// The header fields that say so.
    let fields: [(name: String, value: String)]
}
