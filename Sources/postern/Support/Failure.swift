import Glibc
import Journal
import Postern
import WebServerConfiguration

/// Why a command ends without having done what it was asked for, as one sentence and an exit code.
struct Failure: Error {
    /// The exit codes of sysexits.h that we use.
    enum Code: Int32 {
        case usage = 64
        case dataError = 65
        case noInput = 66
        case noUser = 67
        case unavailable = 69
        case operatingSystem = 71
        case cannotCreate = 73
        case inputOutput = 74
        case temporary = 75
        case noPermission = 77
        case configuration = 78
    }

    let code: Code
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// nil for an error that is not ours, as those of the argument parser.
    init?(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as StoreError: self.init(Self.code(of: error), error.description)
        case let error as JournalError: self.init(Self.code(of: error), error.description)
        case let error as ImportError: self.init(Self.code(of: error), error.description)
        case let error as UsernameError: self.init(.dataError, error.description)
        case let error as ConfigurationError: self.init(.dataError, error.description)
        case let error as NotASecretError: self.init(.dataError, error.description)
        case let error as NameError: self.init(.dataError, error.description)
        case let error as TokenLimitError: self.init(.usage, error.description)
        case PasswordError.refused(let reason): self.init(.dataError, reason)
        case PasswordError.unavailable:
            self.init(.temporary, "There is not enough memory to hash a password: try again.")
        default: return nil
        }
    }

    private static func code(of error: StoreError) -> Code {
        switch error {
        case .usernameTaken: .cannotCreate
        case .noSuchUser: .noUser
        case .noSuchGroup, .noSuchToken, .noSuchSession, .noSuchKey, .keyInUse, .tokenLimitReached:
            .dataError
        case .key: .configuration
        case .conflict: .temporary
        case .journal(let error): code(of: error)
        }
    }

    private static func code(of error: ImportError) -> Code {
        switch error {
        case .unreadable: .noInput
        case .malformed, .refused: .dataError
        case .store(let error): code(of: error)
        }
    }

    private static func code(of error: JournalError) -> Code {
        switch error {
        case .missing, .notAStore, .wrongType: .noInput
        case .newerVersion, .tooOpen, .networkFileSystem: .configuration
        case .notEmpty: .cannotCreate
        case .foreignOwner: .noPermission
        case .foreignFile, .damaged, .cutShort, .replaced, .notUnderstood, .wrongIndex: .dataError
        case .locked: .temporary
        case .poisoned: .inputOutput
        case .system(_, _, let number):
            switch number {
            case EACCES, EPERM, EROFS: .noPermission
            case ENOLCK, EMFILE, ENFILE, ENOMEM: .operatingSystem
            default: .inputOutput
            }
        }
    }
}
