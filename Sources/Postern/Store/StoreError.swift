public import Journal

/// Why the store did not do what it was asked for. Nothing was written in any of these cases.
public enum StoreError: Error {
    case usernameTaken(Username)
    case noSuchUser
    case noSuchGroup(GroupName)
    case noSuchToken
    case noSuchSession
    case noSuchKey
    /// New tokens are signed with it.
    case keyInUse
    /// The user has as many tokens as the location allows.
    case tokenLimitReached
    /// A file in the folder `keys` is no key of ours.
    case key(path: String, JSONWebKeyError)
    /// The record changed between the look at it and the attempt to write.
    case conflict
    /// The journals cannot be read or written; says which file, why, and what to do.
    case journal(JournalError)

    init(_ error: JournalError) { self = .journal(error) }
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .usernameTaken(let name): "There is already a user named \(name)."
        case .noSuchUser: "There is no such user."
        case .noSuchGroup(let name): "There is no group named \(name): see postern group list."
        case .noSuchToken: "There is no such token."
        case .noSuchSession: "There is no such session."
        case .noSuchKey: "There is no such key: see postern key list."
        case .keyInUse:
            "New tokens are signed with this key: rotate first, and retire it when what it signed has expired."
        case .tokenLimitReached: "Maximum amount of tokens allowed per user exceeded."
        case .key(let path, let error): "\(path) \(error): put the right file there, or take this one away."
        case .conflict: "The record was changed by another process at the same time: try again."
        case .journal(let error): error.description
        }
    }
}
