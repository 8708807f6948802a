internal import Synchronization

/// How far the journals of a folder were on disk as other journals of it say, for a file that has lost its end says nothing of
/// that itself.
final class Claims: Sendable {
    /// A file that says something of others.
    struct Claimant {
        let path: String
        let identity: File.Identity
        fileprivate let system: any System
        /// The latest, by the names of the journals.
        fileprivate(set) var marks: [String: SyncMark] = [:]

        /// Whether the file is there no more: what it says is of a store that is there no more either.
        var isGone: Bool {
            system.status(at: path, followsLinks: false).map { File.Identity($0) != identity } ?? false
        }
    }

    private let claimants = Mutex<[String: Claimant]>([:])

    /// Forgets what a journal said, which is told from its beginning.
    func begin(_ journal: String, at path: String, _ identity: File.Identity, _ system: any System) {
        claimants.withLock { $0[journal] = Claimant(path: path, identity: identity, system: system) }
    }

    /// What was said of files that a person has repaired since.
    func forget() { claimants.withLock { $0 = [:] } }

    func note(_ marks: [SyncMark], by journal: String) {
        claimants.withLock { claimants in
            for mark in marks { claimants[journal]?.marks[mark.journal] = mark }
        }
    }

    /// Whoever says something of this journal.
    func claimants(of journal: String) -> [(claimant: Claimant, mark: SyncMark)] {
        claimants.withLock { claimants in
            claimants.compactMap { name, claimant in
                name == journal ? nil : claimant.marks[journal].map { (claimant, $0) }
            }
        }
    }

    /// What a journal has said of others, the latest of each, by their names.
    func said(by journal: String) -> [SyncMark] {
        claimants.withLock { Array(($0[journal]?.marks ?? [:]).values) }.sorted { $0.journal < $1.journal }
    }
}

extension SyncMark {
    /// Of two that are about files of one lineage.
    func isLater(than other: SyncMark) -> Bool {
        let (own, others) = (FileHeader.generation(of: fileID), FileHeader.generation(of: other.fileID))
        return own == others ? synced > other.synced : own > others
    }
}
