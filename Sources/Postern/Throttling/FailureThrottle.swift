/// How often credentials may be refused, whatever their scheme, before none is looked at any more: what DRF has not.
///
/// Refused credentials count by address. Passwords count besides for the account under the address, and for the account
/// as a whole, where each address and each browser from which somebody has lately logged in to it counts by itself, so that
/// whoever guesses slows down himself and other strangers, and not the owner. For an owner who comes from elsewhere a
/// few tries more are set apart, one a network a day: see ``first``.
final class FailureThrottle: Sendable {
    let address: [ThrottleScope]
    /// Wrong passwords of a network of 48 bits of IPv6, four times as many as of an address.
    let site: [ThrottleScope]
    let login: [ThrottleScope]
    let account: [ThrottleScope]
    /// Tries that strangers have at an account for which ``account`` leaves none: one a network a day, and so many in all.
    let first: [ThrottleScope]
    /// One a network a day; nil where ``first`` is empty.
    let firstOfSite: ThrottleScope?

    private static let defaults = "address=30/min login=5/min account=20/15min account=100/day first=40/day"
    private static let siteFactor = 4

    /// nil: `off`.
    init?(_ settings: PolicySettings) throws(PolicyError) {
        let text = settings[.failureThrottle] ?? Self.defaults
        guard text != "off" else { return nil }
        var scopes: [String: [ThrottleScope]] = ["address": [], "login": [], "account": [], "first": []]
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, scopes[parts[0]] != nil, let rate = ThrottleRate(parts[1]), rate.limit > 0 else {
                throw settings.error(
                    .failureThrottle,
                    "has \"\(word)\", which is no address=30/min, login=…, account=… or first=…"
                )
            }
            scopes[parts[0]]?.append(ThrottleScope("failures:" + parts[0], rate))
        }
        address = scopes["address"] ?? []
        site = address.compactMap { $0.widened(by: Self.siteFactor, "failures:site") }
        login = scopes["login"] ?? []
        account = scopes["account"] ?? []
        first = scopes["first"] ?? []
        firstOfSite = first.isEmpty ? nil : ThrottleRate("1/day").map { ThrottleScope("failures:first-of-site", $0) }
        guard (1...8).contains((address + login + account + first).count) else {
            throw settings.error(.failureThrottle, "names no rate, or more than eight")
        }
        guard first.isEmpty || !account.isEmpty else {
            throw settings.error(.failureThrottle, "has first=… without account=…")
        }
    }
}
