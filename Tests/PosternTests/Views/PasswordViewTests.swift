import Foundation
import Journal
import Testing

@testable import FastCGI
@testable import Postern

@Suite("One's own password, and the memory for Basic")
struct PasswordViewTests {
    private let gate: Gate

    init() throws { gate = try Gate() }

    private func basic(_ password: String = Gate.password, _ name: String = "ann") -> [String: String] {
        ["AUTHORIZATION": "Basic " + Data("\(name):\(password)".utf8).base64EncodedString()]
    }

    private func change(_ old: String, _ new: String, headers: [String: String]) -> Gate.Answer {
        gate.ask("password", headers: headers, body: #"{"old_password":"\#(old)","new_password":"\#(new)"}"#)
    }

    @Test("The old one is asked for, and every credential from before is dead")
    func change() throws {
        let token = ["AUTHORIZATION": "Token " + (try gate.accounts.issueToken(for: try gate.user("ann")).1.text)]
        let pair = gate.pair()
        let session = gate.ask("session.login", body: Gate.login("ann")).cookies["sessionid"]!
        #expect(change("wrong", "another horse battery staple", headers: token).body.contains("old_password"))
        #expect(gate.whoami(token) == "ann")
        let answer = change(Gate.password, "another horse battery staple", headers: token)
        #expect(answer.status == 200 && answer.values("Set-Cookie").isEmpty && !answer.body.contains("horse"))
        #expect(
            gate.whoami(token) == "" && gate.whoami(Gate.bearer(pair.access)) == ""
                && gate.whoami(["COOKIE": "sessionid=" + session]) == ""
        )
        #expect(gate.whoami(basic()) == "" && gate.whoami(basic("another horse battery staple")) == "ann")
        #expect(gate.ask("password").status == 401)
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
            let answer = change(Gate.password, password, headers: basic())
            #expect(answer.status == 400 && answer.body.contains(reason), "\(password): \(answer.body)")
        }
        for body in ["", "[]", "{}", #"{"old_password":"x"}"#, #"{"old_password":null,"new_password":[]}"#] {
            #expect(gate.ask("password", headers: basic(), body: body).status == 400)
        }
        #expect(gate.whoami(basic()) == "ann")
    }

    @Test("An account that no password opens has none to change")
    func noPassword() throws {
        let (_, secret) = try gate.accounts.addUser(try Username("bot".utf8), password: nil, withToken: true)
        let headers = ["AUTHORIZATION": "Token " + (try #require(secret)).text]
        #expect(change("", "another horse battery staple", headers: headers).status == 400)
        #expect(change("x", "another horse battery staple", headers: headers).status == 400)
    }

    @Test(
        "A password that was right is not hashed again with each request; another is, and so is one of a changed user"
    )
    func memo() throws {
        let known = gate.accounts.store.metrics.value
        let metrics = try #require(known)
        var hashes: UInt64 = 0
        func ask(_ password: String, _ name: String = "ann", isRepeated: Bool = true) throws -> Bool {
            let before = metrics[.passwordsHashed]
            defer { hashes += metrics[.passwordsHashed] - before }
            return try gate.accounts.user(
                named: Array(name.utf8),
                password: Array(password.utf8),
                isRepeated: isRepeated
            ) != nil
        }
        #expect(try ask(Gate.password) && hashes == 1)
        #expect(try ask(Gate.password) && hashes == 1)
        #expect(try !ask("wrong") && hashes == 2)
        #expect(try !ask("wrong") && hashes == 3)
        let user = try gate.user("ann")
        try gate.store.revokeAll(of: user.id)
        #expect(try ask(Gate.password) && hashes == 4)
        try gate.accounts.setPassword(of: user, to: Array("another horse battery staple".utf8))
        #expect(try !ask(Gate.password) && hashes == 5)
        #expect(try ask("another horse battery staple") && hashes == 6)
        try gate.store.setActive(user.id, false)
        #expect(try !ask("another horse battery staple") && hashes == 7)
        // A login is asked for each time.
        for _ in 0..<2 {
            #expect(try ask(Gate.password, "stella", isRepeated: false))
        }
        #expect(hashes == 9)
    }

    @Test("What is remembered ends after a minute, and says nothing of another process")
    func memoEnds() throws {
        let user = try gate.user("ann")
        let (memo, other) = (PasswordMemo(), PasswordMemo())
        let now = gate.store.now()
        memo.remember([1, 2], of: user, at: now)
        #expect(memo.verdict(on: [1, 2], of: user, at: now.adding(seconds: 59)) == true)
        #expect(memo.verdict(on: [1, 2], of: user, at: now.adding(seconds: 60)) == nil)
        for other: [UInt8] in [[1], [1, 2, 0]] { #expect(memo.verdict(on: other, of: user, at: now) == false) }
        #expect(other.verdict(on: [1, 2], of: user, at: now) == nil)
    }
}
