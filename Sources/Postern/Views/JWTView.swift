internal import Journal

/// What simplejwt's views have in common: nobody is recognised before, no `Authorization` is looked at, and a
/// 401 has the challenge of ``JWTAuthentication``.
protocol JWTView: APIView {
    var tokens: JSONWebTokens { get }
    var settings: ViewSettings { get }
}

extension JWTView {
    var methods: [Method] { [.post] }
    var defaultPermission: any Permission { AllowAny() }
    var defaultAuthentication: [String] { [] }
    var takesSecret: Bool { true }
    var challenge: String? { settings.jwt.challenge(settings.realm) }

    /// simplejwt's `InvalidToken`.
    func refusal(_ error: JWTError) -> APIError {
        if case .unavailable(let reason) = error { return .unavailable(reason) }
        let body: JSONValue = .object([("detail", .string(error.message)), ("code", .string("token_not_valid"))])
        return if case .expired = error { .credentialExpired(body) } else { .credentialRefused(body) }
    }

    /// The claims of a refresh token that is good as far as it goes: it may have been used up.
    func refreshClaims(in text: ArraySlice<UInt8>) throws(JWTError) -> JWTClaims {
        let claims = try tokens.verify(text)
        // Another issuer's tokens open what they open, and are not exchanged for ours.
        guard !claims.isForeign else { throw .wrongType }
        guard claims.jti != nil else { throw .noID }
        guard try !tokens.isRevoked(claims) else { throw .blacklisted }
        try claims.check(.refresh)
        return claims
    }

    /// The refresh token of the body, or of the location's cookie where the body has none.
    func refreshToken(in request: APIRequest) throws(APIError) -> (text: ArraySlice<UInt8>, isCookie: Bool) {
        let data = try request.data()
        if let name = tokens.settings.refreshCookie, let value = request.cookie(name), !value.isEmpty,
            case .object = data.shape, !data.contains("refresh")
        {
            return (value, true)
        }
        let values = try Serializer(fields: [CharField(name: "refresh")]).validate(data)
        return (values["refresh"].map { $0[...] } ?? [], false)
    }

    /// A cookie goes with every request, wanted or not: what it asks for must come from a page of this site.
    /// - Parameter text: The token.
    func checkCSRF(_ request: APIRequest, _ claims: JWTClaims, _ text: ArraySlice<UInt8>) throws(APIError) {
        try CSRF(settings: settings.session).check(request, bound: claims.csrfSecret(of: text))
    }

    /// Both tokens in the body or, where the location names a cookie, in cookies that no script can read.
    /// - Parameter beginsWithAccess: Whether the access token is the first member, as in simplejwt's answer to a refresh.
    func response(
        _ pair: JSONWebTokens.Pair,
        _ request: APIRequest,
        familyID: [UInt8],
        beginsWithAccess: Bool
    ) -> APIResponse {
        guard let cookie = tokens.settings.cookie, let refreshCookie = tokens.settings.refreshCookie else {
            let access: [(name: String, value: JSONValue)] = [("access", .string(pair.access))]
            let refresh: [(name: String, value: JSONValue)] = pair.refresh.map { [("refresh", .string($0))] } ?? []
            return APIResponse(
                .object(beginsWithAccess ? access + refresh : refresh + access),
                fields: [APIResponse.noStore]
            )
        }
        let now = tokens.store.now()
        func field(_ name: String, _ value: String, until end: Timestamp, withLinks: Bool) -> (String, String) {
            SetCookie(
                name: name,
                value: value,
                maximumAge: max(1, end.seconds - now.seconds),
                isHTTPOnly: true,
                isSecure: request.isSecure,
                isSentWithLinks: withLinks
            ).field(now: now)
        }
        var fields = [APIResponse.noStore, field(cookie, pair.access, until: pair.accessExpires, withLinks: true)]
        if let refresh = pair.refresh {
            fields.append(field(refreshCookie, refresh, until: pair.refreshExpires, withLinks: false))
        }
        let csrf = CSRF(settings: settings.session).cookie(CSRFSecret(of: familyID), for: request)
        return APIResponse(.object([]), fields: fields + [csrf])
    }
}
