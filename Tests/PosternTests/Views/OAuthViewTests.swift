import Foundation
import Journal
import Testing

@testable import Postern

@Suite("Introspection (RFC 7662) and revocation (RFC 7009)")
struct OAuthViewTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private func basic(_ name: String) -> [String: String] {
        ["AUTHORIZATION": "Basic " + Data("\(name):\(InProcessSite.password)".utf8).base64EncodedString()]
    }

    private func introspect(_ token: String, by name: String = "stella") -> InProcessSite.Answer {
        site.ask(
            "oauth.introspect",
            headers: basic(name),
            body: "token=\(token)",
            type: "application/x-www-form-urlencoded"
        )
    }

    private func revoke(_ token: String, by name: String = "stella") -> InProcessSite.Answer {
        site.ask(
            "oauth.revoke",
            headers: basic(name),
            body: "token=\(token)",
            type: "application/x-www-form-urlencoded"
        )
    }

    @Test("A good token is said to be good, and whose it is")
    func active() throws {
        let user = try site.user("ann")
        let end = site.store.now().adding(seconds: 60)
        let secret = try site.accounts.issueToken(for: user, expires: end).1
        let answer = introspect(secret.text)
        #expect(answer.values("Cache-Control") == ["no-store"])
        #expect(
            answer.body.hasPrefix(
                #"{"active":true,"username":"ann","sub":"\#(user.id)","token_type":"Bearer","exp":\#(end.seconds),"iat":"#
            )
        )
        let scoped = try site.accounts.issueToken(for: user, limits: try TokenLimits(scopes: ["read", "stats"])).1
        #expect(introspect(scoped.text)["scope"] == "read stats")
        let bound = try site.accounts.issueToken(for: user, limits: try TokenLimits(methods: ["GET"])).1
        #expect(introspect(bound.text).body == #"{"active":false}"#)
        #expect(revoke(bound.text).status == 200)
        #expect(try site.store.token(bound.digest) == nil)
        let pair = site.pair()
        #expect(introspect(pair.access).body.hasPrefix(#"{"active":true,"username":"ann""#))
        #expect(introspect(pair.refresh)["token_type"] == "refresh_token")
    }

    @Test("Whatever is wrong with a token, the answer has the same bytes")
    func inactive() throws {
        let user = try site.user("ann")
        let expired = try site.accounts.issueToken(for: user, expires: Timestamp(seconds: 1)).1.text
        let revoked = try site.accounts.issueToken(for: user)
        try site.accounts.revokeToken(revoked.0.id)
        let blacklisted = site.pair()
        _ = site.ask("jwt.blacklist", body: #"{"refresh":"\#(blacklisted.refresh)"}"#)
        let usedUp = site.pair()
        _ = site.ask("jwt.refresh", body: #"{"refresh":"\#(usedUp.refresh)"}"#)
        let disabled = try site.addUser("ina")
        let disabledToken = try site.accounts.issueToken(for: disabled).1.text
        let disabledPair = site.pair("ina")
        try site.store.setActive(disabled.id, false)
        for token in [
            expired, revoked.1.text, blacklisted.refresh, blacklisted.access, usedUp.refresh, disabledToken,
            disabledPair.access,
            TokenSecret.random().text, "pst_" + String(repeating: "0", count: 36), "x", "a.b.c",
            String(repeating: "a", count: 9000), "%00", "%FF",
        ] {
            let answer = introspect(token)
            #expect(answer.status == 200, "\(token.prefix(60))")
            #expect(answer.body == #"{"active":false}"#, "\(token.prefix(60))")
        }
    }

    @Test("Only staff may ask, unless the location says who else; everybody with an account may revoke")
    func callers() throws {
        let token = try site.accounts.issueToken(for: try site.user("ann")).1.text
        #expect(introspect(token, by: "ann").status == 403)
        let body = "token=\(token)"
        let type = "application/x-www-form-urlencoded"
        #expect(site.ask("oauth.introspect", body: body, type: type).status == 401)
        #expect(
            site.ask(
                "oauth.introspect",
                ["PERMISSION": "IsAuthenticated"],
                headers: basic("ann"),
                body: body,
                type: type
            ).status == 200
        )
        #expect(site.ask("oauth.revoke", body: body, type: type).status == 401)
        #expect(introspect(token).body.hasPrefix(#"{"active":true"#))
        #expect(revoke(token, by: "ann").status == 200)
    }

    @Test("What is revoked is dead at the next request; what is no token is as good as revoked")
    func revocation() throws {
        let user = try site.user("ann")
        let secret = try site.accounts.issueToken(for: user).1
        for _ in 0..<2 {
            let answer = revoke(secret.text)
            #expect(answer.status == 200)
            #expect(answer.body.isEmpty)
        }
        #expect(site.whoami(["AUTHORIZATION": "Token " + secret.text]) == "")
        for text in ["x", "a.b.c", "pst_x", "%00"] { #expect(revoke(text).status == 200) }
        // A refresh token takes its access tokens with it, an access token goes alone.
        var pair = site.pair()
        #expect(revoke(pair.refresh).status == 200)
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "")
        pair = site.pair()
        #expect(revoke(pair.access).status == 200)
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "")
        #expect(site.ask("jwt.refresh", body: #"{"refresh":"\#(pair.refresh)"}"#).status == 200)
    }

    @Test(
        "A request without a token is refused in RFC 6749's words",
        arguments: ["", "token=", "other=x", "token%00=x"]
    )
    func missing(body: String) {
        for view in ["oauth.introspect", "oauth.revoke"] {
            let answer = site.ask(view, headers: basic("stella"), body: body, type: "application/x-www-form-urlencoded")
            #expect(answer.status == 400)
            #expect(answer["error"] == "invalid_request")
        }
    }
}
