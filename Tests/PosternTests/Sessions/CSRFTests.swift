import Foundation
import Testing

@testable import Postern

/// What Django itself says to most of these stands in the cases of the live peer; here is what goes beyond it.
@Suite("Requests that are forged in a browser")
struct CSRFTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private let message = ["MESSAGE": "x", "METHODS": "GET POST PUT", "AUTHENTICATION": "Session"]

    @Test("The secret is the session's: planted ones, another session's and that of before the login do not count")
    func bound() throws {
        let before = site.ask("session.login", method: "GET").cookies["csrftoken"]!
        let login = site.ask(
            "session.login",
            headers: ["COOKIE": "csrftoken=" + before],
            body: InProcessSite.login("ann")
        )
        let other = site.ask("session.login", body: InProcessSite.login("ann"))
        let key = login.cookies["sessionid"]!
        func status(_ secret: String) -> Int {
            site.ask(
                "message",
                message,
                headers: ["COOKIE": "sessionid=\(key); csrftoken=\(secret)", "X_CSRFTOKEN": secret]
            ).status
        }
        #expect(status(login.cookies["csrftoken"]!) == 200)
        for secret in [before, other.cookies["csrftoken"]!, String(repeating: "a", count: 32)] {
            #expect(status(secret) == 403)
        }
    }

    @Test("A page gives the secret in another form each time, and each of them is good")
    func masks() throws {
        let login = site.ask("session.login", body: InProcessSite.login("ann"))
        let cookie = "sessionid=\(login.cookies["sessionid"]!); csrftoken=\(login.cookies["csrftoken"]!)"
        let tokens = (0..<3).map { _ in
            site.ask("session.login", method: "GET", headers: ["COOKIE": cookie, "ACCEPT": "application/json"])[
                "csrfmiddlewaretoken"
            ]
        }
        #expect(Set(tokens).count == 3)
        for token in tokens {
            #expect(token.utf8.count == 64)
            #expect(site.ask("message", message, headers: ["COOKIE": cookie, "X_CSRFTOKEN": token]).status == 200)
            let wrong = String(token.dropLast()) + (token.last == "a" ? "b" : "a")
            #expect(site.ask("message", message, headers: ["COOKIE": cookie, "X_CSRFTOKEN": wrong]).status == 403)
        }
    }

    @Test("Who is trusted beside the site itself, and who only looks like it")
    func trustedOrigins() throws {
        let login = site.ask("session.login", body: InProcessSite.login("ann"))
        let secret = login.cookies["csrftoken"]!
        let headers = [
            "COOKIE": "sessionid=\(login.cookies["sessionid"]!); csrftoken=\(secret)", "X_CSRFTOKEN": secret,
            "HOST": "api.example.org",
        ]
        let location = message.merging(["TRUSTED_ORIGINS": "https://app.example.org https://*.trusted.example:8443"]) {
            $1
        }
        func status(_ origin: String, _ more: [String: String] = [:]) -> Int {
            site.ask("message", location, headers: headers.merging(["ORIGIN": origin]) { $1 }.merging(more) { $1 })
                .status
        }
        for origin in [
            "http://api.example.org", "https://app.example.org", "https://a.trusted.example:8443",
            "https://a.b.trusted.example:8443",
        ] {
            #expect(status(origin) == 200, "\(origin)")
        }
        for origin in [
            "null", "", "https://api.example.org", "http://api.example.org:80", "http://api.example.org.evil.example",
            "http://evilapi.example.org", "http://app.example.org", "https://app.example.org.evil.example",
            "https://app.example.org:8443", "https://trusted.example:8443", "https://eviltrusted.example:8443",
            "https://a.trusted.example", "https://a.trusted.example:8443/", "https://app.example.org@evil.example",
            "https://evil.example#https://app.example.org", "file://", "chrome-extension://app.example.org",
        ] {
            #expect(status(origin) == 403, "\(origin)")
        }
        // A browser that says where a request comes from is believed; one that says nothing about it has no Origin.
        var plain = headers
        #expect(site.ask("message", location, headers: plain).status == 200)
        plain["SEC_FETCH_SITE"] = "cross-site"
        #expect(site.ask("message", location, headers: plain).status == 403)
        // An empty host is nobody's origin.
        #expect(status("http://", ["HOST": ""]) == 403)
    }

    @Test(
        "Lists of origins that make no sense let nobody in",
        arguments: [
            "app.example.org", "https://", "https://a/b", "https://a.*.example", "https://a@b", "*",
            "https://app.example.org,https://b",
        ]
    )
    func badOrigins(text: String) {
        #expect(
            site.ask("message", ["MESSAGE": "x", "PERMISSION": "AllowAny", "TRUSTED_ORIGINS": text], method: "GET")
                .status == 500
        )
    }

    @Test("A login is not forged either: by form it needs the secret, by JSON no other site's word")
    func login() {
        let form = "username=ann&password=correct+horse+battery+staple"
        let type = "application/x-www-form-urlencoded"
        #expect(site.ask("session.login", body: form, type: type).status == 403)
        let page = site.ask("session.login", method: "GET")
        let secret = page.cookies["csrftoken"]!
        #expect(
            site.ask("session.login", headers: ["COOKIE": "csrftoken=" + secret], body: form, type: type).status == 403
        )
        let good = ["COOKIE": "csrftoken=" + secret, "HOST": "a.example"]
        let body = form + "&csrfmiddlewaretoken=" + secret
        #expect(site.ask("session.login", headers: good, body: body, type: type).status == 302)
        for headers in [["ORIGIN": "https://evil.example"], ["ORIGIN": "null"], ["SEC_FETCH_SITE": "cross-site"]] {
            let headers = good.merging(headers) { $1 }
            #expect(site.ask("session.login", headers: headers, body: body, type: type).status == 403)
            #expect(site.ask("session.login", headers: headers, body: InProcessSite.login("ann")).status == 403)
        }
        // Over TLS, a client that is no browser says neither where it is from nor where it was.
        for (view, location) in [("session.login", [:]), ("jwt.obtain", ["JWT_COOKIE": "access"])] {
            let encrypted = [("HTTPS", "on"), ("HTTP_HOST", "a.example")]
            func status(
                _ more: [(String, String)],
                _ body: String = InProcessSite.login("ann"),
                _ type: String = "application/json"
            ) -> Int {
                site.ask(view, location, body: body, type: type, more: encrypted + more).status
            }
            #expect(status([]) == 200, "\(view)")
            #expect(status([("HTTP_ORIGIN", "https://a.example")]) == 200)
            #expect(status([("HTTP_REFERER", "https://a.example/x")]) == 200)
            #expect(status([("HTTP_REFERER", "https://evil.example/x")]) == 403)
            #expect(status([("HTTP_ORIGIN", "https://evil.example")]) == 403)
            #expect(status([], form, type) == 403)
        }
        // JSON that does not say that it is could come from any page.
        #expect(
            site.ask("session.login", headers: good, body: InProcessSite.login("ann"), type: "text/plain").status >= 400
        )
    }

    @Test(
        "After the login one goes to a path of this site, and nowhere else",
        arguments: [
            "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https://evil.example",
            "/\t/evil.example",
            "///evil.example", "/\u{0}/evil", "javascript:alert(1)", "//a@evil.example", "http:///evil.example",
            "/\r\nSet-Cookie: a=b", "evil", "",
            " //evil.example", "\u{1}//evil.example", "/\u{7F}/", "?//evil", "#//evil", "/a\\..\\b",
        ]
    )
    func openRedirects(next: String) {
        #expect(SessionLogin.path(next) == "/")
    }

    @Test("Paths of this site stay what they are")
    func paths() {
        #expect(SessionLogin.path("/a/b?c=d&e=%20#f") == "/a/b?c=d&e=%20#f")
        #expect(SessionLogin.path("/é \"<>") == "/%C3%A9%20%22%3C%3E")
        #expect(SessionLogin.path(nil) == "/")
        #expect(SessionLogin.path("/" + String(repeating: "a", count: 3000)) == "/")
    }

    @Test("What a client typed stands in the page as text, and no script may run there")
    func escaping() throws {
        let secret = site.ask("session.login", method: "GET").cookies["csrftoken"]!
        let answer = site.ask(
            "session.login",
            headers: ["COOKIE": "csrftoken=" + secret],
            body:
                "csrfmiddlewaretoken=\(secret)&password=x&username=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&next=/%22onload=x",
            type: "application/x-www-form-urlencoded"
        )
        #expect(answer.status == 200)
        #expect(answer.body.contains("Please enter a correct username and password."))
        #expect(answer.body.contains(#"value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;""#))
        #expect(!answer.body.contains("<script"))
        #expect(!answer.body.contains("\"onload"))
        #expect(answer.body.contains(#"type="password" autocomplete="current-password""#))
        #expect(answer.body.contains(#"autocomplete="username""#))
        let policy = try #require(answer.values("Content-Security-Policy").first)
        for part in [
            "default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            #expect(policy.contains(part))
        }
        #expect(answer.values("Cache-Control").first?.contains("no-store") ?? false)
        #expect(answer.values("X-Content-Type-Options") == ["nosniff"])
        #expect(answer.values("Referrer-Policy") == ["same-origin"])
    }
}
