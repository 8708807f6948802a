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
