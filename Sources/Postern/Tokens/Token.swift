public import Journal

/// What the store keeps of a token: everything but the token itself.
public struct Token: Sendable, Equatable {
    /// Given once, never reused.
    public typealias ID = Int64

    public let id: ID
    public let digest: TokenDigest
    public let user: User.ID
    /// The user's epoch when the token was issued.
    public let epoch: Int64
    /// What its owner calls it; may be empty.
    public let label: String
    public let created: Timestamp
    /// The first moment at which it is no longer good; nil: never.
    public let expires: Timestamp?
}
