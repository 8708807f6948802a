import Foundation
import Synchronization
import Testing

@testable import Postern

/// Each way in, whether the password is remembered or not, in one process and in four, at each limit: guesses that get
/// a true answer are at most what the limits say.
@Suite("Guesses")
struct GuessTests {
    enum Way: String, CaseIterable {
        case basic, tokenObtain, tokenLogin, jwtObtain, sessionForm, sessionJSON, passwordChange, introspection
    }

    enum Limit: String, CaseIterable {
        case address, login, account
    }

    struct Case: CustomTestStringConvertible {
        let way: Way
        let isRemembered: Bool
        let processes: Int
        let limit: Limit

        static let all = Way.allCases.flatMap { way in
            [false, true].flatMap { isRemembered in
                [1, 4].flatMap { processes in
                    Limit.allCases.map {
                        Case(way: way, isRemembered: isRemembered, processes: processes, limit: $0)
                    }
                }
            }
        }

        var testDescription: String {
            "\(way), \(isRemembered ? "remembered" : "cold"), \(processes) processes, limit of \(limit)"
        }
    }

    private static let allowed = 2
    private static let right = "right"

    /// A user whose hash costs next to nothing, at some processes.
    private final class Target: Sendable {
        let sites: [InProcessSite]
        let token: String

        init(processes: Int) throws {
            let first = try InProcessSite(throttlesFailures: true, hasUsers: false)
            let user = try first.store.addUser(
                try Username("ann".utf8),
                passwordHash: GuessTests.cheapHash,
                isStaff: true
            )
            token = try first.accounts.issueToken(for: user).1.text
            sites = try [first] + (1..<processes).map { _ in try InProcessSite(beside: first) }
        }

        func ask(_ way: Way, _ password: String, _ process: Int, _ rates: String, from address: String) -> Int {
            let site = sites[process % sites.count]
            var location = ["FAILURE_THROTTLE": rates, "REQUIRE_HTTPS": "off"]
            var headers: [String: String] = [:]
            var body = #"{"username":"ann","password":"\#(password)"}"#
            let basic = "Basic " + Base64.encode(Array("ann:\(password)".utf8))
            func ask(_ view: String, _ type: String = "application/json", method: String = "POST") -> Int {
                site.ask(
                    view,
                    location,
                    method: method,
                    headers: headers,
                    body: body,
                    type: type,
                    address: address
                ).status
            }
            switch way {
            case .basic:
                headers["AUTHORIZATION"] = basic
                body = ""
                return ask("whoami", method: "GET")
            case .tokenObtain: return ask("token.obtain")
            case .tokenLogin:
                (location["AUTHENTICATION"], headers["AUTHORIZATION"], body) = ("Basic", basic, "")
                return ask("token.login")
            case .jwtObtain: return ask("jwt.obtain")
            case .sessionForm:
                location["CSRF"] = "origin"
                headers = ["ACCEPT": "text/html", "HOST": "example.org", "ORIGIN": "http://example.org"]
                body = "username=ann&password=\(password)"
                return ask("session.login", "application/x-www-form-urlencoded")
            case .sessionJSON: return ask("session.login")
            case .passwordChange:
                headers["AUTHORIZATION"] = "Token " + token
                // A new password that the rules refuse, so that the old one stays.
                body = #"{"old_password":"\#(password)","new_password":"short"}"#
                return ask("password")
            case .introspection:
                (headers["AUTHORIZATION"], body) = (basic, #"{"token":"x"}"#)
                return ask("oauth.introspect")
            }
        }
    }

    /// The SHA-1 of "right" alone, as `htpasswd -s` writes it.
    private static let cheapHash = "{SHA}0nofEXcSAJSXFLGvmfBIpBb11vQ="

    private static func address(_ limit: Limit, _ number: Int) -> String {
        // Of one network of 24 bits, where the owner is not.
        limit == .account ? "203.0.113.\(number)" : "192.0.2.1"
    }

    @Test(
        "At most as many as the limit says get a true answer, and then not even the right one does",
        arguments: Case.all
    )
    func table(_ tested: Case) throws {
        let target = try Target(processes: tested.processes)
        let rates = "\(tested.limit)=\(Self.allowed)/day"
        let limit = tested.limit
        // Remembered at another address where the account is limited: a known one has a share of its own.
        let home = limit == .account ? "198.51.100.1" : "192.0.2.1"
        if tested.isRemembered {
            for process in 0..<tested.processes {
                #expect(target.ask(.basic, Self.right, process, rates, from: home) == 200)
            }
        }
        // Some one after the other, and many at once.
        let statuses = Mutex<[Int]>([])
        @Sendable func guess(_ number: Int) {
            let status = target.ask(tested.way, "wrong\(number)", number, rates, from: Self.address(limit, number))
            statuses.withLock { $0.append(status) }
        }
        guess(0)
        DispatchQueue.concurrentPerform(iterations: 12) { guess(1 + $0) }
        for number in 13..<16 { guess(number) }
        let all = statuses.withLock { $0 }
        #expect(all.count { $0 != 429 } == Self.allowed, "\(all)")
        #expect(all.allSatisfy { [200, 400, 401, 429].contains($0) }, "\(all)")
        for process in 0..<tested.processes {
            let status = target.ask(tested.way, Self.right, process, rates, from: Self.address(limit, 100 + process))
            #expect(status == 429)
        }
        if limit == .account, tested.isRemembered {
            #expect(target.ask(.basic, Self.right, 0, rates, from: home) == 200)
        }
    }

    @Test("Of twenty thousand guesses by Basic five get a true answer, and the right one among them does not")
    func manyGuesses() throws {
        let target = try Target(processes: 2)
        let rates = "address=30/min login=5/min account=20/15min account=100/day first=40/day"
        for process in 0..<2 { #expect(target.ask(.basic, Self.right, process, rates, from: "192.0.2.1") == 200) }
        let statuses = (0..<20_000).map { number in
            let password = number == 10_000 || number == 19_999 ? Self.right : "wrong\(number)"
            return target.ask(.basic, password, number, rates, from: "192.0.2.1")
        }
        #expect(statuses.count { $0 == 401 } == 5)
        #expect(statuses.count { $0 == 429 } == 19_995)
    }

    @Test("A right password that is remembered is right many times at once, and counts for nothing")
    func remembered() {
        let statuses = Mutex<[Int]>([])
        guard let target = try? Target(processes: 1) else { return }
        let rates = "address=3/day login=2/day account=2/day"
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<50 {
                let status = target.ask(.basic, Self.right, 0, rates, from: "192.0.2.1")
                statuses.withLock { $0.append(status) }
            }
        }
        #expect(statuses.withLock { $0 } == Array(repeating: 200, count: 400))
        #expect(target.ask(.basic, "wrong", 0, rates, from: "192.0.2.1") == 401)
        #expect(target.ask(.basic, Self.right, 0, rates, from: "192.0.2.1") == 200)
    }
}
