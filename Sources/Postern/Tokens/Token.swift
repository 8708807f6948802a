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
    /// How its uses put its end off; nil: not.
    public let renewal: Renewal?
    /// nil: it is good for all that its user may do.
    public let limits: TokenLimits?
    /// The view that issued it; nil: none did, as the command line and an import, or it is older than this column.
    public internal(set) var source: Source?

    /// A view that hands out tokens. How many a user may have is counted for each by itself, and what a client sends, as a
    /// label, does not change it.
    public enum Source: UInt8, Sendable, CaseIterable {
        case obtain = 1
        case login, own

        /// As `POSTERN_VIEW` and the journal name it.
        public var name: String {
            switch self {
            case .obtain: "token.obtain"
            case .login: "token.login"
            case .own: "tokens"
            }
        }
    }

    /// When it was last used, as far as the store knows: a use that renewed it, or else when it was created.
    var lastKnownUse: Timestamp {
        guard let renewal, let expires else { return created }
        return max(created, expires.adding(seconds: -renewal.seconds))
    }

    /// Why its owner may not use it; nil: they may.
    func fault(of owner: User, at now: Timestamp) -> CredentialFault? {
        if let expires, now >= expires { return .ended }
        return CredentialFault.of(owner, .epoch(epoch))
    }

    package func isGood(for owner: User, at now: Timestamp) -> Bool { fault(of: owner, at: now) == nil }
}

/// How many tokens of one source a user may have that are still good, and what happens with one more.
public struct TokenQuota: Sendable {
    let count: Int
    let endsOldest: Bool

    /// One more is refused.
    public static func refusing(beyond count: Int) -> TokenQuota { TokenQuota(count: count, endsOldest: false) }

    /// With one more, the one that was not used for the longest time ends.
    public static func endingOldest(beyond count: Int) -> TokenQuota { TokenQuota(count: count, endsOldest: true) }

    /// Where the location does not say.
    static let defaultCount = 100
}

/// Whose token it is and which view issued it: what a ``TokenQuota`` is about.
struct TokenOwner: Hashable, Sendable {
    let user: User.ID
    let source: Token.Source?

    /// A user with each source.
    static func all(of user: User.ID) -> [TokenOwner] {
        ([nil] + Token.Source.allCases).map { TokenOwner(user: user, source: $0) }
    }
}

extension Token {
    var owner: TokenOwner { TokenOwner(user: user, source: source) }
}

extension TokenOwner: PartKey {
    var partNumber: UInt64 { user.partNumber }
}
