internal import Glibc
internal import Synchronization

/// Room on the disk that only what ends something may use, so that a credential can be revoked also when somebody has filled the
/// disk: a file of a fixed size, of which a part is given back whenever such a write finds no room. Whatever else is to be written
/// is refused until the file has its size again, for it would use up what was given back.
///
/// All of it is done under the lock of whoever writes.
final class Reserve: Sendable {
    static let name = "reserve"

    private let path: String
    private let system: any System
    private let size: Int64
    private let owner: uid_t
    private let group: gid_t
    /// The file whose blocks this process has seen; 0: none. A copy of a store has one that takes no room.
    private let known = Atomic<UInt>(0)

    /// What is given back at once, some hundreds of lines: the rest stays out of reach of other programs.
    private static let part: Int64 = 1 << 16

    /// - Parameter size: Of a small disk it is an eighth, if that is less.
    init(in folder: String, size: Int64, owner: uid_t, group: gid_t, _ system: any System) {
        path = folder + "/" + Self.name
        self.system = system
        self.size = system.space(at: folder).map { min(size, Int64(clamping: $0.size / 8)) } ?? size
        self.owner = owner
        self.group = group
    }

    /// Makes it whole where it is not.
    /// - Throws: ``JournalError`` when there is no room for that. What else may be wrong with it keeps nobody from writing.
    func fill() throws(JournalError) {
        let status = system.status(at: path, followsLinks: false)
        if let status, status.size == size,
            status.room >= size || known.load(ordering: .relaxed) == status.inode
        {
            return
        }
        let room = UInt64(max(0, size - (status?.room ?? 0)))
        if let space = system.space(at: JournalFolder.parent(of: path)), space.free < room {
            throw .system(call: "posix_fallocate", path: path, errno: ENOSPC)
        }
        let opened =
            status != nil
            ? try? File(opening: path, owner: owner, system)
            : try? File(creating: path, owner: owner, group: group, system)
        guard let file = opened else { return }
        let result = system.allocate(file.descriptor, size)
        if result == ENOSPC || result == EDQUOT { throw .system(call: "posix_fallocate", path: path, errno: result) }
        guard result == 0, let inode = try? file.status().identity.inode else { return }
        known.store(inode, ordering: .relaxed)
    }

    /// Gives a part of it back to the disk.
    /// - Returns: false when there was nothing left.
    func giveBack() -> Bool {
        guard let file = try? File(opening: path, owner: owner, system), let size = try? file.status().size, size > 0
        else {
            return false
        }
        known.store(0, ordering: .relaxed)
        // Synced, for some file systems give the blocks to others only then.
        return (try? file.truncate(to: max(0, size - Self.part))) != nil
            && (try? file.sync()) != nil
    }
}

extension JournalError {
    /// Whether it is for room on the disk that something was not written.
    var isForRoom: Bool {
        if case .system(_, _, let number) = self { number == ENOSPC || number == EDQUOT } else { false }
    }
}
