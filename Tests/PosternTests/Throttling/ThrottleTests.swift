import Testing

@testable import Postern

@Suite("Throttles of a location")
struct ThrottleTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private func ask(
        _ throttle: String,
        token: String? = nil,
        method: String = "GET",
        address: String = "127.0.0.1",
        _ more: [String: String] = [:]
    ) -> InProcessSite.Answer {
        let location = more.merging([
            "MESSAGE": "x", "PERMISSION": "AllowAny", "THROTTLE": throttle, "REQUIRE_HTTPS": "off",
        ]) { one, _ in one }
        let headers = token.map { ["AUTHORIZATION": "Token " + $0] } ?? [:]
        return site.ask("message", location, method: method, headers: headers, address: address)
    }

    private func token(_ name: String = "ann") throws -> String {
        try site.accounts.issueToken(for: try site.user(name)).1.text
    }

    @Test("429 with DRF's body and Retry-After")
    func body() throws {
        #expect(ask("anon=2/min").status == 200)
        #expect(ask("anon=2/min").status == 200)
        let answer = ask("anon=2/min")
        #expect(answer.status == 429)
        let seconds = try #require(answer.values("Retry-After").first.flatMap(Int.init))
        #expect((55...60).contains(seconds))
        #expect(answer.body == #"{"detail":"Request was throttled. Expected available in \#(seconds) seconds."}"#)
        #expect(ask("anon=1/s").status == 200)
    }

    @Test("One second is singular")
    func singular() {
        #expect(APIError.throttled(1).detail == "Request was throttled. Expected available in 1 second.")
    }

    @Test("anon counts nobody by address, user counts users by id and nobody by address, and they count apart")
    func kinds() throws {
        let (ann, stella) = (try token(), try token("stella"))
        for _ in 0..<3 { #expect(ask("anon=1/min", token: ann).status == 200) }
        #expect(ask("user=1/min", token: ann).status == 200)
        #expect(ask("user=1/min", token: ann, address: "192.0.2.1").status == 429)
        #expect(ask("user=1/min", token: stella).status == 200)
        #expect(ask("user=1/min").status == 200)
        #expect(ask("user=1/min").status == 429)
        #expect(ask("user=1/min", address: "192.0.2.1").status == 200)
    }

    @Test("A client of IPv6 is its network, and IPv4 within IPv6 is IPv4")
    func addresses() {
        #expect(ask("anon=1/min", address: "2001:db8::1").status == 200)
        #expect(ask("anon=1/min", address: "2001:db8::ffff:1").status == 429)
        #expect(ask("anon=1/min", address: "2001:db8:0:1::1").status == 200)
        #expect(ask("anon=1/min", address: "192.0.2.9").status == 200)
        #expect(ask("anon=1/min", address: "::ffff:192.0.2.9").status == 429)
        #expect(ask("anon=1/min", address: "unix:").status == 200)
        #expect(ask("anon=1/min", address: "unix:").status == 429)
    }

    @Test("The same scope and rate count together wherever they stand, others apart")
    func scopes() {
        #expect(ask("scope:a=1/min").status == 200)
        #expect(ask("scope:a=1/min", ["REALM": "elsewhere"]).status == 429)
        #expect(ask("scope:b=1/min").status == 200)
        #expect(ask("scope:a=2/min").status == 200)
        #expect(ask("anon=9/min scope:a=2/min").status == 200)
        #expect(ask("scope:a=2/min").status == 429)
    }

    @Test("The longest wait of several is told, and each counts what it would let through")
    func several() {
        #expect(ask("anon=1/min scope:x=2/hour").status == 200)
        let first = ask("anon=1/min scope:x=2/hour")
        #expect(first.status == 429)
        #expect(first.values("Retry-After").first.flatMap(Int.init) ?? 0 <= 60)
        let second = ask("anon=1/min scope:x=2/hour")
        #expect(second.status == 429)
        #expect(second.values("Retry-After").first.flatMap(Int.init) ?? 0 > 3000)
    }

    @Test("What is refused before is not counted, what is refused after is")
    func order() {
        let denied = ["PERMISSION": "IsAuthenticated"]
        for _ in 0..<3 { #expect(ask("anon=2/min", denied).status == 401) }
        #expect(ask("anon=2/min", method: "DELETE").status == 405)
        #expect(ask("anon=2/min", method: "PROPFIND").status == 405)
        #expect(ask("anon=2/min", method: "OPTIONS").status == 429)
        #expect(ask("anon=2/min", method: "HEAD").status == 429)
    }

    @Test("What is left is told where the location wants it")
    func rateLimitFields() throws {
        let token = try token()
        let first = ask("user=3/min scope:x=10/hour", token: token, ["RATELIMIT": "on"])
        #expect(first.values("RateLimit-Policy") == [#""user";q=3;w=60, "scope:x";q=10;w=3600"#])
        #expect(first.values("RateLimit") == [#""user";r=2;t=60, "scope:x";r=9;t=3600"#])
        #expect(ask("user=4/min", token: token).values("RateLimit").isEmpty)
        #expect(ask("anon=3/min", token: token, ["RATELIMIT": "on"]).values("RateLimit").isEmpty)
    }

    @Test(
        "What cannot be understood lets nobody in",
        arguments: [
            "5/min", "anon", "anon=", "anon=x", "anon=5", "other=5/min", "scope:=5/min", "scope:a b=5/min",
            "anon=5/min,user=3/min",
        ]
    )
    func mistakes(text: String) {
        #expect(ask(text).status == 500)
    }
}
