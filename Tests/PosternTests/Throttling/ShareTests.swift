import FastCGI
import Testing

@testable import Postern

@Suite("What users' own clients have for themselves")
struct ShareTests {
    private let table: CounterTable

    init() throws { table = try #require(CounterTable()) }

    private func request(from address: String) throws -> APIRequest {
        let parameters = [("REQUEST_METHOD", "GET"), ("REMOTE_ADDR", address)]
        return try APIRequest(Request(parameters: Parameters(parameters.map { ($0.0, Array($0.1.utf8)) })))
    }

    private func failures(_ rates: String, from address: String) throws -> ClientFailures {
        let parameters = Parameters([("POSTERN_FAILURE_THROTTLE", Array(rates.utf8))])
        return ClientFailures(
            throttle: try #require(try FailureThrottle(try PolicySettings(parameters))),
            client: ClientAddress(try request(from: address)),
            table: table
        )
    }

    /// - Returns: false where it is refused.
    private func guess(_ failures: ClientFailures, at user: User.ID, _ device: KnownDevice? = nil) -> Bool {
        let cookie = device.flatMap { device in table.deviceCookie.map { Array($0.text(of: device).utf8)[...] } }
        guard
            let attempt = try? failures.attempt(
                user,
                name: [],
                device: cookie,
                whileCrowded: { () throws(APIError) in throw .malformedRequest }
            )
        else { return false }
        attempt.failed()
        return true
    }

    private func device(_ number: Int, of user: User.ID) -> KnownDevice {
        KnownDevice(user: user, id: UInt64(number), ends: (table.now() + CounterTable.knownFor) / 1000)
    }

    @Test("A user with thousands of devices and addresses pushes out no counter of another user")
    func manyDevices() throws {
        let rates = "account=2/15min account=3/day"
        let (stranger, home) = (try failures(rates, from: "203.0.113.1"), try failures(rates, from: "198.51.100.1"))
        let victims = 1...40 as ClosedRange<User.ID>
        for user in victims {
            table.know(ClientAddress(try request(from: "198.51.100.1")).word, of: user, now: table.now())
            for client in [stranger, home] {
                for _ in 0..<2 { #expect(guess(client, at: user)) }
                #expect(!guess(client, at: user))
            }
        }
        // As many as would fill each place for counters of users.
        let eve: User.ID = 1000
        for number in 0..<20_000 { _ = guess(stranger, at: eve, device(number, of: eve)) }
        for number in 0..<2000 {
            let address = "2001:db8:\(String(number, radix: 16))::1"
            let elsewhere = try failures(rates, from: address)
            table.know(ClientAddress(try request(from: address)).word, of: eve, now: table.now())
            _ = guess(elsewhere, at: eve)
        }
        #expect(!victims.contains { guess(stranger, at: $0) }, "strangers")
        #expect(!victims.contains { guess(home, at: $0) }, "known addresses")
    }

    @Test("A user has 64 shares, and devices and addresses apart; strangers have none of them")
    func shares() throws {
        let shares = Set((0..<5000 as Range<UInt64>).map { table.share(of: $0, 7) })
        #expect(shares == Set(1...64))
        // Another table has other ones.
        let other = try #require(CounterTable())
        #expect((0..<100 as Range<UInt64>).contains { table.share(of: $0, 7) != other.share(of: $0, 7) })
        let rates = "account=1/day"
        let anywhere = try failures(rates, from: "203.0.113.1")
        let refused = (0..<2000).count { !guess(anywhere, at: 7, device($0, of: 7)) }
        #expect(refused == 2000 - 64)
        #expect(guess(anywhere, at: 7))
        #expect(!guess(anywhere, at: 7))
    }

    // MARK: What is not tried

    private enum Client: String, CaseIterable { case stranger, address, device }

    private struct Case: CustomTestStringConvertible {
        let client: Client
        let isKnownWrong: Bool
        let testDescription: String

        static let all = Client.allCases.flatMap { client in
            [false, true].map {
                Case(client: client, isKnownWrong: $0, testDescription: "\(client), known to be wrong: \($0)")
            }
        }
    }

    @Test(
        "What waits and is never tried counts for strangers, and for known clients where waiting told them",
        arguments: Case.all
    )
    private func notTried(_ tested: Case) throws {
        let failures = try failures("account=3/day", from: "203.0.113.1")
        if tested.client == .address {
            table.know(ClientAddress(try request(from: "203.0.113.1")).word, of: 7, now: table.now())
        }
        let device = device(1, of: 7)
        let cookie = tested.client == .device ? table.deviceCookie?.text(of: device) : nil
        for _ in 0..<5 {
            guard
                var attempt = try? failures.attempt(
                    7,
                    name: [],
                    device: cookie.map { Array($0.utf8)[...] },
                    whileCrowded: { () throws(APIError) in throw .malformedRequest }
                )
            else { continue }
            if tested.isKnownWrong { attempt.becomeKnownWrong() }
            // It waits, and the client goes away or is refused.
            withExtendedLifetime(PendingAttempt(attempt)) {}
        }
        let left = (0..<5).count { _ in guess(failures, at: 7, tested.client == .device ? device : nil) }
        #expect(left == (tested.client == .stranger || tested.isKnownWrong ? 0 : 3))
    }

    @Test("By Basic, a password that no hash can be made for counts as what the client could learn of it")
    func refusedHash() throws {
        let site = try InProcessSite(hasUsers: false)
        _ = try site.store.addUser(
            try Username("ann".utf8),
            // The SHA-1 of "right", as `htpasswd -s` writes it.
            passwordHash: "{SHA}0nofEXcSAJSXFLGvmfBIpBb11vQ="
        )
        let rates = "login=3/day account=3/day"
        func ask(_ accounts: Accounts, _ password: String, from address: String) throws -> Int {
            var request = try request(from: address)
            request.failures = try failures(rates, from: address)
            do {
                let user = try accounts.user(
                    named: Array("ann".utf8),
                    password: Array(password.utf8),
                    isRepeated: true,
                    for: request
                )
                return user == nil ? 401 : 200
            } catch {
                return error.status
            }
        }
        // One that makes no hashes.
        let full = Accounts(store: site.store, hasher: PasswordHasher(maximumQueue: 0))
        let (home, elsewhere) = ("198.51.100.1", "203.0.113.1")
        #expect(try ask(site.accounts, "right", from: home) == 200)
        // Nothing is remembered: neither the right one nor wrong ones count for who is known.
        for _ in 0..<5 { for password in ["right", "wrong"] { #expect(try ask(full, password, from: home) == 503) } }
        #expect(try ask(site.accounts, "right", from: home) == 200)
        // For strangers they do.
        let statuses = try (0..<5).map { _ in try ask(full, "right", from: elsewhere) }
        #expect(statuses == [503, 503, 503, 429, 429])
        // Where the right one is remembered, the others are known to be wrong.
        full.memo.remember(Array("right".utf8), of: try site.user("ann"), at: site.store.now())
        let wrong = try (0..<5).map { _ in try ask(full, "wrong", from: home) }
        #expect(wrong == [503, 503, 503, 429, 429])
        #expect(try ask(full, "right", from: home) == 429)
    }
}
