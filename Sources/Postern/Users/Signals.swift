internal import Synchronization

/// What happened to users and tokens, told after it is on disk: Django's signals.
public enum Signal: Sendable {
    case userCreated(User)
    /// A user as they are now, and as they were; of one who was deleted, twice as they were.
    case userChanged(User, UserChange, from: User)
    /// A group was made, got other permissions, or was deleted.
    case groupChanged(GroupName, GroupChange)
    /// A credential was handed out for a password.
    case loggedIn(User)
    /// A session was ended by who had it, a token by knox's logout, a family of refresh tokens by its blacklist: Django's
    /// `user_logged_out`. nil: the user is gone.
    case loggedOut(User?, id: User.ID)
    /// A password was not accepted. The name is as the client sent it, of any bytes: never log it as it is,
    /// people type passwords into the wrong field.
    case loginFailed(username: [UInt8])
    /// A refresh token of this user was used again: somebody has a copy. All that came of its login is dead.
    case refreshTokenReused(User)
    case tokenIssued(Token)
    case tokenRevoked(Token)
}

/// What was changed of a user.
public enum UserChange: String, Sendable {
    case password, enabled, disabled
    case renamed
    /// Flags, groups or permissions.
    case granted
    /// Every credential was ended.
    case revoked
    case deleted
}

/// What was done with a group.
public enum GroupChange: String, Sendable {
    case created, changed, deleted
}

/// Who made something happen, and from where.
public struct Origin: Sendable {
    /// nil for nobody, and for whoever has the command line.
    public let user: User?
    /// The client's address, as the web server has it; nil for the command line.
    public let address: String?
    /// The scheme by which the user was recognised; nil for nobody.
    public let scheme: String?
    /// As `POSTERN_VIEW` names it; nil for the command line.
    public let view: String?
    /// The path that was asked for, as the client typed it, without the query, in which careless clients put secrets;
    /// nil for the command line. Of any bytes.
    public let path: [UInt8]?

    init(_ request: APIRequest?) {
        user = request?.user
        address = request.map(Self.address)
        scheme = request?.scheme
        view = request?.viewName
        path = request.map { Array($0.source.targetWithoutQuery ?? []) }
    }

    static func address(of request: APIRequest) -> String { String(decoding: request.remoteAddress, as: UTF8.self) }
}

/// Receivers of ``Signal``.
public final class Signals: Sendable {
    public typealias Receiver = @Sendable (Signal, Origin) -> Void

    /// Not the functions themselves, for the reason that `JournalFolder` has.
    private struct Connection {
        let receive: Receiver
    }

    private let connections = Mutex<[Connection]>([])

    /// Calls `receiver` for every signal from now on, on the thread that answers the request: it must be
    /// quick, and it cannot undo what happened.
    public func connect(_ receiver: @escaping Receiver) {
        connections.withLock { $0.append(Connection(receive: receiver)) }
    }

    /// - Parameter request: That asked for it; nil for the command line.
    func send(_ signal: Signal, for request: APIRequest?) {
        let connections = connections.withLock { $0 }
        guard !connections.isEmpty else { return }
        let origin = Origin(request)
        for connection in connections { connection.receive(signal, origin) }
    }
}
