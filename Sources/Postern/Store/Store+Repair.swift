internal import Journal

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
            let columns = line.split(separator: 0x09, omittingEmptySubsequences: false).map {
                String(decoding: $0, as: UTF8.self)
            }
            guard columns.count > 2, Timestamp(rfc3339: Array(columns[0].utf8)[...]) != nil else {
                (cause, subject) = (nil, nil)
                return
            }
            cause = columns[1]
            switch journal {
            case "users" where columns[1].hasPrefix("group"): subject = "group \(columns[2])"
            case "users": subject = "user \(columns[2])" + (columns.count > 3 ? ", \(columns[3])" : "")
            case "tokens": subject = "token \(columns[2])" + Self.owner(columns)
            case "sessions": subject = "session \(columns[2])" + Self.owner(columns)
            default: subject = "JSON Web Token \(columns[2])"
            }
        }

        /// Of a line that issues a token or starts a session.
        private static func owner(_ columns: [String]) -> String { columns.count > 4 ? " of user \(columns[4])" : "" }
    }

    /// Lets the store's clock follow the system's, whatever that says, after events were written when it was wrong: they are dated
    /// as of now, and tokens and sessions of that time end, for their ends are of that time, too. So do JSON Web Tokens, which
    /// say that they were issued later than now.
    ///
    /// - Returns: How many events were dated anew.
    public static func setClock(at path: String) throws(StoreError) -> Int {
        let count: Int
        do {
            count = try JournalFolder(opening: path, kind: kind, version: version).setClock(of: journals)
        } catch {
            throw StoreError(error)
        }
        let store = try Store(opening: path)
        let now = store.now()
        try store.tokens.write { table throws(StoreError) in
            try table.all.filter { $0.created > now }.map { TokenTable.revocation(of: $0.id) }
        }
        try store.sessions.write { table in
            table.all.filter { $0.started > now }.map { SessionTable.end(of: $0.id) }
        }
        if count > 0 { _ = try store.compact() }
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
        let results: [Repaired]
        do {
            let folder = try JournalFolder(opening: path, kind: kind, version: version)
            let repairs = try folder.repair(journals, isDryRun: isDryRun, progress: progress)
            results = zip(journals, repairs).map { Repaired($0, $1) }
        } catch {
            throw StoreError(error)
        }
        guard !isDryRun, revokingAll || results.contains(where: { !$0.wasWhole }) else { return results }
        try Store(opening: path).begin(revokingAll: revokingAll)
        return results
    }
}
