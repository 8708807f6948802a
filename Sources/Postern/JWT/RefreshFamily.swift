internal import Journal

/// The refresh tokens that follow one another from one login on. Only the last of them is good. A family that
/// has not been refreshed yet is not in the store: its first token's `jti` is its name.
struct RefreshFamily: Equatable {
    /// nil: nothing of this family is good any more.
    var last: Rotation?
    /// When everything that was issued in this family has expired.
    var expires: Timestamp

    /// How the last token came to be.
    struct Rotation: Equatable {
        /// The `jti` of the token that was used up.
        let used: [UInt8]
        /// What is needed to issue the token anew that took its place.
        let successor: RefreshSuccessor
        /// Who asked, as ``JSONWebTokens/caller(_:family:)`` has it.
        let caller: [UInt8]
    }
}

/// The token that takes the place of a refresh token.
struct RefreshSuccessor: Equatable {
    let jti: [UInt8]
    let issued: Timestamp
    let expires: Timestamp
}
