internal import Glibc
internal import Synchronization

/// A folder of journals that any number of processes share.
public final class JournalFolder: Sendable {
    public let path: String
    let lockFile: LockFile
    let owner: uid_t
    let group: gid_t
    package let system: any System
    private let unsaved: Int64
    let lookInterval: Int64
    let clock: StoreClock
    /// What this process has told others of it.
    private let toldClock = Mutex<StoreClock.Anchor?>(nil)
    let changes = ChangeMemory()
    let claims = Claims()
    private let knownRepair = Atomic<Int64>(0)
    let reserve: Reserve?
    private let syncObserver = Mutex<Observer?>(nil)
    private let noticeObserver = Mutex<NoticeObserver?>(nil)
    private let hasToldOfClock = Atomic(false)
    private let mappedFiles = Mutex<[Caretaker]>([])
    /// When to look after those, by the coarse clock in milliseconds.
    private let nextCare = Atomic<Int64>(0)

    /// Is told how many nanoseconds a sync of a journal took, and whether it succeeded.
    package typealias SyncObserver = @Sendable (_ nanoseconds: UInt64, _ isGood: Bool) -> Void

    /// A function that a generic type holds as such is wrapped anew each time that it is lent, and the wraps stay: so
    /// functions are in structs here and elsewhere.
    private struct Observer {
        let call: SyncObserver
    }

    private struct NoticeObserver {
        let call: @Sendable (_ text: String) -> Void
    }

    /// A reference that does not keep its object makes each use of the object dearer: so none is to the file, nor to whoever
    /// has it.
    private struct Caretaker {
        weak var care: FileCare?
    }

    /// Makes a folder with empty journals in it, all of it on disk when this returns. Mode 0700, files 0600,
    /// whatever the umask. A folder that is there already has to be empty; its files belong to its owner.
    /// When this throws, nothing of it is left.
    ///
    /// - Parameters:
    ///   - kind: One word that says whose folder it is; with `version` the text of its file `VERSION`.
    ///   - journals: Names of the journals, of at most 32 ASCII letters.
    ///   - folders: Names of the folders of whole files, see ``FileFolder``.
    /// - Throws: ``JournalError/notEmpty(path:)`` when there is something at `path` already.
    public static func create(
        at path: String,
        kind: String,
        version: Int,
        journals: [String],
        folders: [String] = []
    ) throws(JournalError) {
        try create(at: path, kind: kind, version: version, journals: journals, folders: folders, Linux())
    }

    /// As ``create(at:kind:version:journals:folders:)``, on another system.
    package static func create(
        at path: String,
        kind: String,
        version: Int,
        journals: [String],
        folders: [String],
        _ system: any System
    ) throws(JournalError) {
        let path = withoutSlashes(path)
        let isNew = system.makeFolder(path) == 0
        guard isNew || errno == EEXIST else { throw File.error("mkdir", path) }
        let contents =
            journals.map { ($0, FileHeader(new: $0, system).line) } + [
                (LockFile.name, LockFile.initialText(journals: journals)),
                // Last, so that a crash before leaves what is no store.
                (versionFile, Array("\(kind) \(version)\n".utf8)),
            ]
        var made: [String] = []
        var madeFolders: [String] = []
        do throws(JournalError) {
            guard try isNew ? true : isEmptyFolder(path, system) else { throw .notEmpty(path: path) }
            guard system.setMode(at: path, 0o700) == 0 else { throw File.error("chmod", path) }
            let status = try checkedStatus(of: path, system)
            for name in folders {
                madeFolders.append(path + "/" + name)
                try Folder.make(path + "/" + name, owner: status.owner, group: status.group, system)
            }
            for (name, bytes) in contents {
                let file = try File(creating: path + "/" + name, owner: status.owner, group: status.group, system)
                made.append(file.path)
                try file.write(bytes, at: 0)
                try file.sync()
            }
            try Folder.sync(path, system)
            try Folder.sync(parent(of: path), system)
        } catch {
            for path in made { system.unlink(path) }
            for path in madeFolders { system.removeFolder(path) }
            if isNew { system.removeFolder(path) }
            throw error
        }
    }

    /// Makes those of the journals and folders that a folder from an older version of the caller has not, empty
    /// and all of it on disk when this returns. Others may use the folder meanwhile.
    /// - Returns: Their names.
    /// - Throws: ``JournalError/missing(path:)`` for a journal that was there once.
    public static func complete(
        at path: String,
        kind: String,
        version: Int,
        journals: [String],
        folders: [String]
    ) throws(JournalError) -> [String] {
        let folder = try JournalFolder(opening: path, kind: kind, version: version)
        var made: [String] = []
        try folder.lockFile.withLock { lock throws(JournalError) in
            // Before anything is made.
            for name in journals where try !folder.has(name) {
                let isKnown = try lock.knows(name)
                let isNamed = try folder.isNamed(name, by: journals)
                if isKnown || isNamed { throw .missing(path: folder.path + "/" + name) }
            }
            for name in folders where try !folder.has(name) {
                try Folder.make(folder.path + "/" + name, owner: folder.owner, group: folder.group, folder.system)
                made.append(name)
            }
            for name in journals {
                if try !folder.has(name) {
                    try folder.makeJournal(name)
                    made.append(name)
                }
                // Also of one that was made by somebody who was killed before he noted it.
                try lock.learn(name)
            }
            try Folder.sync(folder.path, folder.system)
        }
        return made
    }

    /// An empty one, which has its name when all of it is on disk.
    private func makeJournal(_ name: String) throws(JournalError) {
        let temporary = path + "/." + name + ".new"
        // A leftover. Whoever made it held the lock and is gone.
        system.unlink(temporary)
        let file = try make(temporary)
        try file.write(FileHeader(new: name, system).line, at: 0)
        try file.sync()
        guard system.rename(temporary, to: path + "/" + name, isNew: true) == 0 else {
            throw File.error("rename", temporary)
        }
    }

    /// Whether another journal has said something of it, in what was written last.
    private func isNamed(_ name: String, by journals: [String]) throws(JournalError) -> Bool {
        for other in journals where other != name {
            guard try has(other) else { continue }
            let file = try open(path + "/" + other)
            var end = try JournalSource(file, name: other, self).position
            end.offset = try file.status().size
            if try file.marks(before: end).contains(where: { $0.journal == name }) { return true }
        }
        return false
    }

    private func has(_ name: String) throws(JournalError) -> Bool {
        if system.access(path + "/" + name, F_OK) == 0 { return true }
        guard errno == ENOENT else { throw File.error("access", path + "/" + name) }
        return false
    }

    /// - Parameters:
    ///   - kind: As given to ``create(at:kind:version:journals:folders:)``.
    ///   - patience: How long a writer waits for the lock.
    ///   - unsaved: Bytes by which a journal may grow, where that is more than a 24th, before it is worth saving what it
    ///     adds up to.
    ///   - lookInterval: Milliseconds for which readers believe that what nobody counted as changed is as it was.
    ///   - reserve: Bytes of the disk to keep for what may not fail for want of room; 0: none. See ``Journal/append(isAwaited:reset:apply:told:mayUseReserve:events:)``.
    public convenience init(
        opening path: String,
        kind: String,
        version: Int,
        patience: Duration = .seconds(5),
        unsaved: Int64 = 1 << 20,
        lookInterval: Int64 = 10,
        reserve: Int64 = 0
    ) throws(JournalError) {
        try self.init(
            opening: path,
            kind: kind,
            version: version,
            patience: patience,
            unsaved: unsaved,
            lookInterval: lookInterval,
            reserve: reserve,
            system: Linux()
        )
    }

    package init(
        opening path: String,
        kind: String,
        version: Int,
        patience: Duration = .seconds(5),
        unsaved: Int64 = 1 << 20,
        lookInterval: Int64 = 10,
        reserve: Int64 = 0,
        system: any System
    ) throws(JournalError) {
        let path = Self.withoutSlashes(path)
        let status = try Self.checkedStatus(of: path, system)
        try Self.checkVersion(in: path, kind: kind, version: version, owner: status.owner, system)
        self.path = path
        self.system = system
        self.unsaved = unsaved
        self.lookInterval = lookInterval
        owner = status.owner
        group = status.group
        self.reserve =
            reserve > 0 ? Reserve(in: path, size: reserve, owner: status.owner, group: status.group, system) : nil
        lockFile = try LockFile(in: path, owner: status.owner, patience: patience, system)
        Leftovers.remove(in: path, owner: status.owner, system)
        let known = try lockFile.clock()
        knownRepair.store(try lockFile.repaired() ?? 0, ordering: .relaxed)
        clock = StoreClock(system, known)
        // Whoever comes later knows by it how much time has passed. Where it cannot be written nobody knows.
        if known == nil { try? lockFile.setClock(clock.anchorNow()) }
    }

    /// The clock by which events are dated and expiry is judged: what the system says, but never before the latest event
    /// that was read, nor far beyond what can be. So a clock set back revives nothing, and one set ahead ends nothing.
    public func now() -> Timestamp { clock.now() }

    /// By how many seconds ``now()`` is ahead of the system's clock; a negative number: behind.
    public var clockDifference: Int64 { clock.difference }

    /// Lets others of this boot know what time it is, where they would not expect it.
    package func tellClock() {
        let anchor = clock.anchorNow()
        func isNews(_ known: StoreClock.Anchor?) -> Bool {
            guard let known, known.generation >= anchor.generation else { return true }
            return known.time(at: anchor.elapsed) < anchor.time &- 1_000_000
        }
        toldClock.withLock { told in
            guard isNews(told) else { return }
            let known = (try? lockFile.clock()) ?? nil
            told = anchor
            if isNews(known) { try? lockFile.setClock(anchor) }
        }
    }

    /// Tells all processes that the journal or the folder of this name is not as it was.
    func changed(_ name: String) { changes.increase(at: ChangeMemory.slot(of: name), in: self) }

    /// Lets the processes that use the folder go on with the file that is there, where somebody has changed it by hand.
    ///
    /// - Parameter isReplaced: Called when another file has taken the place of the one before.
    /// - Returns: What the owner keeps for as long as it is to be so.
    package func lookAfter(_ file: MappedFile, isReplaced: @escaping @Sendable () -> Void = {}) -> FileCare {
        let care = FileCare(file, isReplaced: isReplaced)
        mappedFiles.withLock { files in
            files.removeAll { $0.care == nil }
            files.append(Caretaker(care: care))
        }
        return care
    }

    /// Looks at all paths of what is mapped: at that of the changes each time, at the others once a second.
    func look() {
        changes.look(in: self)
        let now = system.coarseTime()
        let due = nextCare.load(ordering: .relaxed)
        guard now >= due, nextCare.compareExchange(expected: due, desired: now &+ 1000, ordering: .relaxed).exchanged
        else { return }
        if let told = (try? lockFile.atPath().clock()) ?? nil { clock.adopt(told) }
        tellClock()
        noticeClock()
        for file in mappedFiles.withLock({ $0 }) {
            // Where there can be none, what is mapped is used.
            try? file.care?.look()
        }
    }

    func isFar(_ saved: Int64, behind size: Int64) -> Bool { size - saved > max(unsaved, size / 24) }

    /// Opens a file in the folder, or beside it.
    func open(_ path: String) throws(JournalError) -> File { try File(opening: path, owner: owner, system) }

    /// Makes a new file likewise, which belongs to the owner of the folder.
    func make(_ path: String) throws(JournalError) -> File {
        try File(creating: path, owner: owner, group: group, system)
    }

    /// Names of files in the folder, none where it cannot be read.
    func names(startingWith prefix: String) -> [String] {
        system.names(in: path)?.filter { $0.hasPrefix(prefix) } ?? []
    }

    /// Calls `body` after each sync of a journal, on the thread that did it.
    package func whenSynced(_ body: @escaping SyncObserver) { syncObserver.withLock { $0 = Observer(call: body) } }

    /// Calls `body` with a sentence for whoever looks after the folder: more than an unfinished group was cut off a journal, or
    /// the system's clock is not believed any more.
    package func whenNoticed(_ body: @escaping @Sendable (_ text: String) -> Void) {
        noticeObserver.withLock { $0 = NoticeObserver(call: body) }
    }

    /// What the system's clock is worth, once for each time that it changes.
    private func noticeClock() {
        let difference = clock.difference
        let isWrong = abs(difference) > Self.greatestDifference
        guard hasToldOfClock.exchange(isWrong, ordering: .relaxed) != isWrong, isWrong else { return }
        notice(
            "The system's clock is \(abs(difference)) seconds \(difference > 0 ? "behind" : "ahead of") that of the store: set it right, or see postern store repair --set-clock."
        )
    }

    /// Seconds.
    private static let greatestDifference: Int64 = 60

    private func notice(_ text: String) { noticeObserver.withLock { $0 }?.call(text) }

    /// Keeps the end of a journal's file in a file beside it.
    func setAside(_ file: File, from start: Int64, to end: Int64) throws(JournalError) {
        let path = Leftovers.nameOfDropped(besides: file.path, system)
        let side = try make(path)
        do throws(JournalError) {
            var offset = start
            while offset < end {
                let bytes = try file.read(Int(min(File.chunk, end - offset)), at: offset)
                guard !bytes.isEmpty else { break }
                try side.write(bytes, at: offset - start)
                offset += Int64(bytes.count)
            }
            try side.sync()
        } catch {
            system.unlink(path)
            throw error
        }
        notice("\(end - start) bytes at the end of \(file.path) could not be read, and were moved to \(path).")
    }

    /// Names of files in the folder that a person should look at and remove: what was taken out of journals, and what killed
    /// processes left that could not be removed.
    public var leftovers: [String] { Leftovers.names(in: path, system) }

    /// Syncs a journal's file, and tells whoever wants to know how long that took.
    func sync(_ file: File) throws(JournalError) {
        let began = system.elapsedTime()
        var isGood = false
        defer {
            syncObserver.withLock { $0 }?.call(UInt64(max(0, system.elapsedTime() - began)) * 1000, isGood)
        }
        try file.sync()
        isGood = true
    }

    /// Notes when somebody has repaired the folder in this boot: what was said before of files that were whole then counts no more.
    func heed(repair: Int64?) {
        guard let repair, knownRepair.max(repair, ordering: .relaxed).oldValue < repair else { return }
        claims.forget()
    }

    func saw(_ time: Timestamp) {
        clock.saw(time)
    }

    static let versionFile = "VERSION"

    /// Of a folder that only its owner can get at and nobody else can put another in the place of.
    private static func checkedStatus(of path: String, _ system: any System) throws(JournalError) -> FileStatus {
        guard let status = system.status(at: path, followsLinks: false) else { throw File.error("lstat", path) }
        guard status.kind == .folder else { throw .wrongType(path: path) }
        guard status.owner == system.user || system.user == 0 else { throw .foreignOwner(path: path) }
        guard !status.isOpenToOthers else { throw .tooOpen(path: path, mode: "700") }
        let (parent, sticky) = (parent(of: path), UInt32(0o1000))
        guard let above = system.status(at: parent, followsLinks: true) else { throw File.error("stat", parent) }
        guard above.mode & 0o002 == 0 || above.mode & sticky != 0 else {
            throw .tooOpen(path: parent, mode: "o-w")
        }
        guard let fileSystem = system.fileSystem(at: path) else { throw File.error("statfs", path) }
        guard isLocal(fileSystem: fileSystem) else { throw .networkFileSystem(path: path) }
        return status
    }

    private static func checkVersion(
        in path: String,
        kind: String,
        version: Int,
        owner: uid_t,
        _ system: any System
    ) throws(JournalError) {
        let file: File
        do {
            file = try File(opening: path + "/" + versionFile, owner: owner, system)
        } catch .missing {
            throw .notAStore(path: path)
        } catch {
            throw error
        }
        let text = String(decoding: try file.read(64, at: 0).prefix { $0 != 0x0A }, as: UTF8.self)
        guard text.hasPrefix(kind + " ") else { throw .notAStore(path: path) }
        guard text == "\(kind) \(version)" else { throw .newerVersion(path: path, found: text) }
    }

    /// Locks and syncs of network and user-space file systems are their makers' affair. statfs(2).
    static func isLocal(fileSystem type: Int) -> Bool {
        let (nfs, cifs, smb, smb2, plan9, fuse) = (0x6969, 0xFF53_4D42, 0x517B, 0xFE53_4D42, 0x0102_1997, 0x6573_5546)
        let (ceph, lustre, afs, gpfs) = (0x00C3_6400, 0x0BD0_0BD0, 0x5346_414F, 0x4750_4653)
        return ![nfs, cifs, smb, smb2, plan9, fuse, ceph, lustre, afs, gpfs].contains(type & 0xFFFF_FFFF)
    }

    /// False for what is no folder.
    private static func isEmptyFolder(_ path: String, _ system: any System) throws(JournalError) -> Bool {
        let descriptor = system.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOTDIR { return false }
            throw File.error("open", path)
        }
        defer { system.close(descriptor) }
        guard let names = system.names(in: path) else { throw File.error("opendir", path) }
        return names.isEmpty
    }

    /// A slash at the end of a symbolic link's path would follow it.
    package static func withoutSlashes(_ path: String) -> String {
        let trimmed = String(path.reversed().drop { $0 == "/" }.reversed())
        return trimmed.isEmpty && !path.isEmpty ? "/" : trimmed
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
