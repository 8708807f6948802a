import Testing

@testable import Postern

@Suite("Credentials that are refused")
struct FailureThrottleTests {
    private let gate: Gate

    init() throws { gate = try Gate(throttlesFailures: true) }

    private static let wrong = #"{"username":"ann","password":"wrong wrong wrong"}"#

    private func login(_ body: String = Self.wrong, from address: String, _ location: [String: String] = [:])
        -> Gate.Answer
    {
        gate.ask("token.obtain", location.merging(["REQUIRE_HTTPS": "off"]) { $1 }, body: body, address: address)
    }

    private func whoami(_ authorization: String, from address: String = "192.0.2.1") -> Gate.Answer {
        gate.ask(
            "whoami",
            ["PERMISSION": "AllowAny", "REQUIRE_HTTPS": "off"],
            method: "GET",
            headers: ["AUTHORIZATION": authorization],
            address: address
        )
    }

    @Test("After thirty in a minute no credential of the address is looked at, good ones neither; others are")
    func address() throws {
        let good = "Token " + (try gate.accounts.issueToken(for: try gate.user("ann")).1.text)
        for number in 0..<30 {
            #expect(whoami(number % 2 == 0 ? "Token " + TokenSecret.random().text : "Bearer a.b.c").status == 401)
        }
        let refused = whoami(good)
        #expect(refused.status == 429 && refused.values("Retry-After").count == 1)
        #expect(refused.body.hasPrefix(#"{"detail":"Request was throttled. Expected available in "#))
        #expect(whoami(good, from: "192.0.2.2").status == 200)
        #expect(login(Gate.login("ann"), from: "192.0.2.1").status == 429)
        // Nobody is still nobody.
        #expect(gate.ask("whoami", ["PERMISSION": "AllowAny"], method: "GET", address: "192.0.2.1").status == 200)
    }

    @Test("Every scheme and every view that takes a credential counts", arguments: 0..<13)
    func everyWay(way: Int) throws {
        let jwt = ["REQUIRE_HTTPS": "off"]
        let good = "Token " + (try gate.accounts.issueToken(for: try gate.user("ann")).1.text)
        func attempt() -> Int {
            let address = "192.0.2.7"
            switch way {
            case 0: return whoami("Token " + TokenSecret.random().text, from: address).status
            case 1: return whoami("Bearer x.y.z", from: address).status
            case 2: return whoami("Basic YTpi", from: address).status
            case 3: return login(from: address).status
            case 4: return gate.ask("jwt.obtain", jwt, body: Self.wrong, address: address).status
            case 5: return gate.ask("jwt.refresh", jwt, body: #"{"refresh":"x.y.z"}"#, address: address).status
            case 6: return gate.ask("jwt.verify", jwt, body: #"{"token":"x.y.z"}"#, address: address).status
            case 7: return gate.ask("session.login", jwt, body: Self.wrong, address: address).status
            case 8: return ask("token.login", ["AUTHENTICATION": "Basic"], ["AUTHORIZATION": "Basic YTpi"])
            case 9: return ask("jwt.blacklist", [:], [:], #"{"refresh":"x.y.z"}"#)
            case 10: return ask("oauth.introspect", [:], ["AUTHORIZATION": "Token x"], #"{"token":"x"}"#)
            case 11:
                let location = ["AUTHENTICATION": "JWT", "JWT_COOKIE": "access"]
                return ask("whoami", location, ["COOKIE": "access=x.y.z"])
            default:
                let body = #"{"old_password":"wrong","new_password":"another horse battery staple"}"#
                return ask("password", [:], ["AUTHORIZATION": good], body)
            }
        }
        func ask(
            _ view: String,
            _ location: [String: String],
            _ headers: [String: String],
            _ body: String = ""
        ) -> Int {
            gate.ask(view, location.merging(jwt) { $1 }, headers: headers, body: body, address: "192.0.2.7").status
        }
        let statuses = (0..<31).map { _ in attempt() }
        #expect(statuses.last == 429)
        #expect(statuses.first != 429)
    }

    @Test("An access token that has expired is no guess")
    func expired() throws {
        let access = gate.pair("ann", ["JWT_ACCESS_LIFETIME": "1s"]).access
        // It expires a second after it was made: ask until it has, and then often.
        while whoami("Bearer " + access).status == 200 {}
        for _ in 0..<40 { #expect(whoami("Bearer " + access).status == 401) }
    }

    @Test("Five wrong passwords a minute for an account from an address, whatever the spelling of a body")
    func perLogin() {
        for _ in 0..<5 { #expect(login(from: "192.0.2.1").status == 400) }
        #expect(login(from: "192.0.2.1").status == 429)
        #expect(login(#"{"username":" ann ","password":"wrong wrong wrong"}"#, from: "192.0.2.1").status == 429)
        #expect(login(Gate.login("ann"), from: "192.0.2.1").status == 429)
        #expect(whoami("Basic " + "YW5uOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU=").status == 429)
        // Another account from there, and this one from elsewhere.
        #expect(login(Gate.login("stella"), from: "192.0.2.1").status == 200)
        #expect(login(Gate.login("ann"), from: "192.0.2.2").status == 200)
    }

    @Test("What a client says of addresses is no other address to a counter")
    func forwarded() {
        let statuses = (0..<31).map { number in
            gate.ask(
                "whoami",
                ["PERMISSION": "AllowAny", "REQUIRE_HTTPS": "off"],
                method: "GET",
                headers: [
                    "AUTHORIZATION": "Token wrong", "X_FORWARDED_FOR": "198.51.100.\(number)",
                    "FORWARDED": "for=198.51.100.\(number)", "X_REAL_IP": "198.51.100.\(number)",
                    "CLIENT_IP": "198.51.100.\(number)",
                ],
                address: "192.0.2.1"
            ).status
        }
        #expect(statuses.last == 429 && statuses.first == 401)
    }

    @Test("A success clears what the same address tried before")
    func success() {
        for _ in 0..<3 {
            for _ in 0..<4 { #expect(login(from: "192.0.2.1").status == 400) }
            #expect(login(Gate.login("ann"), from: "192.0.2.1").status == 200)
        }
    }

    @Test("A hundred guesses from a hundred addresses stop long before; the owner's address goes on")
    func account() {
        #expect(login(Gate.login("ann"), from: "198.51.100.9").status == 200)
        let statuses = (0..<100).map { login(from: "203.0.113.\($0)").status }
        #expect(statuses.count { $0 == 400 } == 20 && statuses.count { $0 == 429 } == 80)
        #expect(login(Gate.login("ann"), from: "203.0.113.200").status == 429)
        #expect(login(Gate.login("ann"), from: "198.51.100.9").status == 200)
        #expect(login(Gate.login("stella"), from: "203.0.113.200").status == 200)
    }

    @Test("A known address has as many wrong passwords as all strangers together, and no more")
    func knownAddress() {
        let location = ["FAILURE_THROTTLE": "account=3/hour"]
        #expect(login(Gate.login("ann"), from: "198.51.100.9", location).status == 200)
        let known = (0..<5).map { _ in login(from: "198.51.100.9", location).status }
        let strangers = (0..<5).map { login(from: "203.0.113.\($0)", location).status }
        #expect(known == [400, 400, 400, 429, 429] && strangers == known)
    }

    @Test("Names that are nobody's are limited just as names that are somebody's")
    func unknown() {
        func statuses(_ name: String) -> [Int] {
            (0..<30).map {
                login(#"{"username":"\#(name)","password":"wrong wrong wrong"}"#, from: "203.0.113.\($0 / 6)").status
            }
        }
        #expect(statuses("nobody") == statuses("ann"))
    }

    @Test("Passwords that are tried at once are counted before they are hashed")
    func atOnce() async {
        let statuses = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<24 { group.addTask { self.login(from: "192.0.2.1").status } }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(statuses.count { $0 == 400 } <= 5 && statuses.count { $0 == 429 } >= 19)
    }

    @Test("The right password, many times at once, is right each time")
    func rightAtOnce() async {
        let statuses = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<16 { group.addTask { self.login(Gate.login("ann"), from: "192.0.2.1").status } }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(statuses == Array(repeating: 200, count: 16))
    }

    @Test("A location has its own rates, or none")
    func settings() {
        for _ in 0..<2 { #expect(login(from: "192.0.2.1", ["FAILURE_THROTTLE": "login=2/hour"]).status == 400) }
        #expect(login(from: "192.0.2.1", ["FAILURE_THROTTLE": "login=2/hour"]).status == 429)
        for _ in 0..<40 { #expect(whoamiUnlimited() == 401) }
        for text in ["", "on", "address", "address=0/min", "other=5/min", "off off"] {
            #expect(login(from: "192.0.2.3", ["FAILURE_THROTTLE": text]).status == 500, "\(text)")
        }
    }

    private func whoamiUnlimited() -> Int {
        gate.ask(
            "whoami",
            ["PERMISSION": "AllowAny", "FAILURE_THROTTLE": "off"],
            method: "GET",
            headers: ["AUTHORIZATION": "Token x"]
        ).status
    }

    @Test("A bad credential counts also where it is ignored")
    func ignored() {
        func ask() -> Int {
            gate.ask(
                "whoami",
                ["PERMISSION": "AllowAny", "BAD_CREDENTIAL": "ignore"],
                method: "GET",
                headers: ["AUTHORIZATION": "Token x"]
            ).status
        }
        let statuses = (0..<31).map { _ in ask() }
        #expect(statuses == Array(repeating: 200, count: 30) + [429])
    }
}
