/// The parameters by which a location of the web server says what it wants. No client can send one of
/// them: what a client sends arrives under names that begin with `HTTP_`.
enum PolicyParameter: String, CaseIterable {
    /// The view that answers; without it, the answer is 404.
    case view = "POSTERN_VIEW"
    /// Authenticators in order, by DRF's class names or their short forms; `None` for none.
    case authentication = "POSTERN_AUTHENTICATION"
    /// A permission expression; without it, the view's own class.
    case permission = "POSTERN_PERMISSION"
    /// `app.model`, for `ModelPermissions`.
    case model = "POSTERN_MODEL"
    /// The username that owns what the request is about, for `IsOwner`.
    case objectOwner = "POSTERN_OBJECT_OWNER"
    /// The client's method, for `forward-auth`, where the web server asks by another one.
    case requestMethod = "POSTERN_REQUEST_METHOD"
    /// `drf`, `401`: whether nobody gets 401 whatever the first authenticator is, with every challenge.
    case unauthenticated = "POSTERN_UNAUTHENTICATED"
    /// `refuse`, `ignore`: whether a credential that is not good counts as none.
    case badCredential = "POSTERN_BAD_CREDENTIAL"
    /// `anon=5/min user=100/min scope:NAME=20/s`: how often a client may ask.
    case throttle = "POSTERN_THROTTLE"
    /// `on`: answers say how much of the throttles is left.
    case rateLimit = "POSTERN_RATELIMIT"
    /// `address=30/min login=5/min account=20/15min`, `off`: how often a client may present what is not good.
    case failureThrottle = "POSTERN_FAILURE_THROTTLE"
    /// The methods that view `message` takes.
    case methods = "POSTERN_METHODS"
    /// The realm of challenges.
    case realm = "POSTERN_REALM"
    /// The words before a token in `Authorization`: DRF's `keyword`, knox's `AUTH_HEADER_PREFIX`.
    case tokenKeyword = "POSTERN_TOKEN_KEYWORD"
    /// `on`, `off`; without it, on for all but clients on the loopback address.
    case requireHTTPS = "POSTERN_REQUIRE_HTTPS"
    /// The text of view `message`.
    case message = "POSTERN_MESSAGE"

    /// `plain`, `raw`: whether the gate takes a path that upstreams read in several ways.
    case path = "POSTERN_PATH"
    /// `refuse`, `allow`: whether the gate lets a CORS preflight go on without a credential.
    case preflight = "POSTERN_PREFLIGHT"
    /// Whom the gate signs a token for that says who asks.
    case identityAudience = "POSTERN_IDENTITY_AUDIENCE"
    /// For how long nginx may go by a yes of the gate, up to a minute.
    case cache = "POSTERN_CACHE"

    /// How long a token that the location hands out lives: `10h`, or `never`.
    case tokenLifetime = "POSTERN_TOKEN_LIFETIME"
    /// How many tokens a user may have: knox's `TOKEN_LIMIT_PER_USER`.
    case tokenLimit = "POSTERN_TOKEN_LIMIT"
    /// `on`: each use of a token puts its end off, as knox's `AUTO_REFRESH`; `30d`: up to so long after it was made.
    case tokenRenewal = "POSTERN_TOKEN_RENEWAL"
    /// The words before a JSON Web Token in `Authorization`: simplejwt's `AUTH_HEADER_TYPES`.
    case jwtKeyword = "POSTERN_JWT_KEYWORD"
    /// The claim that holds the user's id: simplejwt's `USER_ID_CLAIM`.
    case jwtUserIDClaim = "POSTERN_JWT_USER_ID_CLAIM"
    case jwtAccessLifetime = "POSTERN_JWT_ACCESS_LIFETIME"
    case jwtRefreshLifetime = "POSTERN_JWT_REFRESH_LIFETIME"
    /// How long after the login tokens can be refreshed at all.
    case jwtFamilyLifetime = "POSTERN_JWT_FAMILY_LIFETIME"
    /// `off`: a refresh token is good until it expires, and a refresh gives an access token alone.
    case jwtRotate = "POSTERN_JWT_ROTATE"
    /// For how long a refresh token that was used up gives the same successor to the same caller.
    case jwtGrace = "POSTERN_JWT_GRACE"
    case jwtIssuer = "POSTERN_JWT_ISSUER"
    case jwtAudience = "POSTERN_JWT_AUDIENCE"
    case jwtLeeway = "POSTERN_JWT_LEEWAY"
    /// The name of the HttpOnly cookie that carries the access token.
    case jwtCookie = "POSTERN_JWT_COOKIE"
    /// Another issuer and the path of its JWK Set.
    case jwtJWKS = "POSTERN_JWT_JWKS"
    /// The claim in which the other issuer's tokens have the username.
    case jwtUserClaim = "POSTERN_JWT_USER_CLAIM"
    /// Claims in which the other issuer's tokens have scopes, beside `scope` and `scp`.
    case jwtScopeClaim = "POSTERN_JWT_SCOPE_CLAIM"
    /// `refuse`, `allow`: whether the other issuer's tokens may hand out and end credentials.
    case jwtCredentials = "POSTERN_JWT_CREDENTIALS"
    /// The claim in which its tokens have the audience where they have no `aud`.
    case jwtAudienceClaim = "POSTERN_JWT_AUDIENCE_CLAIM"
    case sessionLifetime = "POSTERN_SESSION_LIFETIME"
    case sessionIdle = "POSTERN_SESSION_IDLE"
    /// The name of the session's cookie: Django's `SESSION_COOKIE_NAME`.
    case sessionCookie = "POSTERN_SESSION_COOKIE"
    /// `token`: unsafe requests of a session need the CSRF token; `origin`: it is enough that they come from a page of
    /// this site, as the browser says.
    case csrf = "POSTERN_CSRF"
    /// Other origins whose pages may send unsafe requests: Django's `CSRF_TRUSTED_ORIGINS`.
    case trustedOrigins = "POSTERN_TRUSTED_ORIGINS"

    static let prefix: StaticString = "POSTERN_"

    /// ``objectOwner`` and ``requestMethod``, which differ from request to request, and so are no part of a policy.
    static let ofRequest: [StaticString] = ["POSTERN_OBJECT_OWNER", "POSTERN_REQUEST_METHOD"]
}

/// A parameter of a location that cannot be understood. Such a location lets nobody in.
public struct PolicyError: Error, Equatable, CustomStringConvertible {
    public let parameter: String
    public let value: String
    /// What is wrong with it, as the end of a sentence.
    public let reason: String

    public init(parameter: String, value: String, reason: String) {
        self.parameter = parameter
        self.value = value
        self.reason = reason
    }

    public var description: String { "parameter \(parameter) \"\(value)\" \(reason)" }
}
