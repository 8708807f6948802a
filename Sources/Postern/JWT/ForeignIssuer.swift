/// Another issuer whose tokens a location takes: its name, the file with its JWK Set, and the claim that
/// holds the username.
struct ForeignIssuer: Sendable {
    let name: String
    let keys: JSONWebKeySetFile
    /// The claim whose text is a username here: never an id, which would be another's here.
    let userClaim: String
    /// Claims that hold scopes, beside `scope` and `scp`.
    let scopeClaims: [String]
    /// Whether a token of theirs that is not limited to scopes may hand out and end credentials.
    let mayHandOut: Bool
    /// The claim that says of a token without `aud` whom it is for.
    let audienceClaim: String?

    /// nil when the location names none.
    init?(_ settings: PolicySettings) throws(PolicyError) {
        mayHandOut = try settings.isSecond(.jwtCredentials, of: "refuse", "allow")
        guard let words = settings.words(.jwtJWKS) else { return nil }
        guard words.count == 2, words[1].hasPrefix("/") else {
            throw settings.error(.jwtJWKS, "is not an issuer, a space and the path of its JWK Set")
        }
        guard settings[.jwtAudience] != nil else {
            throw settings.error(
                .jwtJWKS,
                "needs POSTERN_JWT_AUDIENCE, so that no token for another application is taken"
            )
        }
        name = words[0]
        keys = JSONWebKeySetFile.at(words[1])
        userClaim = settings[.jwtUserClaim] ?? "sub"
        scopeClaims = settings.words(.jwtScopeClaim) ?? []
        audienceClaim = settings[.jwtAudienceClaim]
    }
}
