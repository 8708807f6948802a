internal import Journal

/// What `manage.py dumpdata auth authtoken` writes, as JSON or JSON Lines: users, groups and permissions of Django, tokens
/// of DRF (`authtoken`) and knox (`knox`), and the blacklist of simplejwt (`token_blacklist`). Other models are passed over.
struct DjangoDump: ImportSource {
    /// How the project calls its users.
    struct UserModel: Sendable {
        /// `AUTH_USER_MODEL` in small letters, as dumps have it.
        let name: String
        /// `USERNAME_FIELD`.
        let usernameField: String
        let activeField: ActiveField
        /// The field that stands for `is_staff`.
        let staffField: String

        /// What says whether a user is active. Django asks the attribute `is_active`, which may be a property of any other
        /// field, and is true where a model has none: a dump cannot tell.
        enum ActiveField {
            /// `is_active`, which a model of the project's own has to have for that.
            case usual
            case named(String)
            /// There is none: all are active.
            case none

            /// - Parameter text: As `--active-field` has it; nil: it is not given.
            init(_ text: String?) {
                self =
                    switch text {
                    case nil: .usual
                    case "none"?: .none
                    case let name?: .named(name)
                    }
            }
        }

        /// What is to be said about a user of whom nobody can say whether they are active; nil: nothing.
        func problem(with user: DjangoObject) -> String? {
            switch activeField {
            case .none: return nil
            case .usual:
                // Django's own model has the field, and true is what loaddata makes of one that is left out.
                guard name != "auth.user", user["is_active"] == nil else { return nil }
                return
                    "the users have no field is_active: say with --active-field which one says who is active, or --active-field none if all are."
            case .named(let field): return user[field] == nil ? "the users have no field \(field)." : nil
            }
        }

        func isActive(_ user: DjangoObject) throws(ImportRecordError) -> Bool {
            switch activeField {
            case .none: true
            case .usual: try user.flag("is_active") ?? true
            case .named(let field): try user.flag(field) ?? false
            }
        }
    }

    private let file: ImportFile
    private let model: UserModel
    /// Models of tokens, beside DRF's and knox's own, in small letters.
    private let tokenModels: Set<String>
    private let references: DjangoReferences

    var path: String { file.path }
    var size: Int64 { file.size }

    /// Reads the file once, for what records refer to: they may stand in any order.
    /// - Throws: ``ImportError``, also for users and tokens of models that no option names: they would be left behind.
    init(_ file: ImportFile, _ model: UserModel, tokenModels: Set<String> = []) throws(ImportError) {
        self.file = file
        self.model = model
        self.tokenModels = tokenModels
        var references = DjangoReferences()
        var unnamed = UnnamedModels(model, tokenModels)
        try file.eachObject(Self.word, DjangoObject.init) { object, place throws(ImportError) in
            references.take(object, model)
            unnamed.look(at: object, place)
            // Once, for it is the same for all of them.
            guard object.model == model.name, let reason = model.problem(with: object) else { return }
            let problem = ImportProblem(place: "\(place.description), \(object.name)", reason: reason)
            throw .refused(path: file.path, problems: [problem])
        }
        if let (place, reason) = unnamed.problem {
            throw .malformed(path: file.path, place: place, reason: reason)
        }
        self.references = references
    }

    func eachRecord(_ body: (ImportRecord, ImportPlace) throws(ImportError) -> Void) throws(ImportError) {
        for (key, group) in references.groups.sorted(by: { $0.key < $1.key }) {
            try body(record(group), ImportPlace(description: "auth.group \(key)", bytes: 0))
        }
        try file.eachObject(Self.word, DjangoObject.init) { object, place throws(ImportError) in
            guard let record = record(object) else { return }
            try body(record, ImportPlace(description: "\(place.description), \(object.name)", bytes: place.bytes))
        }
    }

    private static let word = "object"

    /// nil for what is no record of its own.
    private func record(_ object: DjangoObject) -> ImportRecord? {
        do throws(ImportRecordError) {
            switch object.model {
            case model.name: return .user(try user(object))
            case "authtoken.token": return try token(object)
            case "knox.authtoken": return try knoxToken(object)
            case let name where tokenModels.contains(name):
                return try object.isKnoxToken ? knoxToken(object) : token(object)
            case "token_blacklist.outstandingtoken":
                guard case .integer(let key) = object.key, references.blacklisted.contains(key),
                    let jti = object["jti"]?.text
                else { return nil }
                // Without a zone, the latest that it can be.
                guard let end = try DjangoTime(object["expires_at"]) else { throw ImportRecordError("it has no end.") }
                let expires = end.hasZone ? end.time : end.time.adding(seconds: DjangoTime.greatestOffset)
                return .revocation(jti: Array(jti.utf8), expires: expires)
            case "auth.user": return .problem("the users are of \(model.name), and this is one of auth.user.")
            default: return nil
            }
        } catch {
            return .problem(error.description)
        }
    }

    // MARK: Users and groups

    private func user(_ object: DjangoObject) throws(ImportRecordError) -> ImportedUser {
        guard let text = object[model.usernameField]?.text else {
            throw ImportRecordError("it has no \(model.usernameField): name the field with --username-field.")
        }
        let username: Username
        do throws(UsernameError) {
            username = try Username(text.utf8)
        } catch {
            throw ImportRecordError(error.description)
        }
        let (hash, unknown) = Self.hash(object["password"]?.text ?? "!")
        var id: User.ID?
        switch object.key {
        case .integer(let key): id = key
        case .string: id = nil
        default: throw ImportRecordError("it has no primary key: dump without --natural-primary.")
        }
        return ImportedUser(
            id: id,
            username: username,
            passwordHash: hash,
            unknownHash: unknown,
            isActive: try model.isActive(object),
            isStaff: try object.flag(model.staffField) ?? false,
            isSuperuser: try object.flag("is_superuser") ?? false,
            groups: try object.list("groups").map { value throws(ImportRecordError) in try references.groupName(value) }
                .sorted(),
            permissions: try references.permissions(object.list("user_permissions")),
            created: try DjangoTime(object["date_joined"])?.time
        )
    }

    /// - Returns: The hash as a store writes it, or of which unknown kind it is.
    private static func hash(_ text: String) -> (stored: String?, unknown: String?) {
        // Django's `UNUSABLE_PASSWORD_PREFIX`.
        if text.hasPrefix("!") || text.isEmpty { return (nil, nil) }
        if let stored = PasswordHash.stored(fromDjango: text) { return (stored, nil) }
        return (nil, PasswordHash.unknownKind(text))
    }

    private func record(_ group: DjangoReferences.Group) -> ImportRecord {
        do throws(ImportRecordError) {
            return .group(try group.groupName, try references.permissions(group.permissions))
        } catch {
            return .problem(error.description)
        }
    }

    // MARK: Tokens

    private func token(_ object: DjangoObject) throws(ImportRecordError) -> ImportRecord {
        guard let key = object.tokenKey else {
            return .leftOut("tokens whose keys are not 40 hexadecimal digits, as DRF makes them")
        }
        return try token(SecretDigest(of: key[...]), object, label: "from Django REST Framework")
    }

    private func knoxToken(_ object: DjangoObject) throws(ImportRecordError) -> ImportRecord {
        guard object["salt"] == nil else { return .leftOut("tokens of knox before 4.2, whose digests have a salt") }
        guard let digest = object.knoxDigest else {
            return .leftOut("tokens of knox whose digests are not of SHA-512")
        }
        return try token(digest, object, label: "from knox")
    }

    private func token(
        _ digest: SecretDigest,
        _ object: DjangoObject,
        label: String
    ) throws(ImportRecordError) -> ImportRecord {
        let expiry = try DjangoTime(object["expiry"])
        guard expiry?.hasZone ?? true else {
            throw ImportRecordError("nobody can say when it ends, for its time has no zone: dump with USE_TZ = True.")
        }
        return .token(
            ImportedToken(
                digest: digest,
                owner: try references.owner(object["user"]),
                label: label,
                created: try DjangoTime(object["created"])?.time,
                expires: expiry?.time
            )
        )
    }
}
