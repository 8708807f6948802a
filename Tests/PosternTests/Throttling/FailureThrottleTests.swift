import FastCGI
import Testing

@testable import Postern

@Suite("Credentials that are refused")
struct FailureThrottleTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite(throttlesFailures: true) }

    private static let wrong = #"{"username":"ann","password":"wrong wrong wrong"}"#

    private func login(_ body: String = Self.wrong, from address: String, _ location: [String: String] = [:])
        -> InProcessSite.Answer
    {
        site.ask("token.obtain", location.merging(["REQUIRE_HTTPS": "off"]) { $1 }, body: body, address: address)
    }

    private func whoami(_ authorization: String, from address: String = "192.0.2.1") -> InProcessSite.Answer {
        site.ask(
            "whoami",
            ["PERMISSION": "AllowAny", "REQUIRE_HTTPS": "off"],
            method: "GET",
            headers: ["AUTHORIZATION": authorization],
            address: address
        )
    }

    @Test("After thirty in a minute no credential of the address is looked at, good ones neither; others are")
    func address() throws {
        let good = "Token " + (try site.accounts.issueToken(for: try site.user("ann")).1.text)
        for number in 0..<30 {
            #expect(whoami(number % 2 == 0 ? "Token " + TokenSecret.random().text : "Bearer a.b.c").status == 401)
        }
        let refused = whoami(good)
        #expect(refused.status == 429)
        #expect(refused.values("Retry-After").count == 1)
        #expect(refused.body.hasPrefix(#"{"detail":"Request was throttled. Expected available in "#))
        #expect(whoami(good, from: "192.0.2.2").status == 200)
        #expect(login(InProcessSite.login("ann"), from: "192.0.2.1").status == 429)
        // Nobody is still nobody.
        #expect(site.ask("whoami", ["PERMISSION": "AllowAny"], method: "GET", address: "192.0.2.1").status == 200)
    }

    @Test("Every scheme and every view that takes a credential counts", arguments: 0..<13)
    func everyWay(way: Int) throws {
        let jwt = ["REQUIRE_HTTPS": "off"]
        let good = "Token " + (try site.accounts.issueToken(for: try site.user("ann")).1.text)
        func attempt() -> Int {
            let address = "192.0.2.7"
            switch way {
            case 0: return whoami("Token " + TokenSecret.random().text, from: address).status
            case 1: return whoami("Bearer x.y.z", from: address).status
            case 2: return whoami("Basic YTpi", from: address).status
            case 3: return login(from: address).status
            case 4: return site.ask("jwt.obtain", jwt, body: Self.wrong, address: address).status
            case 5: return site.ask("jwt.refresh", jwt, body: #"{"refresh":"x.y.z"}"#, address: address).status
            case 6: return site.ask("jwt.verify", jwt, body: #"{"token":"x.y.z"}"#, address: address).status
            case 7: return site.ask("session.login", jwt, body: Self.wrong, address: address).status
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
            site.ask(view, location.merging(jwt) { $1 }, headers: headers, body: body, address: "192.0.2.7").status
        }
        let statuses = (0..<31).map { _ in attempt() }
        #expect(statuses.last == 429)
        #expect(statuses.first != 429)
    }

    @Test("An access token that has expired is no guess")
    func expired() throws {
        let access = site.pair("ann", ["JWT_ACCESS_LIFETIME": "1s"]).access
        // It expires a second after it was made: ask until it has, and then often.
        while whoami("Bearer " + access).status == 200 {}
        for _ in 0..<40 { #expect(whoami("Bearer " + access).status == 401) }
    }

    @Test("Five wrong passwords a minute for an account from an address, whatever the spelling of a body")
    func perLogin() {
        for _ in 0..<5 { #expect(login(from: "192.0.2.1").status == 400) }
        #expect(login(from: "192.0.2.1").status == 429)
        #expect(login(#"{"username":" ann ","password":"wrong wrong wrong"}"#, from: "192.0.2.1").status == 429)
        #expect(login(InProcessSite.login("ann"), from: "192.0.2.1").status == 429)
        #expect(whoami("Basic " + "YW5uOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU=").status == 429)
        // Another account from there, and this one from elsewhere.
        #expect(login(InProcessSite.login("stella"), from: "192.0.2.1").status == 200)
        #expect(login(InProcessSite.login("ann"), from: "192.0.2.2").status == 200)
    }

    @Test("What a client says of addresses is no other address to a counter")
    func forwarded() {
        let statuses = (0..<31).map { number in
            site.ask(
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
        #expect(statuses.last == 429)
        #expect(statuses.first == 401)
    }

    @Test("A success clears what the same address tried before")
    func success() {
        for _ in 0..<3 {
            for _ in 0..<4 { #expect(login(from: "192.0.2.1").status == 400) }
            #expect(login(InProcessSite.login("ann"), from: "192.0.2.1").status == 200)
        }
    }

    @Test("A hundred guesses from a hundred addresses stop long before; the owner's address goes on")
    func account() {
        #expect(login(InProcessSite.login("ann"), from: "198.51.100.9").status == 200)
        let statuses = (0..<100).map { login(from: "203.0.113.\($0)").status }
        // And one more, for all of that network are one where the account has none left.
        #expect(statuses.count { $0 == 400 } == 21)
        #expect(statuses.count { $0 == 429 } == 79)
        #expect(login(InProcessSite.login("ann"), from: "203.0.113.200").status == 429)
        #expect(login(InProcessSite.login("ann"), from: "198.51.100.9").status == 200)
        #expect(login(InProcessSite.login("stella"), from: "203.0.113.200").status == 200)
    }

    @Test("A known address has as many wrong passwords as all strangers together, and no more")
    func knownAddress() {
        let location = ["FAILURE_THROTTLE": "account=3/hour"]
        #expect(login(InProcessSite.login("ann"), from: "198.51.100.9", location).status == 200)
        let known = (0..<5).map { _ in login(from: "198.51.100.9", location).status }
        let strangers = (0..<5).map { login(from: "203.0.113.\($0)", location).status }
        #expect(known == [400, 400, 400, 429, 429])
        #expect(strangers == known)
    }

    @Test("An owner who comes from nowhere known has a try where strangers have used up theirs, one a network a day")
    func first() {
        let location = ["FAILURE_THROTTLE": "account=2/hour first=3/day"]
        func wrong(_ address: String) -> Int { login(from: address, location).status }
        func right(_ address: String) -> Int { login(InProcessSite.login("ann"), from: address, location).status }
        #expect([wrong("203.0.113.1"), wrong("203.0.113.2"), wrong("203.0.113.3")] == [400, 400, 400])
        // The network of 24 bits has had its try, right or wrong.
        #expect(wrong("203.0.113.4") == 429)
        #expect(right("203.0.113.5") == 429)
        // A right one uses nothing up, and its address is known from then on.
        #expect((1...5).map { right("198.51.\($0).1") } == Array(repeating: 200, count: 5))
        #expect([wrong("192.0.2.1"), wrong("2001:db8:1::1"), wrong("2001:db8:2::1")] == [400, 400, 429])
        #expect(right("192.0.3.1") == 429)
        #expect(right("198.51.1.1") == 200)
        // Names that are nobody's alike.
        func nobody(_ address: String) -> Int {
            login(#"{"username":"nobody","password":"wrong"}"#, from: address, location).status
        }
        #expect((1...8).map { nobody("203.0.\($0).1") } == [400, 400, 400, 400, 400, 429, 429, 429])
    }

    @Test("A browser in which the owner logged in has tries of its own, wherever it is")
    func device() throws {
        let location = ["FAILURE_THROTTLE": "login=9/min account=2/hour", "REQUIRE_HTTPS": "off"]
        func ask(_ name: String, _ password: String, from address: String, _ cookie: String? = nil)
            -> InProcessSite.Answer
        {
            let body = #"{"username":"\#(name)","password":"\#(password)"}"#
            let headers = cookie.map { ["COOKIE": "a=b; postern_device=" + $0] } ?? [:]
            return site.ask("session.login", location, headers: headers, body: body, address: address)
        }
        let answer = ask("ann", InProcessSite.password, from: "198.51.100.9")
        let cookie = try #require(answer.cookies["postern_device"])
        let field = try #require(answer.values("Set-Cookie").first { $0.hasPrefix("postern_device=") })
        #expect(field.contains("; HttpOnly"))
        #expect(field.contains("; SameSite=Lax"))
        #expect(field.contains("; Path=/"))
        #expect(field.contains("Max-Age=2592000"))
        #expect(!field.contains("ann"))
        // It is kept, and no other is given.
        #expect(ask("ann", InProcessSite.password, from: "198.51.100.9", cookie).cookies["postern_device"] == nil)
        for number in 0..<3 { _ = ask("ann", "wrong", from: "203.0.\(number).1") }
        #expect(ask("ann", InProcessSite.password, from: "192.0.2.1").status == 429)
        let stranger = try #require(ask("stella", InProcessSite.password, from: "192.0.2.2").cookies["postern_device"])
        var forged = Array(cookie.utf8)
        forged[forged.count - 1] = forged[forged.count - 1] == UInt8(ascii: "A") ? UInt8(ascii: "E") : UInt8(ascii: "A")
        for other in [stranger, String(decoding: forged, as: UTF8.self), cookie + " x", "1.1.1.1.1", ""] {
            #expect(ask("ann", InProcessSite.password, from: "192.0.2.1", other).status == 429, "\(other)")
        }
        // The device has as many as strangers have, and a right one is right by any view.
        #expect(ask("ann", "wrong", from: "192.0.2.1", cookie).status == 400)
        let headers = ["COOKIE": "postern_device=" + cookie]
        let wanted = site.ask(
            "token.obtain",
            location,
            headers: headers,
            body: InProcessSite.login("ann"),
            address: "192.0.2.3"
        )
        #expect(wanted.status == 200)
        #expect(ask("ann", "wrong", from: "192.0.2.4", cookie).status == 400)
        #expect(ask("ann", "wrong", from: "192.0.2.5", cookie).status == 429)
        #expect(ask("ann", InProcessSite.password, from: "192.0.2.6", cookie).status == 429)
        // It is no credential.
        let whoami = site.ask("whoami", ["REQUIRE_HTTPS": "off"], method: "GET", headers: headers)
        #expect(whoami.status == 401)
    }

    @Test("Over TLS the cookie of a device is for TLS alone")
    func secureDevice() {
        let answer = site.ask("session.login", body: InProcessSite.login("ann"), more: [("HTTPS", "on")])
        #expect(answer.values("Set-Cookie").contains { $0.hasPrefix("postern_device=") && $0.contains("; Secure") })
        let off = site.ask("session.login", ["FAILURE_THROTTLE": "off"], body: InProcessSite.login("ann"))
        #expect(off.status == 200)
        #expect(off.cookies["postern_device"] == nil)
    }

    @Test("All of a network of 48 bits try four times as many passwords as one address, and who is known there goes on")
    func wholeSite() {
        let location = ["FAILURE_THROTTLE": "address=2/hour"]
        func wrong(_ network: Int) -> Int {
            let body = #"{"username":"nobody\#(network)","password":"wrong"}"#
            return login(body, from: "2001:db8:7:\(network)::1", location).status
        }
        #expect(login(InProcessSite.login("ann"), from: "2001:db8:7:ffff::1", location).status == 200)
        #expect((0..<12).map(wrong) == Array(repeating: 400, count: 8) + Array(repeating: 429, count: 4))
        #expect(login(InProcessSite.login("stella"), from: "2001:db8:7:fffe::1", location).status == 429)
        #expect(login(InProcessSite.login("ann"), from: "2001:db8:7:ffff::1", location).status == 200)
        #expect(login(InProcessSite.login("stella"), from: "2001:db8:8::1", location).status == 200)
    }

    @Test("What is refused for its login counts for the address, which is shut for a period and no longer")
    func refusedCounts() throws {
        let location = ["FAILURE_THROTTLE": "address=6/min login=2/min"]
        let statuses = (0..<4).map { _ in login(from: "192.0.2.1", location).status }
        #expect(statuses == [400, 400, 429, 429])
        #expect(login(InProcessSite.login("stella"), from: "192.0.2.1", location).status == 200)
        for _ in 0..<100 { #expect(login(from: "192.0.2.1", location).status == 429) }
        #expect(login(InProcessSite.login("stella"), from: "192.0.2.1", location).status == 429)
        // A minute after the first six it is open again, whatever came meanwhile.
        let table = try #require(site.application.counters)
        let scope = ThrottleScope("failures:address", try #require(ThrottleRate("6/min")))
        let address = FastCGI.Request(
            role: .responder,
            parameters: Parameters([("REQUEST_METHOD", Array("GET".utf8)), ("REMOTE_ADDR", Array("192.0.2.1".utf8))]),
            body: []
        )
        let key = ClientAddress(try APIRequest(address)).key(scope.id)
        let later = table.now() &+ 60_000
        #expect(table.withCounter(key, now: later) { scope.look(&$0, now: later) }.remaining == 6)
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
        #expect(statuses.count { $0 == 400 } <= 5)
        #expect(statuses.count { $0 == 429 } >= 19)
    }

    @Test("The right password, many times at once, is right each time")
    func rightAtOnce() async {
        let statuses = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<16 { group.addTask { self.login(InProcessSite.login("ann"), from: "192.0.2.1").status } }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(statuses == Array(repeating: 200, count: 16))
    }

    @Test("A location has its own rates, or none")
    func settings() {
        for _ in 0..<2 { #expect(login(from: "192.0.2.1", ["FAILURE_THROTTLE": "login=2/hour"]).status == 400) }
        #expect(login(from: "192.0.2.1", ["FAILURE_THROTTLE": "login=2/hour"]).status == 429)
        for _ in 0..<40 { #expect(whoamiUnlimited() == 401) }
        for text in ["", "on", "address", "address=0/min", "other=5/min", "off off", "first=3/day login=1/min"] {
            #expect(login(from: "192.0.2.3", ["FAILURE_THROTTLE": text]).status == 500, "\(text)")
        }
    }

    private func whoamiUnlimited() -> Int {
        site.ask(
            "whoami",
            ["PERMISSION": "AllowAny", "FAILURE_THROTTLE": "off"],
            method: "GET",
            headers: ["AUTHORIZATION": "Token x"]
        ).status
    }

    @Test("A bad credential counts also where it is ignored")
    func ignored() {
        func ask() -> Int {
            site.ask(
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
