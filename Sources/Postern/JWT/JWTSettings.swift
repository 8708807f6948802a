/// What a location says about JSON Web Tokens: simplejwt's settings.
struct JWTSettings: Sendable {
    /// simplejwt's `AUTH_HEADER_TYPES`, as bytes.
    let keywords: [ArraySlice<UInt8>]
    private let keyword: String
    /// simplejwt's `USER_ID_CLAIM`: the claim that holds the user's id in the tokens that the location hands out, and in all that
    /// it takes but another issuer's.
    let userIDClaim: String
    /// Seconds. simplejwt's `ACCESS_TOKEN_LIFETIME`.
    let accessLifetime: Int64
    /// Seconds. simplejwt's `REFRESH_TOKEN_LIFETIME`.
    let refreshLifetime: Int64
    /// Seconds after the login beyond which no refresh token of its family lives (RFC 9700, section 4.14.2).
    let familyLifetime: Int64
    /// simplejwt's `ROTATE_REFRESH_TOKENS` with `BLACKLIST_AFTER_ROTATION`.
    let rotates: Bool
    /// Seconds within which the caller who used up a refresh token is given its successor once more.
    let grace: Int64
    /// What new tokens say of `iss` and `aud`, and what presented ones have to.
    let checks: JWTChecks
    /// Name of the HttpOnly cookie for the access token; the refresh token's has `_refresh` after it.
    let cookie: String?
    let foreignIssuer: ForeignIssuer?

    init(_ settings: PolicySettings) throws(PolicyError) {
        let keywords = try settings.keywords(.jwtKeyword, default: "Bearer")
        self.keywords = keywords.map { Array($0.utf8)[...] }
        keyword = keywords[0]
        userIDClaim = try Self.userIDClaim(settings)
        accessLifetime = try settings.seconds(.jwtAccessLifetime, in: 1...31_536_000) ?? 300
        refreshLifetime = try settings.seconds(.jwtRefreshLifetime, in: 1...31_536_000) ?? 86_400
        familyLifetime = try settings.seconds(.jwtFamilyLifetime, in: 1...315_360_000) ?? 2_592_000
        rotates = try settings.flag(.jwtRotate) ?? true
        grace = try settings.seconds(.jwtGrace, in: 0...60) ?? 10
        checks = JWTChecks(
            issuer: settings[.jwtIssuer],
            audience: settings[.jwtAudience],
            leeway: try settings.seconds(.jwtLeeway, in: 0...600) ?? 0
        )
        cookie = try settings.cookieName(.jwtCookie)
        foreignIssuer = try ForeignIssuer(settings)
    }

    var refreshCookie: String? { cookie.map { $0 + "_refresh" } }

    /// What `WWW-Authenticate` says (RFC 6750, section 3).
    func challenge(_ realm: String) -> String { "\(keyword) realm=\"\(realm)\"" }

    static let defaultUserIDClaim = "user_id"

    private static func userIDClaim(_ settings: PolicySettings) throws(PolicyError) -> String {
        guard let name = settings[.jwtUserIDClaim] else { return defaultUserIDClaim }
        guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(ASCII.isTokenCharacter) else {
            throw settings.error(.jwtUserIDClaim, "is not the name of a claim")
        }
        guard !JWTContents.namesWithMeaning.contains(name) else {
            throw settings.error(.jwtUserIDClaim, "is a claim that means something else")
        }
        return name
    }
}

/// What a token is held against beyond its signature (RFC 8725, sections 3.8 and 3.9).
struct JWTChecks: Sendable {
    /// What `iss` has to be; nil: anything.
    var issuer: String?
    /// What `aud` has to be or to hold; nil: anything.
    let audience: String?
    /// The claim that replaces a missing `aud` in tokens of another issuer.
    var audienceClaim: String?
    /// Seconds by which clocks may differ.
    let leeway: Int64
}
