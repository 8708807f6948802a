internal import Journal

/// Why a credential, of any kind, is no longer valid.
///
/// ``of(_:_:)`` is the only place that decides whether a user and a credential are still valid. Every authenticator, view and
/// list asks it, so that all of them agree about who is gone.
enum CredentialFault: Error, Equatable {
    /// Its user does not exist.
    case unknownUser
    case inactive
    /// It was issued under a password that has been replaced.
    case passwordChanged
    /// It has expired, or an epoch of its user has ended since it was issued. One of a later epoch than the user's was issued
    /// to somebody whom the store has lost.
    case ended

    /// - Parameters:
    ///   - user: As the store has them now; nil: there is no such user.
    ///   - issuance: When the credential was issued.
    /// - Returns: nil for a valid credential.
    static func of(_ user: User?, _ issuance: Issuance) -> CredentialFault? {
        // Spelled so that the user is not copied.
        switch user {
        case .none: .unknownUser
        case .some(let user): of(user, issuance)
        }
    }

    /// Likewise, of a user who exists.
    static func of(_ user: User, _ issuance: Issuance) -> CredentialFault? {
        guard user.isActive else { return .inactive }
        switch issuance {
        case .now: return nil
        case .epoch(let epoch):
            if epoch == user.epoch { return nil }
            return epoch < user.passwordEpoch ? .passwordChanged : .ended
        case .time(let seconds):
            guard let end = user.lastEpochEnd else { return nil }
            // Times are whole seconds: a credential of the same second is refused.
            return seconds.map { $0 > end.seconds } ?? false ? nil : .ended
        }
    }
}

/// When a credential was issued, as far as it says.
enum Issuance: Equatable {
    /// A password that was right just now.
    case now
    /// Postern issued it under this epoch of its user.
    case epoch(Int64)
    /// Another program issued it, which knows no epoch: in seconds; nil: it does not say when.
    case time(Int64?)
}
