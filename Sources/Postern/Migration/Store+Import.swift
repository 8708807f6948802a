internal import Journal

/// Users and tokens of another program, taken over at once or not at all.
///
/// What the store has already stays as it is: an import that is made again adds only what is not there. A user who is there
/// keeps flags, password and tokens, whatever the file says; one who was deleted here comes back.
extension Store {
    /// What an import brought, or would bring.
    public struct Imported: Sendable {
        public internal(set) var users = Counts()
        public internal(set) var groups = Counts()
        public internal(set) var tokens = Counts()
        /// Blacklisted refresh tokens of simplejwt that have not ended by themselves.
        public internal(set) var revocations = 0
        /// Of the users that were added, those whose id was given here before: who was deleted here comes back.
        public internal(set) var usersBack = 0
        /// Of the users that were added, those whom no password opens.
        public internal(set) var usersWithoutPassword = 0
        /// Among them, those whose hash is of a kind that cannot be verified, by its name.
        public internal(set) var unknownHashes: [String: Int] = [:]
        /// Among the users that were added, those whose name is not composed: Django's login form, and ours, finds them by
        /// no spelling.
        public internal(set) var uncomposedNames = Names()
        /// Likewise, those whose name a new user could not have, see ``Username/init(new:)``.
        public internal(set) var doubtfulNames = Names()
        /// What is not carried over, and how much of it.
        public internal(set) var leftOut: [String: Int] = [:]
    }

    public struct Counts: Sendable, Equatable {
        public internal(set) var added = 0
        /// They were there already, and stay as they are.
        public internal(set) var kept = 0
    }

    public struct Names: Sendable {
        public internal(set) var count = 0
        public internal(set) var first: Username?
        /// What is wrong with the first.
        public internal(set) var fault: UsernameError?
    }

    /// As many are named at once.
    public static let maximumImportProblems = 20

    /// Takes over users, groups, permissions and tokens of a Django project.
    ///
    /// - Parameters:
    ///   - file: What `manage.py dumpdata auth authtoken` wrote.
    ///   - userModel: `AUTH_USER_MODEL`.
    ///   - usernameField: Its `USERNAME_FIELD`.
    ///   - activeField: Its field that stands for `is_active`; `none`: all users are active; nil: it is `is_active`, and a user of
    ///     a model of the project's own who has none is refused.
    ///   - staffField: Its field that stands for `is_staff`; users without it are not staff.
    ///   - tokenModels: Models of the project's own whose objects are tokens as DRF's or knox's.
    ///   - isDryRun: Whether only to look what would be imported.
    /// - Throws: ``ImportError``; nothing was imported then.
    public func importDjango(
        _ file: ImportFile,
        userModel: String = "auth.user",
        usernameField: String = "username",
        activeField: String? = nil,
        staffField: String = "is_staff",
        tokenModels: [String] = [],
        isDryRun: Bool = false,
        progress: @escaping Progress = noProgress
    ) throws(ImportError) -> Imported {
        progress("references", 0)
        let model = DjangoDump.UserModel(
            name: userModel.lowercased(),
            usernameField: usernameField,
            activeField: DjangoDump.UserModel.ActiveField(activeField),
            staffField: staffField
        )
        let dump = try DjangoDump(file, model, tokenModels: Set(tokenModels.map { $0.lowercased() }))
        return try take(dump, isDryRun, progress)
    }

    /// Takes over the users of an `htpasswd` file; otherwise as ``importDjango(_:userModel:usernameField:activeField:staffField:tokenModels:isDryRun:progress:)``.
    public func importHtpasswd(
        _ file: ImportFile,
        isDryRun: Bool = false,
        progress: @escaping Progress = noProgress
    ) throws(ImportError) -> Imported {
        try take(HtpasswdFile(file), isDryRun, progress)
    }

    /// Takes over what ``export(_:)`` wrote; otherwise as ``importDjango(_:userModel:usernameField:activeField:staffField:tokenModels:isDryRun:progress:)``.
    public func importExport(
        _ file: ImportFile,
        isDryRun: Bool = false,
        progress: @escaping Progress = noProgress
    ) throws(ImportError) -> Imported {
        try take(StoreExport(file), isDryRun, progress)
    }

    private func take(
        _ source: some ImportSource,
        _ isDryRun: Bool,
        _ progress: @escaping Progress
    ) throws(ImportError) -> Imported {
        if isDryRun { return try ImportPlan(of: source, for: self, progress).imported }
        var imported = Imported()
        // What the import throws, on its way through the store.
        var failure: ImportError?
        do throws(StoreError) {
            // Of two at once, each would take the other's tokens for leftovers.
            try users.exclusively { () throws(StoreError) in
                do throws(ImportError) {
                    let plan = try ImportPlan(of: source, for: self, progress)
                    if plan.isWorthIt {
                        var carrier = ImportCarrier(plan, source, self)
                        try carrier.carry(progress)
                    }
                    imported = plan.imported
                } catch {
                    failure = error
                }
            }
        } catch {
            throw .store(error)
        }
        if let failure { throw failure }
        return imported
    }
}
