import FastCGI
import Logging
import Synchronization
import Testing

@testable import Postern

@Suite("The way of a request")
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
        var generator = SystemRandomNumberGenerator()
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

    private func mutate(_ bytes: inout [UInt8], _ generator: inout SystemRandomNumberGenerator) {
        switch Int.random(in: 0..<3, using: &generator) {
        case 0:
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0x20..<0x7F, using: &generator)
        case 1 where bytes.count > 1: bytes.remove(at: Int.random(in: 0..<bytes.count, using: &generator))
        default:
            bytes.insert(
                UInt8.random(in: 0x20..<0x7F, using: &generator),
                at: Int.random(in: 0...bytes.count, using: &generator)
            )
        }
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
        request.willWait()
        return APIResponse(.object([("hello", .string(request.user?.username.description ?? ""))]))
    }
}
