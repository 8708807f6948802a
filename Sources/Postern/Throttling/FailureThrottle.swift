/// How often credentials may be refused, whatever their scheme, before none is looked at any more: what DRF has not.
///
/// Refused credentials count by address. Passwords count besides for the account under the address, and for the account
/// as a whole, where each address from which somebody has lately logged in to it counts by itself, so that whoever guesses
/// slows down himself and other strangers, and not the owner.
struct FailureThrottle: Sendable {
    let address: [ThrottleScope]
    let login: [ThrottleScope]
    let account: [ThrottleScope]

    private static let defaults = "address=30/min login=5/min account=20/15min account=100/day"

    /// nil: `off`.
    init?(_ settings: PolicySettings) throws(PolicyError) {
        let text = settings[.failureThrottle] ?? Self.defaults
        guard text != "off" else { return nil }
        var scopes: [String: [ThrottleScope]] = ["address": [], "login": [], "account": []]
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, scopes[parts[0]] != nil, let rate = ThrottleRate(parts[1]), rate.limit > 0 else {
                throw settings.error(
                    .failureThrottle,
                    "has \"\(word)\", which is no address=30/min, login=… or account=…"
                )
            }
            scopes[parts[0]]?.append(ThrottleScope("failures:" + parts[0], rate))
        }
        address = scopes["address"] ?? []
        login = scopes["login"] ?? []
        account = scopes["account"] ?? []
        guard (1...8).contains((address + login + account).count) else {
            throw settings.error(.failureThrottle, "names no rate, or more than eight")
        }
    }
}

/// What was refused of one client, under the throttle of a location.
struct ClientFailures: Sendable {
    let throttle: FailureThrottle
    let client: ClientAddress
    let table: CounterTable

    /// Milliseconds for which an address is known to an account from the last login on.
    private static let knownFor: UInt64 = 30 * 86_400_000
    private static let known = SecretDigest(of: Array("failures:known".utf8)[...]).firstWord

    /// - Throws: ``APIError/tooManyFailures(_:)`` where too much came from the address.
    func check() throws(APIError) {
        var wait: Int?
        for scope in throttle.address where table.mayHave(client.key(scope.id)) {
            let now = table.now()
            let verdict = table.withCounter(client.key(scope.id), now: now) { scope.look(&$0, now: now) }
            if !verdict.isAllowed { wait = max(wait ?? 0, verdict.seconds) }
        }
        if let wait { throw .tooManyFailures(wait) }
    }

    /// Counts a credential that was refused.
    func count() {
        let now = table.now()
        for scope in throttle.address {
            _ = table.withCounter(client.key(scope.id), now: now) { scope.take(&$0, now: now) }
        }
    }

    /// A password that is about to be tried, counted already as if it were wrong: of many at once no more are tried
    /// than may be.
    struct Attempt: Sendable {
        fileprivate let counters: [(scope: ThrottleScope, key: CounterKey)]
        fileprivate let logins: [CounterKey]
        /// nil where the name is nobody's.
        fileprivate let known: CounterKey?
        fileprivate let table: CounterTable

        /// The password was right: nothing was wrong with it, nor with what the same client tried before.
        func succeeded() {
            takeBack()
            let now = table.now()
            for key in logins { table.withCounter(key, now: now) { $0.clear() } }
            if let known { table.withCounter(known, now: now) { $0.keep(until: now &+ ClientFailures.knownFor) } }
        }

        /// The password was wrong.
        func failed() {
            let now = table.now()
            for (_, key) in counters { table.withCounter(key.running, now: now) { $0.remove() } }
        }

        /// The password could not be tried.
        func takeBack() {
            let now = table.now()
            for (_, key) in counters { table.withCounter(key, now: now) { $0.remove() } }
            failed()
        }

        /// Counts it wherever there is room for it.
        /// - Returns: The wait where there is none, in milliseconds, and whether that may change when those end that
        ///   are being tried.
        fileprivate func begin() -> (wait: UInt64, isCrowded: Bool)? {
            let now = table.now()
            var (wait, isCrowded): (UInt64?, Bool) = (nil, false)
            var counted: [CounterKey] = []
            for (scope, key) in counters {
                let verdict = table.withCounter(key, now: now) { scope.take(&$0, now: now) }
                if verdict.isAllowed {
                    counted.append(key)
                } else {
                    wait = max(wait ?? 0, verdict.wait)
                    let running = table.withCounter(key.running, now: now) {
                        $0.drop(period: ClientFailures.longest, now: now)
                        return $0.count
                    }
                    isCrowded = isCrowded || running > 0
                }
            }
            guard let wait else {
                for key in counted {
                    table.withCounter(key.running, now: now) { $0.add(period: ClientFailures.longest, now: now) }
                }
                return nil
            }
            for key in counted { table.withCounter(key, now: now) { $0.remove() } }
            return (wait, isCrowded)
        }
    }

    /// Milliseconds that a password is being tried at most, and for which others wait for that. A client that sends the
    /// right one with many requests at once is not refused.
    private static let longest: UInt64 = 5000

    /// - Parameters:
    ///   - user: nil where the name is nobody's.
    ///   - name: As it was typed.
    ///   - wait: Called where others that are being tried take all the room; then it is looked again.
    /// - Throws: ``APIError/tooManyFailures(_:)``, and what `wait` throws; nothing is counted then.
    func attempt(
        _ user: User.ID?,
        name: [UInt8],
        whileCrowded wait: () throws(APIError) -> Void
    ) throws(APIError) -> Attempt {
        let word = user.map { UInt64(bitPattern: $0) } ?? SecretDigest(of: name[...]).firstWord
        func key(_ scope: UInt64, _ client: UInt64, _ region: CounterTable.Region) -> CounterKey {
            CounterKey(region: user == nil ? .names : region, scope: scope, high: client, low: word)
        }
        let start = table.now()
        let known = key(Self.known, client.word, .users)
        let isKnown = table.mayHave(known) && table.withCounter(known, now: start) { $0.ends > start }
        // As many as there are addresses: they are not to push users' own counters out.
        let logins = throttle.login.map { ($0, key($0.id, client.word, .names)) }
        let attempt = Attempt(
            counters: throttle.address.map { ($0, client.key($0.id)) } + logins
                // A known address has a share of its own, which nobody else can use up.
                + throttle.account.map { ($0, key($0.id, isKnown ? client.word : 0, .users)) },
            logins: logins.map(\.1),
            known: user == nil ? nil : known,
            table: table
        )
        while let (delay, isCrowded) = attempt.begin() {
            guard isCrowded, table.now() < start &+ Self.longest else {
                throw .tooManyFailures(Int((delay &+ 999) / 1000))
            }
            try wait()
        }
        return attempt
    }
}

extension CounterKey {
    /// For those that have begun and not ended.
    fileprivate var running: CounterKey { CounterKey(region: region, scope: ~scope, high: high, low: low) }
}
