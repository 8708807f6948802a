import FastCGI
import Foundation
import Logging

@testable import Postern

/// Postern without a web server: a store with two users, and requests that are answered at once.
final class InProcessSite: Sendable {
    let temporary: TemporaryStore
    let accounts: Accounts
    let application: Application
    private let throttlesFailures: Bool

    static let password = "correct horse battery staple"

    var store: Store { temporary.store }

    /// - Parameters:
    ///   - throttlesFailures: Whether a location that does not say throttles what is refused, as it really does.
    ///   - audit: Gets what is refused, and what happens to the users.
    ///   - logger: nil: nobody reads what is logged.
    ///   - hasUsers: Whether there are `ann` and `stella`, both with ``password``.
    init(
        throttlesFailures: Bool = false,
        audit: AuditLog? = nil,
        logger: Logger? = nil,
        lookInterval: Int64 = 10,
        hasUsers: Bool = true
    ) throws {
        self.throttlesFailures = throttlesFailures
        temporary = try TemporaryStore(lookInterval: lookInterval)
        accounts = Accounts(store: temporary.store)
        application = Application(accounts: accounts, logger: logger ?? Self.silent, audit: audit)
        guard hasUsers else { return }
        try addUser("ann")
        try addUser("stella", isStaff: true)
    }

    /// What another process on the same store would be.
    init(beside other: InProcessSite) throws {
        throttlesFailures = other.throttlesFailures
        temporary = other.temporary
        accounts = Accounts(store: try other.temporary.reopened())
        application = Application(accounts: accounts, logger: Self.silent)
    }

    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Of ``password``: one for all sites, for making it takes long.
    private static let hash = Result { try PasswordHasher().hash(Array(password.utf8)) }

    @discardableResult
    func addUser(_ name: String, isStaff: Bool = false) throws -> User {
        let user = try store.addUser(Username(new: Array(name.utf8)), passwordHash: Self.hash.get(), isStaff: isStaff)
        accounts.signals.send(.userCreated(user), for: nil)
        return user
    }

    func user(_ name: String) throws -> User {
        guard let user = try store.user(named: try Username(name.utf8)) else { throw StoreError.noSuchUser }
        return user
    }

    struct Answer {
        let status: Int
        let fields: [(name: String, value: String)]
        let body: String

        func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

        /// The values of the cookies that it sets, without attributes.
        var cookies: [String: String] {
            let pairs = values("Set-Cookie").map { $0.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1) }
            return Dictionary(pairs.map { (String($0[0]), $0.count > 1 ? String($0[1]) : "") }) { $1 }
        }

        /// A text member of the body, empty where there is none.
        subscript(name: String) -> String {
            JSONObject(Array(body.utf8))?.string(name) ?? ""
        }
    }

    /// - Parameters:
    ///   - location: Parameters without `POSTERN_`.
    ///   - headers: Parameters without `HTTP_`.
    ///   - body: JSON, unless `type` says otherwise; or else `bytes`.
    func ask(
        _ view: String,
        _ location: [String: String] = [:],
        method: String = "POST",
        headers: [String: String] = [:],
        body: String = "",
        bytes: [UInt8]? = nil,
        type: String = "application/json",
        more: [(String, String)] = [],
        address: String = "127.0.0.1",
        role: Role = .responder
    ) -> Answer {
        let bytes = bytes ?? Array(body.utf8)
        var parameters = [("REQUEST_METHOD", method), ("REMOTE_ADDR", address), ("POSTERN_VIEW", view)] + more
        parameters += location.map { ("POSTERN_" + $0.key, $0.value) }
        if !throttlesFailures, location["FAILURE_THROTTLE"] == nil {
            parameters.append(("POSTERN_FAILURE_THROTTLE", "off"))
        }
        parameters += headers.map { ("HTTP_" + $0.key, $0.value) }
        // As every web server says it; the gate wants to know.
        if !more.contains(where: { $0.0 == "REQUEST_URI" }) {
            parameters.append(("REQUEST_URI", more.first { $0.0 == "DOCUMENT_URI" }?.1 ?? "/"))
        }
        if !bytes.isEmpty { parameters.append(("CONTENT_TYPE", type)) }
        let request = FastCGI.Request(
            role: role,
            parameters: Parameters(parameters.map { ($0.0, Array($0.1.utf8)) }),
            body: bytes
        )
        let text = String(decoding: application.respond(to: request).bytes, as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n")
        let lines = parts[0].components(separatedBy: "\r\n").map { $0.components(separatedBy: ": ") }
        return Answer(
            status: Int(lines[0][1].prefix(3)) ?? 0,
            fields: lines.dropFirst().map { ($0[0], $0.dropFirst().joined(separator: ": ")) },
            body: parts.dropFirst().joined(separator: "\r\n\r\n")
        )
    }

    /// A login by `jwt.obtain`.
    func pair(_ name: String = "ann", _ location: [String: String] = [:]) -> (access: String, refresh: String) {
        let answer = ask("jwt.obtain", location, body: Self.login(name))
        return (answer["access"], answer["refresh"])
    }

    /// Who `whoami` says that somebody is; empty for nobody.
    func whoami(_ headers: [String: String], _ location: [String: String] = [:]) -> String {
        let location = location.merging(["PERMISSION": "AllowAny"]) { $1 }
        return ask("whoami", location, method: "GET", headers: headers)["username"]
    }

    static func login(_ name: String) -> String { #"{"username":"\#(name)","password":"\#(password)"}"# }

    static func bearer(_ token: String) -> [String: String] { ["AUTHORIZATION": "Bearer " + token] }
}
