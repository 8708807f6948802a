internal import Journal

/// What simplejwt's views have in common: nobody is recognised before, no `Authorization` is looked at, and a
/// 401 has a Bearer challenge.
protocol JWTView: APIView {
    var tokens: JSONWebTokens { get }
    var settings: ViewSettings { get }
}

extension JWTView {
    var methods: [Method] { [.post] }
    var defaultPermission: any Permission { AllowAny() }
    var defaultAuthentication: [String] { [] }
    var takesSecret: Bool { true }
    var challenge: String? { "Bearer realm=\"\(settings.realm)\"" }

    /// simplejwt's `InvalidToken`.
    func refusal(_ error: JWTError) -> APIError {
        if case .unavailable(let reason) = error { return .unavailable(reason) }
        return .credentialRefused(.object([("detail", .string(error.message)), ("code", .string("token_not_valid"))]))
    }

    /// The claims of a refresh token that is good as far as it goes: it may have been used up.
    func refreshClaims(in text: String) throws(JWTError) -> JWTClaims {
        let claims = try tokens.verify(Array(text.utf8)[...])
        // Another issuer's tokens open what they open, and are not exchanged for ours.
        guard !claims.isForeign else { throw .wrongType }
        guard claims.jti != nil else { throw .noID }
        guard try !tokens.isRevoked(claims) else { throw .blacklisted }
        try claims.check(.refresh)
        return claims
    }

    /// The refresh token of the body, or of the location's cookie where the body has none.
    func refreshToken(in request: APIRequest) throws(APIError) -> (text: String, isCookie: Bool) {
        let data = try request.data()
        if let name = tokens.settings.refreshCookie, let value = request.cookie(name), !value.isEmpty,
            case .object(let members) = data, !members.contains(where: { $0.name == "refresh" })
        {
            return (String(decoding: value, as: UTF8.self), true)
        }
        let values = try Serializer(fields: [CharField(name: "refresh")]).validate(data)
        return (values["refresh"] ?? "", false)
    }

    /// A cookie goes with every request, wanted or not: what it asks for must come from a page of this site.
    func checkCSRF(_ request: APIRequest, _ claims: JWTClaims) throws(APIError) {
        try CSRF(settings: settings.session).check(request, bound: CSRFSecret(of: claims.familyID))
    }

    /// Both tokens in the body or, where the location names a cookie, in cookies that no script can read.
    func response(_ pair: JSONWebTokens.Pair, _ request: APIRequest, familyID: [UInt8]) -> APIResponse {
        guard let cookie = tokens.settings.cookie, let refreshCookie = tokens.settings.refreshCookie else {
            let refresh: [(name: String, value: JSONValue)] = pair.refresh.map { [("refresh", .string($0))] } ?? []
            return APIResponse(.object(refresh + [("access", .string(pair.access))]), fields: [APIResponse.noStore])
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

/// simplejwt's `TokenObtainPairView`.
struct JWTObtainView: JWTView {
    let name = "Token Obtain Pair"
    let description =
        "Takes a set of user credentials and returns an access and refresh JSON web\ntoken pair to prove the authentication of those credentials."
    let accounts: Accounts
    let tokens: JSONWebTokens
    let settings: ViewSettings

    private static let serializer = Serializer(fields: [CharField(name: "username"), CharField(name: "password")])

    var actions: JSONValue? { Metadata.actions([.init("username"), .init("password")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        if tokens.settings.cookie != nil {
            try CSRF(settings: settings.session).checkOrigin(of: request)
        }
        let values = try Self.serializer.validate(try request.data())
        guard let name = values["username"], let password = values["password"],
            let user = try accounts.user(
                named: Array(name.utf8),
                password: Array(password.utf8),
                waiting: request.willWait
            )
        else { throw .authenticationFailed("No active account found with the given credentials") }
        do {
            let pair = try tokens.issue(for: user)
            accounts.signals.send(.loggedIn(user))
            return response(pair, request, familyID: pair.family)
        } catch {
            throw refusal(error)
        }
    }
}

/// simplejwt's `TokenRefreshView`.
struct JWTRefreshView: JWTView {
    let name = "Token Refresh"
    let description =
        "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is valid."
    let tokens: JSONWebTokens
    let settings: ViewSettings

    var actions: JSONValue? { Metadata.actions([.init("refresh"), .init("access", isReadOnly: true)]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let (text, isCookie) = try refreshToken(in: request)
        let claims: JWTClaims
        let owner: User?
        do {
            claims = try refreshClaims(in: text)
            owner = try tokens.user(of: claims)
        } catch {
            throw refusal(error)
        }
        guard let owner, owner.isActive else {
            throw .authenticationFailed("No active account found for the given token.")
        }
        if isCookie { try checkCSRF(request, claims) }
        do throws(JWTError) {
            guard !claims.isOutdated(for: owner) else { throw JWTError.blacklisted }
            let pair = try tokens.refresh(claims, for: owner, address: request.remoteAddress)
            return response(pair, request, familyID: claims.familyID)
        } catch {
            throw refusal(error)
        }
    }
}

/// simplejwt's `TokenVerifyView`. Beyond it, a token whose user is gone, disabled or has begun a new epoch is none.
struct JWTVerifyView: JWTView {
    let name = "Token Verify"
    let description =
        "Takes a token and indicates if it is valid.  This view provides no\ninformation about a token's fitness for a particular use."
    let tokens: JSONWebTokens
    let settings: ViewSettings

    var actions: JSONValue? { Metadata.actions([.init("token")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let values = try Serializer(fields: [CharField(name: "token")]).validate(try request.data())
        do throws(JWTError) {
            let claims = try tokens.verify(Array((values["token"] ?? "").utf8)[...])
            try claims.check(nil)
            let isRevoked = try tokens.isRevoked(claims)
            let isUsedUp = try tokens.isUsedUp(claims)
            if isRevoked || isUsedUp { throw JWTError.blacklisted }
            if let user = try tokens.user(of: claims), !user.isActive || claims.isOutdated(for: user) {
                throw JWTError.invalid
            }
            return APIResponse(.object([]), fields: [APIResponse.noStore])
        } catch {
            guard error != .blacklisted else { throw Serializer.nonFieldError(error.message) }
            throw refusal(error)
        }
    }
}

/// simplejwt's `TokenBlacklistView`. Beyond it, the access tokens of the family are dead as well.
struct JWTBlacklistView: JWTView {
    let name = "Token Blacklist"
    let description =
        "Takes a token and blacklists it. Must be used with the\n`rest_framework_simplejwt.token_blacklist` app installed."
    let tokens: JSONWebTokens
    let settings: ViewSettings

    var actions: JSONValue? { Metadata.actions([.init("refresh")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let (text, isCookie) = try refreshToken(in: request)
        do {
            let claims = try refreshClaims(in: text)
            if isCookie { try checkCSRF(request, claims) }
            // One that was used up is in somebody else's hands as well: its family ends too.
            let isUsedUp = try tokens.isUsedUp(claims)
            try tokens.revoke(claims)
            if isUsedUp { throw JWTError.blacklisted }
        } catch let error as JWTError {
            throw refusal(error)
        } catch {
            throw APIError(any: error)
        }
        let now = tokens.store.now()
        let names = [tokens.settings.cookie, tokens.settings.refreshCookie].compactMap { $0 }
        let cookies = names.map {
            SetCookie(name: $0, value: "", maximumAge: 0, isHTTPOnly: true, isSecure: request.isSecure).field(now: now)
        }
        return APIResponse(.object([]), fields: [APIResponse.noStore] + cookies)
    }
}

/// The public keys by which others verify our tokens (RFC 7517, section 5).
struct JWKSView: APIView {
    let name = "JSON Web Key Set"
    let methods: [Method] = [.get]
    let defaultPermission: any Permission = AllowAny()
    let defaultAuthentication: [String] = []
    let store: Store

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        do {
            // A new key is published before it signs, for as long as whoever rotates says.
            return APIResponse(try store.keyRing().publicSet, fields: [("Cache-Control", "public, max-age=300")])
        } catch {
            throw APIError(error)
        }
    }
}
