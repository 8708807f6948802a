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

    init(_ settings: PolicySettings) throws(PolicyError) {
        if settings[.tokenLifetime] == "never" {
            lifetime = .never
        } else {
            lifetime = try settings.seconds(.tokenLifetime, in: 1...3_155_760_000).map { .seconds($0) }
        }
        limit = try settings.count(.tokenLimit, in: 1...1_000_000)
        isRenewed = try settings.flag(.tokenRenewal) ?? false
    }
}
