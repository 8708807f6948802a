internal import Journal

/// One thing that an import brings, whatever file it came from.
enum ImportRecord {
    case group(GroupName, Set<PermissionName>)
    case user(ImportedUser)
    case token(ImportedToken)
    /// A refresh token of simplejwt that was blacklisted, and when it ends by itself.
    case revocation(jti: [UInt8], expires: Timestamp)
    /// What is not carried over, as words for the summary.
    case leftOut(String)
    /// What cannot be taken over, and why: nothing is imported then.
    case problem(String)
}

struct ImportedUser {
    /// nil: the next one that is free.
    var id: User.ID?
    let username: Username
    /// As a store writes it; nil where no password opens the account.
    let passwordHash: String?
    /// The name of a kind of hash that we cannot verify, so that a new password is needed.
    var unknownHash: String?
    var isActive = true
    var isStaff = false
    var isSuperuser = false
    var groups: [GroupName] = []
    var permissions: Set<PermissionName> = []
    /// nil: now.
    var created: Timestamp?
}

struct ImportedToken {
    let digest: SecretDigest
    let owner: Owner
    let label: String
    let created: Timestamp?
    let expires: Timestamp?

    enum Owner: Hashable {
        case id(User.ID)
        case name(Username)
    }
}

/// What is read for an import, once to look at it and once to carry it over.
protocol ImportSource {
    /// What it is called in messages.
    var path: String { get }

    /// Calls `body` with each record in order, where it stands, as `record 12`, and how many bytes were read until then.
    /// - Throws: ``ImportError``; what `body` throws.
    func eachRecord(_ body: (ImportRecord, ImportPlace) throws(ImportError) -> Void) throws(ImportError)

    /// Bytes in all.
    var size: Int64 { get }
}

/// Where a record stands in what is imported.
struct ImportPlace {
    /// `line 3`, `object 12, auth.user 5`.
    let description: String
    let bytes: Int64
}

/// Why a record cannot be taken over.
struct ImportRecordError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Why nothing was imported.
public enum ImportError: Error {
    /// The file cannot be opened or read; the system's reason.
    case unreadable(path: String, reason: String)
    /// What stands there is not what the file should be.
    case malformed(path: String, place: String, reason: String)
    /// Records that cannot be taken over, the first ``Store/maximumImportProblems`` of them.
    case refused(path: String, problems: [ImportProblem])
    case store(StoreError)
}

/// A record that cannot be taken over, and why. Holds no secret.
public struct ImportProblem: Sendable, CustomStringConvertible {
    public let place: String
    public let reason: String

    public var description: String { "\(place): \(reason)" }
}

extension ImportError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path) cannot be read: \(reason)."
        case .malformed(let path, let place, let reason): "\(path), \(place): \(reason)"
        case .refused(let path, let problems):
            "Nothing was imported from \(path): \(problems.count == 1 ? "a record" : "\(problems.count) records") cannot be taken over."
        case .store(let error): error.description
        }
    }
}
