import Foundation
import Journal
import Testing

@testable import FastCGI
@testable import Postern

@Suite("One's own password, and the memory for Basic")
struct PasswordViewTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    private func basic(_ password: String = InProcessSite.password, _ name: String = "ann") -> [String: String] {
        ["AUTHORIZATION": "Basic " + Data("\(name):\(password)".utf8).base64EncodedString()]
    }

    private func change(_ old: String, _ new: String, headers: [String: String]) -> InProcessSite.Answer {
        site.ask("password", headers: headers, body: #"{"old_password":"\#(old)","new_password":"\#(new)"}"#)
    }

    @Test("The old one is asked for, and every credential from before is dead")
    func change() throws {
        let token = ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: try site.user("ann")).1.text)]
        let pair = site.pair()
        let session = site.ask("session.login", body: InProcessSite.login("ann")).cookies["sessionid"]!
        #expect(change("wrong", "another horse battery staple", headers: token).body.contains("old_password"))
        #expect(site.whoami(token) == "ann")
        let answer = change(InProcessSite.password, "another horse battery staple", headers: token)
        #expect(answer.status == 200)
        #expect(answer.values("Set-Cookie").isEmpty)
        #expect(!answer.body.contains("horse"))
        #expect(site.whoami(token) == "")
        #expect(site.whoami(InProcessSite.bearer(pair.access)) == "")
        #expect(site.whoami(["COOKIE": "sessionid=" + session]) == "")
        #expect(site.whoami(basic()) == "")
        #expect(site.whoami(basic("another horse battery staple")) == "ann")
        #expect(site.ask("password").status == 401)
    }

    @Test("Rules of new passwords, each with its reason")
    func rules() throws {
        for (password, reason) in [
            ("fourteen chars", "at least 15"), ("passwordpassword", "easy to guess"),
            ("annannannannann", "easy to guess"),
            ("ann1234567890123", "easy to guess"), ("qwertyuiopasdfgh", "easy to guess"),
            ("P@ssw0rd12345678!", "easy to guess"),
            (String(repeating: "a", count: 1025), "more than 1024"),
        ] {
            let answer = change(InProcessSite.password, password, headers: basic())
            #expect(answer.status == 400, "\(password): \(answer.body)")
            #expect(answer.body.contains(reason), "\(password): \(answer.body)")
        }
        for body in ["", "[]", "{}", #"{"old_password":"x"}"#, #"{"old_password":null,"new_password":[]}"#] {
            #expect(site.ask("password", headers: basic(), body: body).status == 400)
        }
        #expect(site.whoami(basic()) == "ann")
    }

    @Test("An account that no password opens has none to change")
    func noPassword() throws {
        let (_, secret) = try site.accounts.addUser(try Username("bot".utf8), password: nil, withToken: true)
        let headers = ["AUTHORIZATION": "Token " + (try #require(secret)).text]
        #expect(change("", "another horse battery staple", headers: headers).status == 400)
        #expect(change("x", "another horse battery staple", headers: headers).status == 400)
    }

    @Test(
        "A password that was right is not hashed again with each request; another is, and so is one of a changed user"
    )
    func memo() throws {
        let known = site.accounts.store.metrics.value
        let metrics = try #require(known)
        var hashes: UInt64 = 0
        func ask(_ password: String, _ name: String = "ann", isRepeated: Bool = true) throws -> Bool {
            let before = metrics[.passwordsHashed]
            defer { hashes += metrics[.passwordsHashed] - before }
            return try site.accounts.user(
                named: Array(name.utf8),
                password: Array(password.utf8),
                isRepeated: isRepeated
            ) != nil
        }
        #expect(try ask(InProcessSite.password))
        #expect(hashes == 1)
        #expect(try ask(InProcessSite.password))
        #expect(hashes == 1)
        #expect(try !ask("wrong"))
        #expect(hashes == 2)
        #expect(try !ask("wrong"))
        #expect(hashes == 3)
        let user = try site.user("ann")
        try site.store.revokeAll(of: user.id)
        #expect(try ask(InProcessSite.password))
        #expect(hashes == 4)
        try site.accounts.setPassword(of: user, to: Array("another horse battery staple".utf8))
        #expect(try !ask(InProcessSite.password))
        #expect(hashes == 5)
        #expect(try ask("another horse battery staple"))
        #expect(hashes == 6)
        try site.store.setActive(user.id, false)
        #expect(try !ask("another horse battery staple"))
        #expect(hashes == 7)
        // A login is asked for each time.
        for _ in 0..<2 {
            #expect(try ask(InProcessSite.password, "stella", isRepeated: false))
        }
        #expect(hashes == 9)
    }

    @Test("What is remembered ends after a minute, and says nothing of another process")
    func memoEnds() throws {
        let user = try site.user("ann")
        let (memo, other) = (PasswordMemo(), PasswordMemo())
        let now = site.store.now()
        memo.remember([1, 2], of: user, at: now)
        #expect(memo.verdict(on: [1, 2], of: user, at: now.adding(seconds: 59)) == true)
        #expect(memo.verdict(on: [1, 2], of: user, at: now.adding(seconds: 60)) == nil)
        for other: [UInt8] in [[1], [1, 2, 0]] { #expect(memo.verdict(on: other, of: user, at: now) == false) }
        #expect(other.verdict(on: [1, 2], of: user, at: now) == nil)
    }
}
