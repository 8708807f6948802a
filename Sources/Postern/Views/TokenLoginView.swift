internal import Journal

/// knox's `LoginView`: a token for whoever is recognised by another scheme, as Basic.
struct TokenLoginView: APIView {
    let name = "Login"
    let methods: [Method] = [.post]
    let needsUnlimitedCredential = true
    let accounts: Accounts
    let settings: TokenSettings

    /// knox's default `TOKEN_TTL`.
    private static let lifetime = TokenSettings.Lifetime.seconds(10 * 3600)

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let user = request.user else { throw .notAuthenticated }
        return try Self.response(.login, settings, accounts, user, request, lifetime: Self.lifetime) { token, secret in
            .object([
                ("expiry", token.expires.map { .string($0.rfc3339) } ?? .null), ("token", .string(secret.text)),
            ])
        }
    }

    /// Hands out a token under the settings of a location, or says in knox's words that the user has too many: where the
    /// location has a limit, as knox's. Where it has none nobody is refused, and the oldest token ends.
    ///
    /// - Parameters:
    ///   - source: Which view this is, also as the token's label.
    ///   - lifetime: Where the location does not say.
    static func response(
        _ source: Token.Source,
        _ settings: TokenSettings,
        _ accounts: Accounts,
        _ user: User,
        _ request: APIRequest,
        lifetime: TokenSettings.Lifetime,
        body: (Token, TokenSecret) -> JSONValue
    ) throws(APIError) -> APIResponse {
        let seconds: Int64? =
            if case .seconds(let seconds) = settings.lifetime ?? lifetime { seconds } else { nil }
        do {
            let (token, secret) = try accounts.issueToken(
                for: user,
                label: source.name,
                expires: seconds.map { accounts.store.now().adding(seconds: min($0, settings.renewalCeiling ?? $0)) },
                renewal: settings.renewal(seconds),
                source: source,
                quota: settings.limit.map(TokenQuota.refusing) ?? .endingOldest(beyond: TokenQuota.defaultCount),
                request: request
            )
            accounts.signals.send(.loggedIn(user), for: request)
            return APIResponse(body(token, secret), fields: [APIResponse.noStore])
        } catch .tokenLimitReached {
            return APIResponse(
                status: 403,
                .object([("error", .string("Maximum amount of tokens allowed per user exceeded."))])
            )
        } catch {
            throw APIError(error)
        }
    }
}
