/// What JSON Web Tokens say whose signatures were right a short while ago, so that a client who sends one with each
/// request costs one verification.
///
/// Only the signature and the reading are spared. Whether a token has expired, who its issuer and its audience have to
/// be, whether it was revoked and what has become of its user is asked anew each time. An entry counts only as long as
/// the keys are the very ones by which it was verified: a change in the folder of keys, or of another issuer's file,
/// makes others of them.
///
/// An entry is found by a digest of the whole text, so two tokens are never taken for one another, whatever they have in
/// common.
final class SeenTokens: Sendable {
    struct Entry: Sendable {
        let contents: JWTContents
        /// The claim in which its user's id was looked for.
        let userIDClaim: String
        /// Our own keys when it was verified.
        let ring: JSONWebKeySet
        /// Those of another issuer, where one of them signed it.
        let issuer: JSONWebKeySet?
        /// By which claims of another issuer's its scopes were read.
        let scopeClaims: [String]
    }

    static let capacity = 8192
    /// Bytes of a token. Ours have a few hundred.
    private static let maximumLength = 2048

    private let key = KeyedDigest.Key()
    private let entries = DigestTable<Entry>(capacity: capacity)

    /// By what a token is found.
    /// - Parameter issuer: The file of another issuer's keys that the location takes; each has entries of its own.
    /// - Returns: nil for a token that is too long to be remembered.
    func digest(of text: ArraySlice<UInt8>, _ issuer: JSONWebKeySetFile?) -> KeyedDigest? {
        guard text.count <= Self.maximumLength else { return nil }
        var builder = KeyedDigest.Builder(key)
        builder.add(UInt64(issuer.map { UInt(bitPattern: ObjectIdentifier($0)) } ?? 0))
        builder.add(text)
        return builder.digest
    }

    subscript(digest: KeyedDigest) -> Entry? { entries[digest] }

    func remember(_ entry: Entry, at digest: KeyedDigest) { entries.put(entry, at: digest) }

    /// How many there are now.
    var count: Int { entries.count }
}
