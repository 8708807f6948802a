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

    private static let hostPrefix = "__Host-"

    init(_ settings: PolicySettings) throws(PolicyError) {
        cookie = try settings.cookieName(.sessionCookie) ?? "sessionid"
        // A sibling domain cannot set a cookie of such a name (RFC 6265bis, section 4.1.3.2).
        csrfCookie = (cookie.hasPrefix(Self.hostPrefix) ? Self.hostPrefix : "") + "csrftoken"
        lifetime = try settings.seconds(.sessionLifetime, in: 60...315_360_000) ?? 1_209_600
        idleLimit = try settings.seconds(.sessionIdle, in: 60...315_360_000) ?? 86_400
        trustedOrigins = try TrustedOrigins(settings)
    }

    /// The field that takes the session's cookie away.
    func removal(for request: APIRequest) -> (name: String, value: String) {
        SetCookie(name: cookie, value: "", maximumAge: 0, isHTTPOnly: false, isSecure: request.isSecure)
            .field(now: .now())
    }
}

/// Origins beside a site's own whose pages may send it unsafe requests: Django's `CSRF_TRUSTED_ORIGINS`.
struct TrustedOrigins: Sendable {
    /// `https://app.example.org`, or `https://*.example.org` for all subdomains.
    private let origins: [(scheme: String, host: String)]

    init(_ settings: PolicySettings) throws(PolicyError) {
        var origins: [(scheme: String, host: String)] = []
        for word in settings.words(.trustedOrigins) ?? [] {
            guard let parts = URLParts(Array(word.utf8)[...]), parts.rest.isEmpty,
                !parts.host.contains(UInt8(ascii: "@")),
                parts.host.firstIndex(of: UInt8(ascii: "*")) ?? parts.host.startIndex == parts.host.startIndex
            else {
                throw settings.error(.trustedOrigins, "holds \(word), which is no origin as https://app.example.org")
            }
            origins.append((parts.scheme, String(decoding: parts.host, as: UTF8.self)))
        }
        self.origins = origins
    }

    func contains(origin: ArraySlice<UInt8>) -> Bool {
        guard let parts = URLParts(origin), parts.rest.isEmpty else { return false }
        return origins.contains { $0.scheme == parts.scheme && Self.isHost(parts.host, $0.host) }
    }

    /// Whatever the scheme, which whoever asks has looked at.
    func contains(host: ArraySlice<UInt8>) -> Bool { origins.contains { Self.isHost(host, $0.host) } }

    /// Django's `is_same_domain`, with `*.` before a domain for what is below it.
    private static func isHost(_ host: ArraySlice<UInt8>, _ pattern: String) -> Bool {
        guard pattern.hasPrefix("*") else { return ASCII.equalsIgnoringCase(host, pattern.utf8) }
        let ending = pattern.utf8.dropFirst()
        return host.count > ending.count && ASCII.equalsIgnoringCase(host.suffix(ending.count), ending)
    }
}

/// The parts of an absolute URL that say where it leads (RFC 3986, section 3).
struct URLParts {
    /// In lower case.
    let scheme: String
    /// Django's `netloc`: with the port, and what else stands before the path.
    let host: ArraySlice<UInt8>
    /// From the path on.
    let rest: ArraySlice<UInt8>

    /// nil for what has no scheme or no host.
    init?(_ text: ArraySlice<UInt8>) {
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")), text[(colon + 1)...].starts(with: "//".utf8),
            let first = text.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first | 0x20),
            text[..<colon].allSatisfy({ Base62.contains($0) || "+-.".utf8.contains($0) })
        else { return nil }
        let start = colon + 3
        let end = text[start...].firstIndex { "/?#\\".utf8.contains($0) } ?? text.endIndex
        let brackets = [UInt8(ascii: "["), UInt8(ascii: "]")].map { text[start..<end].contains($0) }
        guard start < end, brackets[0] == brackets[1] else { return nil }
        scheme = String(decoding: text[..<colon], as: UTF8.self).lowercased()
        host = text[start..<end]
        rest = text[end...]
    }
}
