public import Journal

/// What the store keeps of a session: everything but the key in the client's cookie.
public struct Session: Sendable, Equatable {
    /// Given once, never reused.
    public typealias ID = Int64

    public let id: ID
    public let digest: SecretDigest
    public let user: User.ID
    /// The user's epoch when the session began.
    public let epoch: Int64
    public let started: Timestamp
    /// The first moment at which it is over, whatever happens.
    public let expires: Timestamp
    /// It is over as well when it was not used for so many seconds.
    public let idleLimit: Int64
    /// When it was last used, known to within a twenty-fourth of ``idleLimit``.
    public internal(set) var lastUsed: Timestamp

    /// Whether a use now is worth writing down: not within a twenty-fourth of the idle limit after the last one.
    func isUseNews(at now: Timestamp) -> Bool { now.seconds - lastUsed.seconds >= max(1, idleLimit / 24) }

    /// Whether it is not over, and its user is there, active and in the epoch in which it began.
    /// - Parameter owner: nil: its user is gone.
    public func isGood(for owner: User?, at now: Timestamp) -> Bool {
        now < ends && CredentialFault.of(owner, .epoch(epoch)) == nil
    }

    /// The first moment at which it is over when it is not used again.
    public var ends: Timestamp { min(expires, lastUsed.adding(seconds: idleLimit)) }
}
