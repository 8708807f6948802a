internal import Journal

/// What a location says about sessions and their protection against forged requests.
struct SessionSettings: Sendable {
    /// Django's `SESSION_COOKIE_NAME`.
    let cookie: String
    /// Django's `CSRF_COOKIE_NAME`.
    let csrfCookie: String
    /// Seconds from the login on: Django's `SESSION_COOKIE_AGE`.
    let lifetime: Int64
    /// Seconds without a use after which a session is over.
    let idleLimit: Int64
    let trustedOrigins: TrustedOrigins
    /// Whether an unsafe request needs no CSRF token where the browser says that it comes from a page of this site. So it
    /// is at the gate where nothing else is said: what stands behind it knows nothing of our token.
    let trustsOrigin: Bool

    private static let hostPrefix = "__Host-"

    init(_ settings: PolicySettings) throws(PolicyError) {
        cookie = try settings.cookieName(.sessionCookie) ?? "sessionid"
        // A sibling domain cannot set a cookie of such a name (RFC 6265bis, section 4.1.3.2).
        csrfCookie = (cookie.hasPrefix(Self.hostPrefix) ? Self.hostPrefix : "") + "csrftoken"
        lifetime = try settings.seconds(.sessionLifetime, in: 60...315_360_000) ?? 1_209_600
        idleLimit = try settings.seconds(.sessionIdle, in: 60...315_360_000) ?? 86_400
        trustsOrigin =
            settings[.csrf] == nil
            ? ["gate", "forward-auth"].contains(settings[.view]) : try settings.isSecond(.csrf, of: "token", "origin")
        trustedOrigins = try TrustedOrigins(settings)
    }

    /// The field that takes the session's cookie away.
    func removal(for request: APIRequest) -> (name: String, value: String) {
        SetCookie(name: cookie, value: "", maximumAge: 0, isHTTPOnly: false, isSecure: request.isSecure)
            .field(now: .now())
    }
}
