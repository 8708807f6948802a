public import Journal

/// What the store keeps of a token: everything but the token itself.
public struct Token: Sendable, Equatable {
    /// Given once, never reused.
    public typealias ID = Int64

    public let id: ID
    public let digest: SecretDigest
    public let user: User.ID
    /// The user's epoch when the token was issued.
    public let epoch: Int64
    /// What its owner calls it; may be empty.
    public let label: String
    public let created: Timestamp
    /// The first moment at which it is no longer good; nil: never.
    public internal(set) var expires: Timestamp?
    /// Seconds by which each use puts its end off; nil: not.
    public let renewal: Int64?
    /// nil: it is good for all that its user may do.
    public let limits: TokenLimits?

    /// Whether its owner may use it: it has not ended, and no epoch of theirs has.
    func isGood(for owner: User, at now: Timestamp) -> Bool {
        (expires.map { now < $0 } ?? true) && epoch >= owner.epoch
    }
}
