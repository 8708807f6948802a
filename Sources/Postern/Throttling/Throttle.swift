/// DRF's throttles: how often a client may ask, counted over a sliding period.
///
/// Locations that name the same scope and the same rate count together.
struct Throttle: Sendable {
    let kind: Kind
    let scope: ThrottleScope

    enum Kind: Sendable {
        /// DRF's `AnonRateThrottle`: whoever is nobody, by address.
        case anonymous
        /// DRF's `UserRateThrottle` and `ScopedRateThrottle`: users, and whoever is nobody by address.
        case everybody
    }

    /// nil where it does not count the request.
    func key(for request: APIRequest) -> CounterKey? {
        guard let user = request.user else { return ClientAddress(request).key(scope.id) }
        if case .anonymous = kind { return nil }
        return CounterKey(region: .users, scope: scope.id, high: 0, low: UInt64(bitPattern: user.id))
    }

    /// Reads `anon=5/min user=100/min scope:burst=20/s`.
    static func parse(_ settings: PolicySettings) throws(PolicyError) -> [Throttle] {
        var throttles: [Throttle] = []
        for word in settings.words(.throttle) ?? [] {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let rate = ThrottleRate(parts[1]) else {
                throw settings.error(.throttle, "has no rate as 5/min, 100/day or 5/15min in \"\(word)\"")
            }
            throttles.append(Throttle(kind: try kind(parts[0], settings), scope: ThrottleScope(parts[0], rate)))
        }
        guard throttles.count <= maximumCount else {
            throw settings.error(.throttle, "names more than \(maximumCount) throttles")
        }
        return throttles
    }

    private static let maximumCount = 16

    private static func kind(_ name: String, _ settings: PolicySettings) throws(PolicyError) -> Kind {
        switch name {
        case "anon": return .anonymous
        case "user": return .everybody
        default:
            guard name.hasPrefix("scope:"), name.utf8.count > 6,
                name.utf8.dropFirst(6).allSatisfy(ASCII.isTokenCharacter)
            else { throw settings.error(.throttle, "names \"\(name)\", which is neither anon nor user nor scope:NAME") }
            return .everybody
        }
    }
}

/// Who counts as one client: an address of IPv4, or a network of 64 bits of IPv6, which one client has as a whole.
struct ClientAddress: Sendable {
    private let high, low: UInt64

    init(_ request: APIRequest) {
        guard let address = IPAddress(request.remoteAddress) else {
            // No address, as behind a Unix socket: whoever has the same text is the same.
            let digest = SecretDigest(of: request.remoteAddress)
            (high, low) = (digest.firstWord, .max)
            return
        }
        let client = address.isIPv4 ? address : address.prefix(64)
        (high, low) = (client.high, client.low)
    }

    func key(_ scope: UInt64, region: CounterTable.Region = .addresses) -> CounterKey {
        CounterKey(region: region, scope: scope, high: high, low: low)
    }

    /// A word that stands for it beside something else.
    var word: UInt64 { high &* 0x9E37_79B9_7F4A_7C15 ^ low }

    /// Of the network of 48 bits that an address of IPv6 is in, which is what a site gets and may count as 65,536 clients;
    /// nil for others.
    func siteKey(_ scope: UInt64) -> CounterKey? {
        isIPv6 ? CounterKey(region: .addresses, scope: scope, high: high & ~0xFFFF, low: 1) : nil
    }

    /// A word that is the same for all clients near to it: in one network of 24 bits of IPv4, or of 48 of IPv6.
    var siteWord: UInt64 {
        if isIPv6 { return high & ~0xFFFF }
        return low == .max ? word : low >> 8
    }

    /// A word for turns that clients take: an address of IPv4, or a network of 48 bits of IPv6, of which one client may have
    /// all.
    var turnWord: UInt64 { isIPv6 ? high & ~0xFFFF : word }

    /// A client of IPv6 has no bits after the first 64; an address of IPv4 has, and so has what is no address.
    private var isIPv6: Bool { low == 0 }
}
