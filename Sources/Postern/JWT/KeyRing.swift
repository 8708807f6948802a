public import Journal

/// A key of the store's folder `keys`, and since when it signs.
public struct StoredKey: Sendable {
    public let key: JSONWebKey
    /// The member `iat`, of whole seconds.
    public let created: Timestamp
    /// The member `nbf`: verifies from the beginning, signs from then on.
    public let signsFrom: Timestamp

    public var id: String { key.id ?? "" }

    /// Whether it is the key of another program, which signed tokens with it and may still do so: an imported secret, which has
    /// no time at which it was made here, or a public key that somebody put into the folder.
    public var isImported: Bool { created.seconds == 0 || !key.canSign }
}

/// All keys of a store at one moment. It is asked for with each token, so it is not copied.
public final class KeyRing: Sendable {
    /// The one that signs first is the last.
    public let keys: [StoredKey]
    let set: JSONWebKeySet
    private let importedIDs: Set<String>

    init(_ keys: [StoredKey]) {
        self.keys = keys.sorted { ($0.signsFrom, $0.created, $0.id) < ($1.signsFrom, $1.created, $1.id) }
        set = JSONWebKeySet(keys.map(\.key))
        importedIDs = Set(keys.lazy.filter(\.isImported).map(\.id))
    }

    /// Whether Postern made a token with this header, which the key signed. A token of Postern's names its key, and nobody else
    /// has a key that was made here.
    func isMadeHere(_ header: JSONWebSignature.Header, by key: JSONWebKey) -> Bool {
        header.keyID != nil && key.id.map { !importedIDs.contains($0) } ?? false
    }

    /// The key that new tokens are signed with: of those whose time has come, the one whose came last. All
    /// processes choose the same one. An imported key signs nothing: its tokens are another program's.
    /// - Parameter isPublic: Whether others have to be able to verify by it.
    public func signer(at now: Timestamp, isPublic: Bool = false) -> StoredKey? {
        keys.last {
            $0.signsFrom <= now && !$0.isImported && $0.key.canSign && (!isPublic || $0.key.algorithm != .hs256)
        }
    }

    /// The JWK Set for those who verify our tokens (RFC 7517, section 5): public keys alone.
    public var publicSet: JSONValue {
        .object([("keys", .array(keys.compactMap { $0.key.publicMembers.map { .object($0) } }))])
    }
}
