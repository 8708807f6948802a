import FastCGI
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Postern

@Suite("The way of a request", .randomized)
struct ApplicationTests {
    private let temporary: TemporaryStore
    private let accounts: Accounts
    private let application: Application
    private let token: String

    init() throws {
        temporary = try TemporaryStore()
        accounts = Accounts(store: temporary.store)
        let (_, secret) = try accounts.addUser(try Username("ann".utf8), password: nil, withToken: true)
        token = try #require(secret).text
        var views = ViewRegistry(accounts: accounts)
        views.register("waiting") { _ in WaitingView() }
        application = Application(
            accounts: accounts,
            views: views,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private func ask(_ parameters: [(String, String)], method: String = "GET", body: String = "") -> String {
        let all = [("REQUEST_METHOD", method), ("REMOTE_ADDR", "127.0.0.1")] + parameters
        let request = FastCGI.Request(
            parameters: Parameters(all.map { ($0.0, Array($0.1.utf8)) }),
            body: Array(body.utf8)
        )
        return String(decoding: application.respond(to: request).bytes, as: UTF8.self)
    }

    private var authorization: (String, String) { ("HTTP_AUTHORIZATION", "Token \(token)") }

    @Test("A view of one's own is found by its name, and asked under its policy")
    func ownView() {
        #expect(ask([("POSTERN_VIEW", "waiting")]).hasPrefix("Status: 401 "))
        #expect(ask([("POSTERN_VIEW", "waiting"), authorization]).hasSuffix(#"{"hello":"ann"}"#))
        #expect(ask([("POSTERN_VIEW", "waiting"), authorization], method: "POST").hasPrefix("Status: 405 "))
    }

    @Test("The same texts in another order, or cut elsewhere, are another policy")
    func policies() {
        let message = [("POSTERN_VIEW", "message"), ("POSTERN_PERMISSION", "AllowAny")]
        for round in 0..<3 {
            #expect(ask(message + [("POSTERN_MESSAGE", "a")]).hasSuffix(#"{"message":"a"}"#), "round \(round)")
            #expect(ask([("POSTERN_MESSAGE", "b")] + message).hasSuffix(#"{"message":"b"}"#))
            #expect(ask(message + [("POSTERN_MESSAGE", "a"), ("POSTERN_REALM", "x")]).hasSuffix(#"{"message":"a"}"#))
            #expect(ask(message + [("POSTERN_MESSAGE", "a"), ("POSTERN_MESSAGE", "a")]).hasPrefix("Status: 500 "))
            #expect(ask(message + [("POSTERN_MESSAGEa", "")]).hasPrefix("Status: 500 "))
        }
    }

    @Test("More policies than are remembered are judged just as well")
    func manyPolicies() {
        for number in 0..<2000 {
            let answer = ask([
                ("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "\(number)"),
                ("POSTERN_PERMISSION", number % 2 == 0 ? "AllowAny" : "IsAdminUser"),
            ])
            #expect(answer.hasPrefix(number % 2 == 0 ? "Status: 200 " : "Status: 401 "))
        }
    }

    @Test("No mutation of a policy's text lets in whom the text keeps out")
    func mutatedPolicies() {
        let texts = ["message", "Token Basic", "IsAdminUser", "api", "Token", "on", "GET POST"]
        let names = ["VIEW", "AUTHENTICATION", "PERMISSION", "REALM", "TOKEN_KEYWORD", "REQUIRE_HTTPS", "METHODS"]
        var generator = seeded
        for _ in 0..<20_000 {
            var (names, values) = (names.map { Array($0.utf8) }, texts.map { Array($0.utf8) })
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let position = Int.random(in: 0..<names.count, using: &generator)
                if Bool.random(using: &generator) {
                    mutate(&values[position], &generator)
                } else {
                    mutate(&names[position], &generator)
                }
            }
            let parameters = zip(names, values).map {
                ("POSTERN_" + String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self))
            }
            #expect(!ask([("POSTERN_MESSAGE", "in")] + parameters).hasPrefix("Status: 2"))
            #expect(!ask([("POSTERN_MESSAGE", "in"), authorization] + parameters).hasPrefix("Status: 2"))
        }
    }

    /// Any but `~`, which is the one sign that says the contrary.
    private func sign(_ generator: inout SeededGenerator) -> UInt8 {
        UInt8.random(in: 0x20..<0x7E, using: &generator)
    }

    private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        switch Int.random(in: 0..<3, using: &generator) {
        case 0:
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = sign(&generator)
        case 1 where bytes.count > 1: bytes.remove(at: Int.random(in: 0..<bytes.count, using: &generator))
        default:
            bytes.insert(
                sign(&generator),
                at: Int.random(in: 0...bytes.count, using: &generator)
            )
        }
    }

    @Test("A location may answer nobody with 401 and every challenge, whatever comes first")
    func unauthenticated() throws {
        let site = try InProcessSite()
        func ask(_ location: [String: String], _ headers: [String: String] = [:]) -> InProcessSite.Answer {
            site.ask("whoami", location, method: "GET", headers: headers)
        }
        let session = ["AUTHENTICATION": "Session Token Basic"]
        #expect(ask(session).status == 403)
        #expect(ask(session).values("WWW-Authenticate").isEmpty)
        let always = session.merging(["UNAUTHENTICATED": "401"]) { $1 }
        for headers in [[:], ["AUTHORIZATION": "Token x"]] {
            let answer = ask(always, headers)
            #expect(answer.status == 401)
            #expect(answer.values("WWW-Authenticate") == ["Session", "Token", "Basic realm=\"api\""])
        }
        // Who is known is refused for good, and where nobody is asked for, nobody is.
        let token = try site.accounts.issueToken(for: try site.user("ann")).1.text
        #expect(
            ask(always.merging(["PERMISSION": "IsAdminUser"]) { $1 }, ["AUTHORIZATION": "Token " + token]).status == 403
        )
        #expect(ask(["AUTHENTICATION": "None", "UNAUTHENTICATED": "401"]).status == 403)
        #expect(ask(["UNAUTHENTICATED": "403"]).status == 500)
    }

    @Test("A location may take a bad credential for none; who needs a good one still needs it")
    func badCredentials() throws {
        let site = try InProcessSite(lookInterval: 0)
        let token = try site.accounts.issueToken(for: try site.user("ann")).1.text
        let session = site.ask("session.login", body: InProcessSite.login("ann")).cookies["sessionid"]!
        func ask(_ location: [String: String], _ headers: [String: String], method: String = "GET")
            -> InProcessSite.Answer
        {
            let message = ["MESSAGE": "x", "METHODS": "GET POST"].merging(location) { $1 }
            return site.ask("message", message, method: method, headers: headers)
        }
        let bad = [
            ["AUTHORIZATION": "Token x"], ["AUTHORIZATION": "Bearer x.y.z"], ["AUTHORIZATION": "Basic x"],
            ["AUTHORIZATION": "Token a b"],
        ]
        for headers in bad {
            #expect(ask(["PERMISSION": "AllowAny"], headers).status == 401)
            #expect(ask(["PERMISSION": "AllowAny", "BAD_CREDENTIAL": "ignore"], headers).status == 200)
            let refused = ask(["BAD_CREDENTIAL": "ignore"], headers)
            #expect(refused.status == 401)
            #expect(refused.body.contains("credentials were not provided"))
        }
        // A session that cannot prove that its page sent the request is nobody's, and does not hide a good token.
        let location = ["AUTHENTICATION": "Session Token", "BAD_CREDENTIAL": "ignore"]
        let cookie = ["COOKIE": "sessionid=" + session]
        #expect(ask(location, cookie, method: "POST").status == 403)
        #expect(ask(location, cookie.merging(["AUTHORIZATION": "Token " + token]) { $1 }, method: "POST").status == 200)
        #expect(ask(location, cookie).status == 200)
        // What cannot be judged is not ignored.
        try FileManager.default.removeItem(atPath: site.temporary.path + "/tokens")
        #expect(
            ask(["PERMISSION": "AllowAny", "BAD_CREDENTIAL": "ignore"], ["AUTHORIZATION": "Token " + token]).status
                == 503
        )
        #expect(ask(["BAD_CREDENTIAL": "Ignore"], [:]).status == 500)
    }

    @Test("The log says of a client that is nobody whether a credential reached us, and not which")
    func explanations() throws {
        let site = try InProcessSite()
        let lines = Lines()
        let application = Application(
            accounts: site.accounts,
            logger: Logger(label: "test") { _ in LineHandler(lines: lines) }
        )
        func log(_ parameters: [(String, String)]) -> String {
            let all =
                [("REQUEST_METHOD", "GET"), ("REMOTE_ADDR", "127.0.0.1"), ("POSTERN_VIEW", "whoami")] + parameters
            _ = application.respond(to: Request(parameters: Parameters(all.map { ($0.0, Array($0.1.utf8)) })))
            return lines.all.withLock { $0.last ?? "" }
        }
        #expect(log([]).contains("Neither Authorization nor Cookie reached Postern"))
        let digest = log([("HTTP_AUTHORIZATION", "Digest canary")])
        #expect(digest.contains("Authorization, is none of the location's schemes"))
        #expect(!digest.contains("canary"))
        #expect(log([("HTTP_COOKIE", "canary=1")]).contains("Cookie, is none of"))
        #expect(!log([("HTTP_AUTHORIZATION", "Token x")]).contains("reached"))
    }

    @Test("Errors that clients cause get ten lines a minute of a kind, and one that says how many were left out")
    func boundedErrors() throws {
        let lines = Lines()
        var handler = LineHandler(lines: lines)
        handler.logLevel = .error
        let site = try InProcessSite(logger: Logger(label: "test") { [handler] _ in handler }, lookInterval: 0)
        let token = ["AUTHORIZATION": "Token " + TokenSecret.random().text]
        try FileManager.default.removeItem(atPath: site.temporary.path + "/tokens")
        for number in 0..<500 {
            let answer = site.ask("whoami", method: "GET", headers: token, more: [("REQUEST_URI", "/\(number)")])
            #expect(answer.status == 503)
        }
        for _ in 0..<20 { #expect(site.ask("whoami", ["BAD_CREDENTIAL": "Ignore"]).status == 500) }
        #expect(lines.all.withLock { $0.count } == 20)
        site.application.tellLeftOut()
        let told = lines.all.withLock { $0.dropFirst(20).sorted() }
        #expect(told.count == 2)
        #expect(told.first?.hasPrefix("left out 10 more like: answered 500: ") ?? false, "\(told)")
        #expect(told.last?.hasPrefix("left out 490 more like: answered 503: ") ?? false, "\(told)")
        #expect(told.allSatisfy { !$0.contains("postern_") })
    }

    @Test("A login without fields, or with a body of another length than announced, is 400")
    func badLogin() throws {
        #expect(
            ask(
                [("POSTERN_VIEW", "token.obtain"), ("CONTENT_TYPE", "application/json"), ("CONTENT_LENGTH", "2")],
                method: "POST",
                body: "{}"
            ).hasPrefix("Status: 400 ")
        )
        #expect(
            ask([("POSTERN_VIEW", "token.obtain"), ("CONTENT_LENGTH", "3")], method: "POST", body: "{}").hasPrefix(
                "Status: 400 "
            )
        )
    }
}

/// An engineer's own view.
private struct WaitingView: APIView {
    let name = "Waiting"
    let methods: [Postern.Method] = [.get]

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        try request.willWait()
        return APIResponse(.object([("hello", .string(request.user?.username.description ?? ""))]))
    }
}

/// What was logged.
private final class Lines: Sendable {
    let all = Mutex<[String]>([])
}

private struct LineHandler: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.all.withLock { $0.append("\(event.message)") } }
}
