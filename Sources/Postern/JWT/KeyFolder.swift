internal import Journal
internal import Synchronization

/// The folder `keys`: a file `KID.jwk` a key. A key that a command puts there or takes away counts from the next
/// request on, in every process; a file that comes or goes by hand within ten milliseconds.
final class KeyFolder: Sendable {
    private let folder: FileFolder
    private let known = Mutex<(version: FileFolder.Version, ring: KeyRing)?>(nil)

    /// Of what was verified by these keys, and by those of other issuers.
    let seen = SeenTokens()

    static let suffix = ".jwk"

    init(in folder: JournalFolder) throws(JournalError) {
        self.folder = try FileFolder(opening: "keys", in: folder)
    }

    /// - Throws: ``StoreError`` when the folder or a file in it cannot be read, or one holds no key of ours.
    func ring() throws(StoreError) -> KeyRing {
        let known = known.withLock { $0 }
        if let known, folder.isStill(known.version) { return known.ring }
        let version = try journalled { () throws(JournalError) in try folder.version() }
        if let known, known.version == version {
            self.known.withLock { $0 = (version, known.ring) }
            return known.ring
        }
        self.known.withLock { $0 = nil }
        // Before the files are read, so that one which comes meanwhile is looked at next time.
        let isSettled = version.isSettled
        var keys: [StoredKey] = []
        for name in try journalled({ () throws(JournalError) in try folder.names(endingWith: Self.suffix) }) {
            do throws(StoreError) {
                keys.append(try read(name))
            } catch .journal(.missing) {
                // It was retired between the two looks.
                continue
            }
        }
        let ring = KeyRing(keys)
        if isSettled { self.known.withLock { $0 = (version, ring) } }
        return ring
    }

    /// Writes a new key, which is there for every process when this returns.
    func add(_ key: JSONWebKey, created: Timestamp, signsFrom: Timestamp) throws(StoreError) {
        let times: [(name: String, value: JSONValue)] = [
            ("iat", .integer(created.seconds)), ("nbf", .integer(signsFrom.seconds)),
        ]
        let text = JSONWriter.bytes(of: .object(key.secretMembers + times), indent: 2) + [0x0A]
        try journalled { () throws(JournalError) in try folder.add((key.id ?? "") + Self.suffix, text) }
    }

    func remove(_ id: String) throws(StoreError) {
        try journalled { () throws(JournalError) in try folder.remove(id + Self.suffix) }
    }

    private func journalled<Result>(_ body: () throws(JournalError) -> Result) throws(StoreError) -> Result {
        do {
            return try body()
        } catch {
            throw StoreError(error)
        }
    }

    /// Tokens say which key it was, so the file's name and the key's have to be the same.
    private func read(_ name: String) throws(StoreError) -> StoredKey {
        let path = folder.path + "/" + name
        let text = try journalled { () throws(JournalError) in try folder.read(name) }
        do throws(JSONWebKeyError) {
            guard let object = JSONObject(text) else { throw .notAnObject }
            let key = try JSONWebKey(object)
            guard key.id == String(name.dropLast(Self.suffix.count)) else { throw .malformed("kid") }
            let created = try Self.time("iat", of: object)
            return StoredKey(
                key: key,
                created: created,
                signsFrom: object.contains("nbf") ? try Self.time("nbf", of: object) : created
            )
        } catch {
            throw .key(path: path, error)
        }
    }

    private static func time(_ name: String, of object: JSONObject) throws(JSONWebKeyError) -> Timestamp {
        guard case .integer(let seconds)? = object[name], (0...Timestamp.lastSecond).contains(seconds) else {
            throw .malformed(name)
        }
        return Timestamp(seconds: seconds)
    }
}
