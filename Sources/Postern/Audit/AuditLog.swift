internal import Journal
internal import Synchronization

/// Tells of logins, of what was done to users and tokens, and of whom was refused: a line an event, written before the
/// client has its answer.
///
/// No secret is in it. A name that somebody typed at a login is in it only where it is a user's: people type passwords
/// into the wrong field.
///
/// How much it grows is limited. Wrong passwords are limited by the location's failure throttle. Of the refusals of one
/// address, or of one network of 64 bits of IPv6, thirty a minute are written, and five more of those that were throttled, by
/// all processes together; of a network of 48 bits of IPv6 four times as many. What is left out is counted in the
/// metrics, and a minute later a line `left-out` of each process says how many there were of the address.
public final class AuditLog: Sendable {
    /// As many as the failure throttle lets credentials of one address be refused.
    private static let refusals = scopes("audit", "30/min")
    /// Of credentials that were not looked at any more.
    private static let throttled = scopes("audit-throttled", "5/min")
    /// Addresses and reasons in a minute of which it is told how many refusals were left out; of the others, in one number.
    private static let leftOutCapacity = 256

    private let output: LogOutput
    private let leftOut: LineLimit<LeftOut>
    private let metrics = WriteOnce<Metrics>()

    private struct LeftOut: Hashable {
        let address: String
        let reason: String
    }

    public init(to output: LogOutput) {
        self.output = output
        leftOut = LineLimit(limit: 0, capacity: Self.leftOutCapacity) { kind, count in
            let line = Self.line(leftOut: count, kind?.reason ?? "-", kind?.address ?? "-")
            output.write(line.bytes(at: .now(), output.format))
        }
    }

    private static func scopes(_ name: String, _ rate: String) -> [(client: ThrottleScope, site: ThrottleScope?)] {
        ThrottleRate(rate).map { ThrottleScope(name, $0) }.map { [($0, $0.widened(by: 4, name + ":site"))] } ?? []
    }

    /// Tells of the refusals that were left out until now.
    public func tellLeftOut() { leftOut.tell() }

    /// Tells of what happens to the users and tokens of `accounts` from now on.
    func follow(_ accounts: Accounts, _ metrics: Metrics?) {
        if let metrics { _ = self.metrics.put(metrics) }
        accounts.signals.connect { [weak self, store = accounts.store] signal, origin in
            guard let self, output.isOpen, let line = Self.line(signal, origin, store) else { return }
            write(line)
        }
    }

    /// Tells of a refusal, where it is about who asks.
    ///
    /// - Parameter counters: In which lines are counted; nil: in none.
    func note(_ error: APIError, _ request: APIRequest, by counters: CounterTable?) {
        let refusal = error.refusal
        // Who presents nothing is nobody worth a line.
        guard output.isOpen, refusal.isAudited, refusal != .permissionDenied || request.user != nil else { return }
        if let counters, !Self.admits(refusal, ClientAddress(request), counters) {
            metrics.value?.count(.auditLinesLeftOut)
            leftOut.leaveOut(LeftOut(address: Origin.address(of: request), reason: refusal.name))
            return
        }
        write(Self.line("refused", [("reason", refusal.name)], Origin(request)))
    }

    private static func admits(_ refusal: Refusal, _ client: ClientAddress, _ counters: CounterTable) -> Bool {
        let now = counters.now()
        func take(_ scope: ThrottleScope, _ key: CounterKey) -> Bool {
            counters.withCounter(key, now: now) { scope.take(&$0, now: now) }.isAllowed
        }
        return (refusal == .tooManyFailures ? throttled : refusals).allSatisfy { scope, site in
            guard take(scope, client.key(scope.id)) else { return false }
            guard let site, let key = client.siteKey(site.id) else { return true }
            return take(site, key)
        }
    }

    /// Tells of a command that changes the store and has ended.
    ///
    /// - Parameters:
    ///   - arguments: As they were typed, in which there is no secret.
    ///   - status: Its exit code. With another than 0 it has done nothing, or part of it.
    ///   - user: The id of the system's user who ran it.
    ///   - login: Of who had logged in; nil where the system does not say.
    /// - Returns: Whether the line was written.
    public func note(command arguments: [String], status: Int32, user: UInt32, login: UInt32?) -> Bool {
        let text = arguments.map { $0.contains(" ") || $0.isEmpty ? "'\($0)'" : $0 }.joined(separator: " ")
        let who = [("status", String(status)), ("uid", String(user)), ("login", login.map { String($0) } ?? "-")]
        var line = Self.line("command", who, Origin(nil))
        line.fields.insert(("arguments", .foreign(Array(text.utf8)[...])), at: 1)
        return write(line)
    }

    @discardableResult
    private func write(_ line: AuditLine) -> Bool {
        let isWritten = output.write(line.bytes(at: .now(), output.format))
        metrics.value?.count(isWritten ? .auditLines : .auditLinesFailed)
        return isWritten
    }

    // MARK: What lines say

    private static func line(_ signal: Signal, _ origin: Origin, _ store: Store) -> AuditLine? {
        func target(_ id: User.ID) -> [(String, String)] {
            target((try? store.user(id)).flatMap { $0 }, id)
        }
        func target(_ user: User?, _ id: User.ID) -> [(String, String)] {
            [("target", user?.username.description ?? "-"), ("id", String(id))]
        }
        return switch signal {
        case .userCreated(let user):
            line("user-created", target(user, user.id) + given(user.rights), origin)
        case .userChanged(let user, let change, let old):
            line(
                "user-changed",
                [("change", change.rawValue)] + target(user, user.id)
                    + (change == .renamed ? [("was", old.username.description)] : [])
                    + (change == .granted
                        ? given(user.rights.subtracting(old.rights)) + taken(old.rights.subtracting(user.rights)) : []),
                origin
            )
        case .groupChanged(let group, let change):
            line("group-changed", [("change", change.rawValue), ("target", group.description)], origin)
        case .loggedIn(let user): line("login", [], origin, who: user)
        case .loggedOut(let user, let id): line("logout", target(user, id), origin)
        case .loginFailed(let typed):
            line("login-failed", Self.target(of: typed, store) + [("reason", "wrong-password")], origin)
        case .refreshTokenReused(let user): line("refresh-reused", target(user, user.id), origin)
        case .tokenIssued(let token):
            line("token-issued", target(token.user) + [("token", String(token.id))], origin)
        case .tokenRevoked(let token):
            line("token-revoked", target(token.user) + [("token", String(token.id))], origin)
        }
    }

    private static func line(leftOut count: Int, _ reason: String, _ address: String) -> AuditLine {
        var line = line("left-out", [("reason", reason), ("count", String(count))], Origin(nil))
        line.fields[0].value = .foreign(Array(address.utf8)[...])
        return line
    }

    private static func given(_ rights: Set<String>) -> [(String, String)] { list("given", rights) }
    private static func taken(_ rights: Set<String>) -> [(String, String)] { list("taken", rights) }

    private static func list(_ name: String, _ rights: Set<String>) -> [(String, String)] {
        rights.isEmpty ? [] : [(name, rights.sorted().joined(separator: ", "))]
    }

    /// Nobody is told from a user by the id, which a user of the name `-` has as well.
    private static func target(of typed: [UInt8], _ store: Store) -> [(String, String)] {
        guard let name = try? Username(typed), let user = try? store.user(named: name) else { return [("target", "-")] }
        return [("target", user.username.description), ("id", String(user.id))]
    }

    /// - Parameters:
    ///   - what: Fields of this event, among those that every event has.
    ///   - who: nil: whoever asked.
    private static func line(
        _ event: String,
        _ what: [(String, String)],
        _ origin: Origin,
        who: User? = nil
    ) -> AuditLine {
        var fields: [(name: String, value: AuditLine.Value)] = [
            ("address", .foreign(Array((origin.address ?? "-").utf8)[...]))
        ]
        fields += what.map { ($0, .known($1)) }
        fields.append(("who", .known((who ?? origin.user)?.username.description ?? "-")))
        fields.append(("scheme", .known(origin.scheme ?? "-")))
        fields.append(("view", .known(origin.view ?? "-")))
        fields.append(("path", .foreign(origin.path?[...] ?? [UInt8(ascii: "-")])))
        return AuditLine(event: event, fields: fields)
    }
}

extension User {
    /// What an administrator gives and takes, by the names of the fields and of groups and permissions.
    fileprivate var rights: Set<String> {
        var rights = Set(groups.map { "group \($0)" } + permissions.map { "permission \($0)" })
        if isStaff { rights.insert("is_staff") }
        if isSuperuser { rights.insert("is_superuser") }
        return rights
    }
}
