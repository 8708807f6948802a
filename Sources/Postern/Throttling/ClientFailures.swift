internal import Journal

/// What was refused of one client, under the throttle of a location.
///
/// Every answer that depends on a password comes after the counters: ``attempt(_:name:device:whileCrowded:)`` counts a password before it
/// is tried, and ``hasRoom(for:)`` is asked before one that is remembered counts as right. What is refused here counts for
/// the address, too, so that whoever goes on soon gets no answer at all; not for the login and the account, which would
/// stay shut for as long as somebody knocks.
struct ClientFailures: Sendable {
    let throttle: FailureThrottle
    let client: ClientAddress
    let table: CounterTable

    /// - Throws: ``APIError/tooManyFailures(_:)`` where too much came from the address.
    func check() throws(APIError) {
        var wait: Int?
        for scope in throttle.address {
            guard let verdict = look(scope, client.key(scope.id)), !verdict.isAllowed else { continue }
            wait = max(wait ?? 0, verdict.seconds)
        }
        if let wait { throw .tooManyFailures(wait) }
    }

    /// Counts a credential that was refused. Where the address has as many as it may, nothing more is counted, so that
    /// it waits no longer than its period.
    func count() {
        let now = table.now()
        for scope in throttle.address {
            _ = table.withCounter(client.key(scope.id), now: now) { scope.take(&$0, now: now) }
        }
    }

    /// Whether a password of the user may be tried at once, whichever share of the account the client has: for one that is
    /// known to be right, which counts for nothing. Where this says no, ``attempt(_:name:device:whileCrowded:)`` knows better.
    ///
    /// Takes no lock where nothing was refused.
    func hasRoom(for id: User.ID) -> Bool {
        let user = UInt64(bitPattern: id)
        func hasRoom(_ scope: ThrottleScope, _ key: CounterKey) -> Bool { look(scope, key)?.isAllowed ?? true }
        for scope in throttle.site {
            if let key = client.siteKey(scope.id), !hasRoom(scope, key) { return false }
        }
        for scope in throttle.login {
            let key = CounterKey(region: .names, scope: scope.id, high: client.word, low: user)
            if !hasRoom(scope, key) { return false }
        }
        let share = throttle.account.isEmpty ? 0 : table.share(of: client.word, id)
        for scope in throttle.account {
            let strangers = CounterKey(region: .users, scope: scope.id, high: 0, low: user)
            let own = CounterKey(region: .shares, scope: scope.id, high: share, low: user)
            if !hasRoom(scope, own) { return false }
            // Who is known does not ask for what strangers have.
            if !hasRoom(scope, strangers), !table.knows(client.word, of: id, now: table.now()) { return false }
        }
        return true
    }

    /// nil where nothing is counted.
    private func look(_ scope: ThrottleScope, _ key: CounterKey) -> ThrottleVerdict? {
        guard table.mayHave(key) else { return nil }
        let now = table.now()
        return table.withCounter(key, now: now) { scope.look(&$0, now: now) }
    }

    /// Milliseconds from the count of a password to its end at most: it may wait for a thread, and then for its hash.
    private static let longest: UInt64 = 15_000

    /// Milliseconds for which others wait for that. A client that sends the right one with many requests at once is not
    /// refused.
    private static let patience: UInt64 = 5000

    /// - Parameters:
    ///   - user: nil where the name is nobody's.
    ///   - name: As it was typed.
    ///   - cookie: The client's cookie of the name ``DeviceCookie/name``.
    ///   - wait: Called where others that are being tried take all the room; then it is looked again.
    /// - Throws: ``APIError/tooManyFailures(_:)``, which counts for the address and nothing else; what `wait` throws, which
    ///   counts for nothing.
    func attempt(
        _ user: User.ID?,
        name: [UInt8],
        device cookie: ArraySlice<UInt8>? = nil,
        whileCrowded wait: () throws(APIError) -> Void
    ) throws(APIError) -> Attempt {
        let start = table.now()
        var attempt = Attempt(self, user, name, cookie, now: start)
        while let (delay, isCrowded) = attempt.begin() {
            guard isCrowded, table.now() < start &+ Self.patience else {
                count()
                throw .tooManyFailures(Int((delay &+ 999) / 1000))
            }
            try wait()
        }
        return attempt
    }

    // MARK: Devices

    /// The field that makes the client's browser a known device of a user who has logged in there, or keeps it one;
    /// nil where it is one for long enough.
    func deviceField(for user: User.ID, _ request: APIRequest) -> (name: String, value: String)? {
        let known = device(in: request.cookie(DeviceCookie.name), of: user)
        let now = table.now() / 1000
        let period = CounterTable.knownFor / 1000
        if let known, known.ends > now &+ period / 2 { return nil }
        guard let cookie = table.deviceCookie else { return nil }
        let device = KnownDevice(
            user: user,
            id: known?.id ?? UInt64.random(in: 0...UInt64(Int64.max)),
            ends: now &+ period
        )
        return SetCookie(
            name: DeviceCookie.name,
            value: cookie.text(of: device),
            maximumAge: Int64(period),
            isHTTPOnly: true,
            isSecure: request.isSecure
        ).field(now: .now())
    }

    /// The user's device of which the client has the cookie.
    fileprivate func device(in cookie: ArraySlice<UInt8>?, of user: User.ID) -> KnownDevice? {
        guard let text = cookie, let device = table.deviceCookie?.device(in: text), device.user == user else {
            return nil
        }
        let now = table.now() / 1000
        return now < device.ends && device.ends <= now &+ CounterTable.knownFor / 1000 ? device : nil
    }
}

extension ClientFailures {
    /// A password that is about to be tried, counted already as if it were wrong: of many at once no more are tried
    /// than may be.
    struct Attempt: Sendable {
        private typealias Counters = [(scope: ThrottleScope, key: CounterKey)]

        private let table: CounterTable
        private let client: ClientAddress
        /// nil where the name is nobody's.
        private let user: User.ID?
        private let shared, account, first: Counters
        private let logins: [CounterKey]
        private let isStranger: Bool
        /// Those in which it is counted.
        private var counters: Counters = []
        /// Whether the client may have found out that the password is wrong, also when it is not tried.
        private(set) var isKnownWrong = false

        fileprivate init(
            _ failures: ClientFailures,
            _ user: User.ID?,
            _ name: [UInt8],
            _ cookie: ArraySlice<UInt8>?,
            now: UInt64
        ) {
            let (throttle, client) = (failures.throttle, failures.client)
            (table, self.client, self.user) = (failures.table, client, user)
            let word = user.map { UInt64(bitPattern: $0) } ?? SecretDigest(of: name[...]).firstWord
            func key(_ scope: UInt64, _ who: UInt64, _ region: CounterTable.Region) -> CounterKey {
                CounterKey(region: user == nil ? .names : region, scope: scope, high: who, low: word)
            }
            let device = user.flatMap { failures.device(in: cookie, of: $0) }
            let isKnown = user.map { failures.table.knows(client.word, of: $0, now: now) } ?? false
            let (mark, login): (UInt64, UInt64) =
                if let device { (Self.deviceMark, device.id) } else { (0, client.word) }
            isStranger = device == nil && !isKnown
            // A known device and a known address have a share of their own, which no stranger can use up. Its counters are
            // not where those of strangers are: a user with many devices pushes none of those out.
            let share = if let user, !isStranger { failures.table.share(of: login, user) } else { 0 as UInt64 }
            // As many as there are addresses: they are not to push users' own counters out.
            let logins = throttle.login.map { ($0, key($0.id ^ mark, login, .names)) }
            let sites =
                isStranger ? throttle.site.compactMap { scope in client.siteKey(scope.id).map { (scope, $0) } } : []
            shared = throttle.address.map { ($0, client.key($0.id)) } + sites + logins
            account = throttle.account.map { [isStranger] in
                ($0, key($0.id ^ mark, share, isStranger ? .users : .shares))
            }
            first =
                isStranger
                ? throttle.firstOfSite.map { site in
                    [(site, key(site.id, client.siteWord, .names))] + throttle.first.map { ($0, key($0.id, 0, .users)) }
                } ?? [] : []
            self.logins = logins.map(\.1)
        }

        /// Told from the word of an address by this.
        private static let deviceMark: UInt64 = 0xD5B1_6C47_0E2F_9A83

        /// The password was right: nothing was wrong with it, nor with what the same client tried before.
        func succeeded() {
            takeBack()
            let now = table.now()
            for key in logins { table.withCounter(key, now: now) { $0.clear() } }
            if let user { table.know(client.word, of: user, now: now) }
        }

        /// The password was wrong.
        func failed() {
            let now = table.now()
            for (_, key) in counters { table.withCounter(key.running, now: now) { $0.remove() } }
        }

        /// That it is put off, or refused, tells that it is not the one that is remembered.
        mutating func becomeKnownWrong() { isKnownWrong = true }

        /// The password could not be tried: too many waited, or the client went away while it did.
        ///
        /// Why that is not always a wrong one: strangers who fill the queue would have the right passwords of the owner count
        /// until the owner is shut out. And why it may not be taken back always: where a right password is remembered
        /// it is answered at once, so whoever has to wait knows that this one is wrong, and need not wait for the
        /// answer. Where nothing was remembered, waiting tells nothing: the right one would have waited as long, the attempt was counted
        /// all the while, and no answer depended on it.
        ///
        /// Only who is known gets it back. For a stranger each one is wrong, as it is for a name that is nobody's, of which
        /// nothing can be remembered: else the count would tell who exists.
        func wasNotTried() {
            if isStranger || isKnownWrong { failed() } else { takeBack() }
        }

        /// Nothing was said of the password.
        func takeBack() {
            let now = table.now()
            for (_, key) in counters { table.withCounter(key, now: now) { $0.remove() } }
            failed()
        }

        /// Counts it wherever there is room for it.
        /// - Returns: The wait where there is none, in milliseconds, and whether that may change when those end that
        ///   are being tried.
        fileprivate mutating func begin() -> (wait: UInt64, isCrowded: Bool)? {
            guard let refusal = take(shared + account) else { return nil }
            guard !refusal.isCrowded, !first.isEmpty else { return refusal }
            return take(shared + first).map { (refusal.wait, $0.isCrowded) }
        }

        private mutating func take(_ wanted: Counters) -> (wait: UInt64, isCrowded: Bool)? {
            let now = table.now()
            var (wait, isCrowded): (UInt64?, Bool) = (nil, false)
            var counted: [CounterKey] = []
            for (scope, key) in wanted {
                let verdict = table.withCounter(key, now: now) { scope.take(&$0, now: now) }
                if verdict.isAllowed {
                    counted.append(key)
                    // At once, so that others who find it full know that they may wait.
                    table.withCounter(key.running, now: now) { $0.add(period: ClientFailures.longest, now: now) }
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
                counters = wanted
                return nil
            }
            for key in counted {
                table.withCounter(key, now: now) { $0.remove() }
                table.withCounter(key.running, now: now) { $0.remove() }
            }
            return (wait, isCrowded)
        }
    }
}

extension CounterKey {
    /// For those that have begun and not ended.
    fileprivate var running: CounterKey { CounterKey(region: region, scope: ~scope, high: high, low: low) }
}
