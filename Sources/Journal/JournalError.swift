internal import Glibc

/// Why a folder of journals cannot be opened, read or written. Nothing that was acknowledged is lost, and
/// nothing that was not is kept, in any of these cases.
public enum JournalError: Error, Equatable {
    case missing(path: String)
    case notAStore(path: String)
    case newerVersion(path: String, found: String)
    case notEmpty(path: String)
    /// Neither a folder nor a regular file with one link, whichever it has to be.
    case wrongType(path: String)
    case foreignOwner(path: String)
    /// Others may read or write it.
    case tooOpen(path: String, mode: String)
    /// Locks and syncs mean nothing there.
    case networkFileSystem(path: String)
    case foreignFile(path: String)
    /// Bytes that were synced once do not check any more, or are gone.
    case damaged(path: String, line: Int, offset: Int64)
    /// It ends before bytes that were synced once: it was cut, or is an older copy.
    case cutShort(path: String, size: Int64, synced: Int64)
    /// It is a journal of the store's kind and not the one that belongs there: an older one, or another store's.
    case replaced(path: String)
    /// A line that checks, of a kind that the caller does not know.
    case notUnderstood(path: String, line: Int, EventError)
    /// A file beside a journal does not say what the journal says.
    case wrongIndex(path: String)
    /// Another process, or 0 where it has not said which, holds the lock for too long.
    case locked(path: String, holder: Int32)
    /// A sync failed, and the way back failed too: what the disk holds beyond the last good sync is unknown.
    case poisoned(path: String, errno: Int32)
    case system(call: String, path: String, errno: Int32)
}

/// Why an event whose checksum holds cannot be understood: a line of a later version, or written by hand.
public enum EventError: Error, Equatable {
    case unknown(String)
    case malformed
}

extension JournalError: CustomStringConvertible {
    /// One sentence: which file, what is wrong with it, and what to do.
    public var description: String {
        switch self {
        case .missing(let path): "\(path) does not exist: make a store first, name another, or restore the file."
        case .notAStore(let path): "\(path) is not a store: it has no file VERSION that says so."
        case .newerVersion(let path, let found):
            "\(path) is a store of version \"\(found)\", which this version cannot read: upgrade the program."
        case .notEmpty(let path): "\(path) exists and is not empty: name a folder that does not exist yet."
        case .wrongType(let path):
            "\(path) is a symbolic link, has a second link or is of another type than the store made it: put the real one there."
        case .foreignOwner(let path): "\(path) belongs to another user: run this as its owner, or chown it."
        case .tooOpen(let path, let mode):
            "\(path) is open to other users: run chmod \(mode) \(path) and find out who read it."
        case .networkFileSystem(let path):
            "\(path) is on a network or FUSE file system, where locks cannot be trusted: use a local disk."
        case .foreignFile(let path):
            "\(path) is not a journal of this store: put back a copy of it or, where there is none, move it away; then run postern store repair."
        case .damaged(let path, let line, let offset):
            "\(path) is damaged at line \(line), byte \(offset): \(Self.remedy)."
        case .cutShort(let path, let size, let synced):
            "\(path) ends at byte \(size), and \(synced) bytes of it were synced: \(Self.remedy)."
        case .replaced(let path):
            "\(path) is not the file that the store had there: \(Self.remedy)."
        case .notUnderstood(let path, let line, let error):
            "\(path) line \(line) says what this version does not understand (\(error)): upgrade the program or restore the line."
        case .wrongIndex(let path):
            "\(path) does not say what its journal says: remove it, it is made anew, and find out who wrote it."
        case .locked(let path, let holder):
            "\(path) is held by \(holder == 0 ? "another process" : "process \(holder)") for too long: see what it does, or end it."
        case .poisoned(let path, let error):
            "\(path) could not be synced (\(Self.text(error))) and cannot be rewritten: free space or replace the disk, then try again."
        case .system(let call, let path, let error):
            "\(path): \(call) failed: \(Self.text(error))\(Self.advice(error))."
        }
    }

    /// Whichever way a file gets there, a repair looks what is in it and takes it.
    private static let remedy =
        "put back a copy of it, if there is a good one, then run postern store repair; nothing was changed"

    private static func text(_ error: Int32) -> String { String(cString: strerror(error)) }

    private static func advice(_ error: Int32) -> String {
        switch error {
        case ENOSPC, EDQUOT, EFBIG: "; nothing was written: free space and try again"
        case EROFS: "; the file system has to be writable"
        case EACCES, EPERM: "; run this as the owner of the store"
        default: ""
        }
    }
}
