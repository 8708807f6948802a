/// What a location says about the tokens that it hands out: knox's settings.
struct TokenSettings: Sendable {
    /// How long a new token lives.
    enum Lifetime: Equatable {
        case never
        case seconds(Int64)
    }

    /// knox's `TOKEN_TTL`; nil: the view's own.
    let lifetime: Lifetime?
    /// knox's `TOKEN_LIMIT_PER_USER`.
    let limit: Int?
    /// knox's `AUTO_REFRESH`.
    let isRenewed: Bool
    /// Seconds; knox's `AUTO_REFRESH_MAX_TTL`.
    let renewalCeiling: Int64?

    init(_ settings: PolicySettings) throws(PolicyError) {
        if settings[.tokenLifetime] == "never" {
            lifetime = .never
        } else {
            lifetime = try settings.seconds(.tokenLifetime, in: 1...3_155_760_000).map { .seconds($0) }
        }
        limit = try settings.count(.tokenLimit, in: 1...1_000_000)
        switch settings[.tokenRenewal] {
        case nil, "off": (isRenewed, renewalCeiling) = (false, nil)
        case "on": (isRenewed, renewalCeiling) = (true, nil)
        default: (isRenewed, renewalCeiling) = (true, try settings.seconds(.tokenRenewal, in: 1...3_155_760_000))
        }
    }

    /// How the uses of a token that lives for so long put its end off.
    func renewal(_ lifetime: Int64?) -> Token.Renewal? {
        isRenewed ? lifetime.map { Token.Renewal(seconds: $0, ceiling: renewalCeiling) } : nil
    }
}
