internal import Synchronization

/// What happened to users and tokens, told after it is on disk: Django's signals.
public enum Signal: Sendable {
    case userCreated(User)
    /// A credential was handed out for a password.
    case loggedIn(User)
    /// A password was not accepted. The name is as the client sent it, of any bytes: never log it as it is,
    /// people type passwords into the wrong field.
    case loginFailed(username: [UInt8])
    case tokenIssued(Token)
    case tokenRevoked(Token)
}

/// Receivers of ``Signal``.
public final class Signals: Sendable {
    public typealias Receiver = @Sendable (Signal) -> Void

    private let receivers = Mutex<[Receiver]>([])

    /// Calls `receiver` for every signal from now on, on the thread that answers the request: it must be
    /// quick, and it cannot undo what happened.
    public func connect(_ receiver: @escaping Receiver) {
        receivers.withLock { $0.append(receiver) }
    }

    func send(_ signal: Signal) {
        for receiver in receivers.withLock({ $0 }) { receiver(signal) }
    }
}
