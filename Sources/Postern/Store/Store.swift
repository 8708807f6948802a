public import Journal

/// Users and their credentials in a folder of journals, which any number of processes share.
///
/// Reading never waits for a lock of another process and sees what was acknowledged anywhere before the
/// call. Every method that writes returns after its events are on disk.
public final class Store: Sendable {
    static let kind = "postern"
    static let version = 1
    static let journals = ["users", "tokens", "sessions", "revocations"]
    static let folders = ["keys"]
    /// Bytes of the disk that only what ends something may use: some thousands of revocations.
    static let reserve: Int64 = 1 << 20

    let folder: JournalFolder
    let users: Replica<UserTable>
    let tokens: Replica<TokenTable>
    let sessions: Replica<SessionTable>
    let revocations: Replica<RevocationTable>
    let keys: KeyFolder
    let maintenance = Maintenance()
    /// Where what the store does is counted; nil as long as nobody wants to know.
    let metrics = WriteOnce<Metrics>()
    /// Where it is written what an operator has to know; nil likewise.
    let log = WriteOnce<StoreLog>()

    /// Makes the folder of an empty store: mode 0700, with a key for JSON Web Tokens and no account in it.
    public static func create(at path: String) throws(StoreError) { try create(at: path, Linux()) }

    package static func create(at path: String, _ system: any System) throws(StoreError) {
        do {
            try JournalFolder.create(
                at: path,
                kind: kind,
                version: version,
                journals: journals,
                folders: folders,
                system
            )
        } catch {
            throw StoreError(error)
        }
        _ = try Store(opening: path, system: system).generateKey(.hs256)
    }

    /// Gives a store that an older version made what it lacks.
    /// - Returns: The names of what was made in it.
    /// - Throws: ``StoreError``, also for what it had and has lost.
    public static func upgrade(at path: String) throws(StoreError) -> [String] {
        var made: [String]
        do {
            made = try JournalFolder.complete(
                at: path,
                kind: kind,
                version: version,
                journals: journals,
                folders: folders
            )
        } catch {
            throw StoreError(error)
        }
        let store = try Store(opening: path)
        // Former versions signed with an imported key where there was no other one.
        let keys = try store.keyRing().keys
        if made.contains("keys") || !keys.isEmpty && keys.allSatisfy(\.isImported) {
            made.append("keys/" + (try store.generateKey(.hs256).id))
        }
        return made
    }

    /// Is told the name of a journal and which part of it is done, from 0 to 1.
    public typealias Progress = (_ journal: String, _ part: Double) -> Void

    public static let noProgress: @Sendable (String, Double) -> Void = { _, _ in }

    public convenience init(opening path: String, progress: Progress = noProgress) throws(StoreError) {
        try self.init(opening: path, lookInterval: 10, progress: progress)
    }

    /// Reads nothing of the journals yet but what each says of the others. Of the first part that is asked for the rest is passed
    /// over: for a program that has a single question, on a single thread. Damage is found where it is asked about.
    package convenience init(openingForFew path: String) throws(StoreError) {
        try self.init(opening: path, readsAll: false)
    }

    /// - Parameters:
    ///   - unsaved: See ``JournalFolder/init(opening:kind:version:patience:unsaved:lookInterval:)``.
    ///   - lookInterval: Likewise.
    ///   - readsAll: Whether all of the journals is read now.
    package init(
        opening path: String,
        unsaved: Int64 = 1 << 20,
        lookInterval: Int64 = 10,
        system: any System = Linux(),
        readsAll: Bool = true,
        progress: Progress = noProgress
    ) throws(StoreError) {
        do {
            folder = try JournalFolder(
                opening: path,
                kind: Self.kind,
                version: Self.version,
                unsaved: unsaved,
                lookInterval: lookInterval,
                reserve: Self.reserve,
                system: system
            )
            users = try Replica(of: "users", in: folder, isWhole: readsAll)
            tokens = try Replica(of: "tokens", in: folder, isWhole: readsAll)
            sessions = try Replica(of: "sessions", in: folder, isWhole: readsAll)
            revocations = try Replica(of: "revocations", in: folder, isWhole: readsAll)
            keys = try KeyFolder(in: folder)
        } catch {
            throw StoreError(error)
        }
        folder.whenNoticed { [weak self] text in self?.log.value?.warn(text) }
        guard readsAll else {
            // Before any of them is read.
            try users.glance(of: Self.journals)
            try tokens.glance(of: Self.journals)
            try sessions.glance(of: Self.journals)
            try revocations.glance(of: Self.journals)
            folder.tellClock()
            return
        }
        try checkReadable(progress: progress)
        // Now that all have said how far the others were on disk.
        try users.confirm()
        try tokens.confirm()
        try sessions.confirm()
        try revocations.confirm()
        // What was read may be later than what anybody has said.
        folder.tellClock()
    }

    deinit { maintenance.end() }

    /// Whether all journals can be followed to their end, and the keys be read.
    public func checkReadable(progress: Progress = noProgress) throws(StoreError) {
        try read("users", users, progress)
        try read("tokens", tokens, progress)
        try read("sessions", sessions, progress)
        try read("revocations", revocations, progress)
        _ = try keys.ring()
    }

    /// Whether journals can be appended to, as far as that shows without doing so: rights, a file system that takes
    /// writes, and room.
    public func checkWritable() throws(StoreError) {
        do {
            try folder.checkWritable(Self.journals)
        } catch {
            throw StoreError(error)
        }
    }

    private func read<State>(
        _ name: String,
        _ replica: Replica<State>,
        _ progress: Progress
    ) throws(StoreError) {
        progress(name, 0)
        try replica.read { _ in }
        progress(name, 1)
    }

    /// The clock by which expiry is judged: never behind the greatest time that the store has seen.
    public func now() -> Timestamp { folder.now() }

    /// Names of files in the store that a person should look at and remove: what was taken out of journals, and what killed
    /// processes left that could not be removed.
    public var leftovers: [String] { folder.leftovers }

    /// By how many seconds ``now()`` is ahead of the system's clock; a negative number: behind.
    public var clockDifference: Int64 { folder.clockDifference }
}
