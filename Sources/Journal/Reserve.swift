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
    private let size: Int64
    private let owner: uid_t
    private let group: gid_t
    /// The file whose blocks this process has seen; 0: none. A copy of a store has one that takes no room.
    private let known = Atomic<UInt>(0)

    /// What is given back at once, some hundreds of lines: the rest stays out of reach of other programs.
    private static let part: Int64 = 1 << 16

    /// - Parameter size: Of a small disk it is an eighth, if that is less.
    init(in folder: String, size: Int64, owner: uid_t, group: gid_t) {
        path = folder + "/" + Self.name
        var system = statvfs()
        let isKnown = statvfs(folder, &system) == 0
        let disk = UInt64(system.f_blocks).multipliedReportingOverflow(by: UInt64(system.f_frsize))
        self.size = isKnown && !disk.overflow ? min(size, Int64(clamping: disk.partialValue / 8)) : size
        self.owner = owner
        self.group = group
    }

    /// Makes it whole where it is not.
    /// - Throws: ``JournalError`` when there is no room for that. What else may be wrong with it keeps nobody from writing.
    func fill() throws(JournalError) {
        var status = stat()
        let isThere = lstat(path, &status) == 0
        let blocks = Int64(status.st_blocks) * 512
        if isThere, Int64(status.st_size) == size, blocks >= size || known.load(ordering: .relaxed) == status.st_ino {
            return
        }
        var system = statvfs()
        let room = UInt64(max(0, size - (isThere ? blocks : 0)))
        if statvfs(JournalFolder.parent(of: path), &system) == 0,
            UInt64(system.f_bavail) * UInt64(system.f_frsize) < room
        {
            throw .system(call: "posix_fallocate", path: path, errno: ENOSPC)
        }
        let opened =
            isThere ? try? File(opening: path, owner: owner) : try? File(creating: path, owner: owner, group: group)
        guard let file = opened else { return }
        let result = posix_fallocate(file.descriptor, 0, off_t(size))
        if result == ENOSPC || result == EDQUOT { throw .system(call: "posix_fallocate", path: path, errno: result) }
        guard result == 0, let inode = try? file.status().identity.inode else { return }
        known.store(inode, ordering: .relaxed)
    }

    /// Gives a part of it back to the disk.
    /// - Returns: false when there was nothing left.
    func giveBack() -> Bool {
        guard let file = try? File(opening: path, owner: owner), let size = try? file.status().size, size > 0 else {
            return false
        }
        known.store(0, ordering: .relaxed)
        // Synced, for some file systems give the blocks to others only then.
        return (try? file.truncate(to: max(0, size - Self.part), with: DiskCalls())) != nil
            && (try? file.sync(with: DiskCalls())) != nil
    }
}

extension JournalError {
    /// Whether it is for room on the disk that something was not written.
    var isForRoom: Bool {
        if case .system(_, _, let number) = self { number == ENOSPC || number == EDQUOT } else { false }
    }
}
