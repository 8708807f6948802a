package import Journal

extension Store {
    /// What becomes of a journal when a store is repaired.
    public struct Repaired: Sendable {
        public let journal: String
        /// Events that are kept.
        public let events: Int
        /// Bytes that are not, and the file in which they stand now; nil where there are none.
        public let dropped: Int
        public let sideFile: String?
        /// Groups of lines that are gone, by the numbers of those that are there.
        public let missingGroups: Int
        /// Whether more of the journal was once on disk than is there in one piece, or it was another file.
        public let hasLostEnd: Bool
        /// Whether it was whole, and stays as it is.
        public let wasWhole: Bool
        /// The lines that are not kept, as far as they can be read.
        public let lost: [LostLine]

        /// Whether a revocation, a new password or the like may be among what is gone.
        public var mayHaveLostEndings: Bool {
            missingGroups > 0 || hasLostEnd || lost.contains(where: \.mayEnd)
        }

        init(_ name: String, _ repair: JournalFolder.Repair) {
            journal = name
            events = repair.events
            dropped = repair.dropped
            sideFile = repair.sideFile
            missingGroups = repair.missingGroups
            hasLostEnd = repair.hasLostEnd
            wasWhole = repair.wasWhole
            lost = repair.droppedLines.compactMap { LostLine($0, of: name) }
        }
    }

    /// A line of a journal that does not check: what it seems to say, without any digest or hash.
    public struct LostLine: Sendable {
        /// What happened, as `revoked`; nil where that cannot be read.
        public let cause: String?
        /// To which user, group, token or session, as `user 3, ann`; nil likewise.
        public let subject: String?

        /// Whether something ended with it that is good again without it.
        var mayEnd: Bool { cause.map { !Self.beginnings.contains($0) } ?? true }

        private static let beginnings = [
            "added", "enabled", "issued", "renewed", "started", "used", "last-id", "#synced",
        ]

        /// nil for the first line of a group.
        init?(_ line: [UInt8], of journal: String) {
            if line.starts(with: Array("#\t".utf8)) { return nil }
            (cause, subject) = Self.read(line, of: journal) ?? (nil, nil)
        }

        /// Only what is what it has to be: a column that is lost would put a digest or a hash in the place of a name.
        private static func read(_ line: [UInt8], of journal: String) -> (cause: String, subject: String)? {
            let columns = line.split(separator: 0x09, omittingEmptySubsequences: false).map {
                String(decoding: $0, as: UTF8.self)
            }
            guard columns.count > 2, Timestamp(rfc3339: Array(columns[0].utf8)[...]) != nil, causes.contains(columns[1])
            else { return nil }
            let cause = columns[1]
            func number(_ place: Int) -> String? {
                columns.count > place ? Decimal.parse(Array(columns[place].utf8)[...]).map(String.init) : nil
            }
            if journal == "users", cause.hasPrefix("group") {
                guard let name = try? GroupName(Array(columns[2].utf8)), columns.count <= 4 else { return nil }
                return (cause, "group \(name)")
            }
            guard journal != "revocations" else { return (cause, "JSON Web Token") }
            guard let id = number(2) else { return nil }
            switch journal {
            case "users":
                let name = columns.count >= 8 ? (try? Username(Array(columns[3].utf8)))?.description : nil
                return (cause, "user \(id)" + (name.map { ", \($0)" } ?? ""))
            case "tokens": return (cause, "token \(id)" + (number(4).map { " of user \($0)" } ?? ""))
            default: return (cause, "session \(id)" + (number(4).map { " of user \($0)" } ?? ""))
            }
        }

        private static let causes: Set<String> = [
            "added", "password", "enabled", "disabled", "granted", "revoked", "deleted", "kept", "group",
            "group-deleted",
            "last-id", "issued", "renewed", "started", "used", "ended", "rotated",
        ]
    }

    /// Lets the store's clock follow the system's, whatever that says, after events were written when it was wrong: they are dated
    /// as of now. Every credential ends then, for what was issued at that time ends late, and what was revoked before may have
    /// been forgotten as if it had expired.
    ///
    /// - Returns: How many events were dated anew.
    public static func setClock(at path: String) throws(StoreError) -> Int { try setClock(at: path, Linux()) }

    package static func setClock(at path: String, _ system: any System) throws(StoreError) -> Int {
        let count: Int
        do {
            count = try JournalFolder(opening: path, kind: kind, version: version, system: system)
                .setClock(of: journals)
        } catch {
            throw StoreError(error)
        }
        let store = try Store(opening: path, system: system)
        // A key of that time would sign from then on.
        if try store.keyRing().signer(at: store.now()) == nil { _ = try store.generateKey(.hs256) }
        guard count > 0 else { return 0 }
        try store.begin(revokingAll: true)
        _ = try store.compact()
        return count
    }

    /// Makes a store that is damaged, has lost the end of a file, or got an older file by hand, one that can be opened, of every
    /// line that can be believed. Ids that may have been given away are not given again.
    ///
    /// - Parameters:
    ///   - isDryRun: Whether nothing is to be changed.
    ///   - revokingAll: Whether to end every credential, of every user, because what ended one may be lost.
    public static func repair(
        at path: String,
        isDryRun: Bool = false,
        revokingAll: Bool = false,
        progress: Progress = noProgress
    ) throws(StoreError) -> [Repaired] {
        try repair(at: path, isDryRun: isDryRun, revokingAll: revokingAll, Linux(), progress: progress)
    }

    package static func repair(
        at path: String,
        isDryRun: Bool = false,
        revokingAll: Bool = false,
        _ system: any System,
        progress: Progress = noProgress
    ) throws(StoreError) -> [Repaired] {
        let results: [Repaired]
        do {
            let folder = try JournalFolder(opening: path, kind: kind, version: version, system: system)
            var kept = KeptIDs()
            let repairs = try folder.repair(
                journals,
                isDryRun: isDryRun,
                progress: progress,
                heard: { name, line in kept.note(name, line) },
                closing: { kept.closing($0, revokingAll: revokingAll, at: folder.now(), system.random()) }
            )
            results = zip(journals, repairs).map { Repaired($0, $1) }
        } catch {
            throw StoreError(error)
        }
        // A journal of users that is made anew ends them itself, before anybody reads it.
        guard !isDryRun, revokingAll, results.first?.wasWhole ?? false else { return results }
        try Store(opening: path, system: system).begin(revokingAll: true)
        return results
    }

    /// What the lines that are kept name, so that a journal which is made anew says what must not be given again.
    private struct KeptIDs {
        private var users = UserTable()
        private var user: User.ID = 0
        private var token: Token.ID = 0
        private var session: Session.ID = 0

        mutating func note(_ journal: String, _ line: EventLine) {
            switch journal {
            case "users": try? users.apply(line)
            case "tokens":
                switch try? TokenEvent(line) {
                case .issued(let id, var columns)?:
                    token = max(token, id)
                    if let owner = try? Token(id, &columns).user { user = max(user, owner) }
                case .lastID(let id)?: token = max(token, id)
                default: break
                }
            case "sessions":
                var columns = EventReader(line)
                guard let cause = try? columns.text(), let id = try? columns.integer() else { return }
                session = max(session, id)
                if cause == "started", (try? columns.column()) != nil, let owner = try? columns.integer() {
                    user = max(user, owner)
                }
            default: break
            }
        }

        func closing(_ journal: String, revokingAll: Bool, at now: Timestamp, _ random: UInt64) -> [Event] {
            switch journal {
            case "users":
                return users.eventsAfterLoss(named: user, revokingAll: revokingAll, at: now, random)
            case "tokens": return [TokenTable.lastID(Store.idAfterLoss(token, random))]
            case "sessions": return [SessionTable.lastID(Store.idAfterLoss(session, random))]
            default: return []
            }
        }
    }
}
