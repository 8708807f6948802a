import FastCGI
import Foundation
import Logging
import TestSupport
import Testing

@testable import Postern

@Suite("Permission expressions", .randomized)
struct PermissionExpressionTests {
    /// Classes `A` to `D`, of which each says what its letter says in the query.
    private struct Letter: Permission {
        let letter: UInt8
        func allows(_ request: APIRequest) -> Bool { request.query.contains(letter) }
    }

    private static let registry: PermissionRegistry = {
        var registry = PermissionRegistry()
        for letter in "ABCD" { registry.register(String(letter), Letter(letter: letter.asciiValue ?? 0)) }
        registry.register("With") { arguments in
            guard arguments.count == 2 else { throw PermissionArgumentError("wants two arguments") }
            return Letter(letter: arguments[1].utf8.first ?? 0)
        }
        return registry
    }()

    private static func request(_ letters: String) throws -> APIRequest {
        try APIRequest(
            Request(
                parameters: Parameters([
                    ("REQUEST_METHOD", Array("GET".utf8)), ("QUERY_STRING", Array(letters.utf8)),
                ])
            )
        )
    }

    private static func allows(_ text: String, _ letters: String) throws -> Bool {
        try PermissionParser.parse(text, registry).allows(try request(letters))
    }

    @Test("Operators bind as in DRF: ~ before &, & before |")
    func precedence() throws {
        #expect(try Self.allows("A | B & C", "A"))
        #expect(try Self.allows("(A | B) & C", "A") == false)
        #expect(try Self.allows("~A & B", "B"))
        #expect(try Self.allows("~(A & B)", "B"))
        #expect(try Self.allows("~A | B", "AB"))
        #expect(try Self.allows("~(A | B)", "AB") == false)
        #expect(try Self.allows("  ~ ~A&B|  C ", "AB"))
        #expect(try Self.allows("With('x', 'B')", "B"))
        #expect(try Self.allows("With( 'x' ,'B' )&~With('','C')", "BC") == false)
        #expect(try Self.allows("A()", "A"))
    }

    /// An expression with what it is meant to say, made together and judged apart.
    private indirect enum Tree {
        case letter(Character)
        case not(Tree)
        case and(Tree, Tree)
        case or(Tree, Tree)

        static func random(_ depth: Int, _ generator: inout some RandomNumberGenerator) -> Tree {
            switch depth == 0 ? 0 : Int.random(in: 0..<4, using: &generator) {
            case 1: .not(random(depth - 1, &generator))
            case 2: .and(random(depth - 1, &generator), random(depth - 1, &generator))
            case 3: .or(random(depth - 1, &generator), random(depth - 1, &generator))
            default: .letter("ABCD".randomElement(using: &generator) ?? "A")
            }
        }

        func value(_ letters: String) -> Bool {
            switch self {
            case .letter(let letter): letters.contains(letter)
            case .not(let tree): !tree.value(letters)
            case .and(let left, let right): left.value(letters) && right.value(letters)
            case .or(let left, let right): left.value(letters) || right.value(letters)
            }
        }

        /// With no parenthesis that the rules of precedence make superfluous, and spaces here and there.
        func text(_ outer: Int, _ generator: inout some RandomNumberGenerator) -> String {
            let space = Bool.random(using: &generator) ? " " : ""
            let (own, text) =
                switch self {
                case .letter(let letter): (3, String(letter))
                case .not(let tree): (2, "~" + space + tree.text(2, &generator))
                case .and(let left, let right): (1, left.text(1, &generator) + space + "&" + right.text(2, &generator))
                case .or(let left, let right): (0, left.text(0, &generator) + "|" + space + right.text(1, &generator))
                }
            return own < outer ? "(" + text + space + ")" : text
        }
    }

    @Test("Ten thousand expressions say what another evaluator says")
    func evaluator() throws {
        var generator = seeded
        for _ in 0..<10_000 {
            let tree = Tree.random(Int.random(in: 0...4, using: &generator), &generator)
            let text = tree.text(0, &generator)
            let letters = "ABCD".filter { _ in Bool.random(using: &generator) }
            #expect(try Self.allows(text, letters) == tree.value(letters), "\(text) of \(letters)")
        }
    }

    @Test(
        "What makes no sense is refused, at its column",
        arguments: [
            ("", 1), (" ", 2), ("A B", 3), ("A &", 4), ("& A", 1), ("A | | B", 5), ("(A", 3), ("A)", 2), ("()", 2),
            ("~", 2), ("a", 1), ("A & Nope | B", 5),
            ("AllowAny('x')", 1), ("A | With('x')", 5), ("With('x'", 9), ("With('x", 6), ("With(x)", 6),
            ("With('a' 'b')", 10), ("With('a',)", 10), ("IsAuthenticated,IsAdminUser", 16),
            ("IsAuthenticated and IsAdminUser", 17), ("A && B", 4), ("!A", 1), ("not A", 1), ("Ａ", 1), ("A & é", 5),
            ("A\t& B", 2),
        ]
    )
    func errors(text: String, column: Int) {
        #expect { try PermissionParser.parse(text, Self.registry) } throws: {
            ($0 as? PermissionError)?.column == column
        }
    }

    @Test("Long ones have a limit, and no text is a crash")
    func limits() throws {
        for text in [
            String(repeating: "(", count: 100_000), String(repeating: "~", count: 100_000) + "A",
            "A" + String(repeating: "&A", count: 100_000),
            String(repeating: "(A|", count: 500) + "A" + String(repeating: ")", count: 500),
        ] {
            #expect(throws: PermissionError.self) { try PermissionParser.parse(text, Self.registry) }
        }
        #expect(try Self.allows("A" + String(repeating: "&A", count: 100), "A"))
        var generator = seeded
        let parts = ["A", "B", "(", ")", "&", "|", "~", " ", "With('x','A')", "'", ",", "é", "\0", "AllowAny", "_"]
        for _ in 0..<50_000 {
            let text = (0..<Int.random(in: 0..<12, using: &generator)).map { _ in
                parts.randomElement(using: &generator) ?? ""
            }.joined()
            _ = try? PermissionParser.parse(text, Self.registry)
        }
    }

    @Test("A location lets in whom its expression names, by our classes, one's own, and one's own authenticator")
    func location() throws {
        let site = try InProcessSite()
        let basic = ["AUTHORIZATION": "Basic " + Data("ann:\(InProcessSite.password)".utf8).base64EncodedString()]
        let token = ["AUTHORIZATION": "Token " + (try site.accounts.issueToken(for: try site.user("ann")).1.text)]
        func status(_ expression: String, _ headers: [String: String], method: String = "GET") -> Int {
            site.ask(
                "message",
                ["MESSAGE": "x", "METHODS": "GET POST", "PERMISSION": expression],
                method: method,
                headers: headers
            ).status
        }
        #expect(status("AuthenticatedWith('Token')", token) == 200)
        #expect(status("AuthenticatedWith('Token')", basic) == 403)
        #expect(status("AuthenticatedWith('JWT', 'Basic')", basic) == 200)
        #expect(status("AuthenticatedWith('Token')", [:]) == 401)
        #expect(status("ReadOnly | IsAdminUser", [:]) == 200)
        #expect(status("ReadOnly | IsAdminUser", token, method: "POST") == 403)
        #expect(status("DenyAll", token) == 403)
        #expect(status("IsSuperuser", token) == 403)
        try site.store.grant(try site.user("ann").id, superuser: true)
        #expect(status("IsSuperuser & ~IsAdminUser", token) == 200)
        for text in [
            "~AuthenticatedWith('jwt')", "~AuthenticatedWith('TokenAuthentication')", "~AuthenticatedWith",
            "AllowAny |", "IsAuthenticated IsAdminUser",
        ] {
            #expect(status(text, token) == 500, "\(text)")
        }

        var authenticators = AuthenticatorRegistry(accounts: site.accounts)
        let ann = try site.user("ann")
        authenticators.register("Badge") { _ in Badge(user: ann) }
        let application = Application(
            accounts: site.accounts,
            authenticators: authenticators,
            permissions: Self.registry,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        func answer(_ query: String) -> String {
            let parameters = [
                ("REQUEST_METHOD", "GET"), ("REMOTE_ADDR", "127.0.0.1"), ("POSTERN_VIEW", "whoami"),
                ("QUERY_STRING", query),
                ("POSTERN_AUTHENTICATION", "Badge"), ("POSTERN_PERMISSION", "AuthenticatedWith('Badge') & B"),
            ]
            let request = Request(parameters: Parameters(parameters.map { ($0.0, Array($0.1.utf8)) }))
            return String(decoding: application.respond(to: request).bytes, as: UTF8.self)
        }
        #expect(answer("badge=B").contains(#""username":"ann""#))
        #expect(answer("badge").hasPrefix("Status: 403 "))
        #expect(answer("B").hasPrefix("Status: 403 "))
    }

    /// An engineer's own authenticator.
    private struct Badge: Authenticator {
        let scheme = "Badge"
        let challenge: String? = nil
        let user: User

        func authenticate(_ request: APIRequest) throws(APIError) -> Identity? {
            request.query.starts(with: "badge".utf8) ? Identity(user, by: .password) : nil
        }
    }
}
