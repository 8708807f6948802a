import ArgumentParser
import Glibc
import Postern

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take over the users and tokens of another program.",
        discussion: """
            All of a file is imported, or nothing. What the store has already stays as it is, so that the same file can \
            be imported again: a user who is there keeps flags, password and tokens. Servers may run meanwhile. The file \
            holds secrets: remove it afterwards.
            """,
        subcommands: [Django.self, Htpasswd.self, Export.self]
    )

    struct Django: ImportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read what manage.py dumpdata wrote.",
            discussion: """
                Dump with: manage.py dumpdata contenttypes auth authtoken knox token_blacklist (those of them that the \
                project has, and the application of its user model). Users keep their ids, password hashes, flags, \
                groups and permissions, so nobody has to log in again or to choose a new password; tokens of DRF and \
                of knox stay good. Tokens of simplejwt stay good when its key is imported, too: see postern key import.
                """
        )

        @OptionGroup var target: ImportTarget
        @Option(help: ArgumentHelp("AUTH_USER_MODEL.", valueName: "app.model"))
        var userModel = "auth.user"
        @Option(help: ArgumentHelp("USERNAME_FIELD of the user model.", valueName: "field"))
        var usernameField = "username"
        @Option(
            help: ArgumentHelp(
                "The field that says who is active, where that is not is_active; none: all are.",
                valueName: "field"
            )
        )
        var activeField: String?
        @Option(help: ArgumentHelp("The field that says who is staff.", valueName: "field"))
        var staffField = "is_staff"
        @Option(
            help: ArgumentHelp(
                "A model of the project's own whose objects are tokens as DRF's or knox's; may be repeated.",
                valueName: "app.model"
            )
        )
        var tokenModel: [String] = []

        func run() throws {
            try target.run { store, file, progress throws(ImportError) in
                try store.importDjango(
                    file,
                    userModel: userModel,
                    usernameField: usernameField,
                    activeField: activeField,
                    staffField: staffField,
                    tokenModels: tokenModel,
                    isDryRun: target.dryRun,
                    progress: progress
                )
            }
        }
    }

    struct Htpasswd: ImportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a file of htpasswd.",
            discussion: "Hashes of bcrypt, SHA-crypt, MD5 and SHA-1 stay good, and are replaced at the next login."
        )

        @OptionGroup var target: ImportTarget

        func run() throws {
            try target.run { store, file, progress throws(ImportError) in
                try store.importHtpasswd(file, isDryRun: target.dryRun, progress: progress)
            }
        }
    }

    struct Export: ImportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read what postern export wrote.",
            discussion: "Users come without a password, and tokens not at all: their secrets are in no export."
        )

        @OptionGroup var target: ImportTarget

        func run() throws {
            try target.run { store, file, progress throws(ImportError) in
                try store.importExport(file, isDryRun: target.dryRun, progress: progress)
            }
        }
    }
}

/// A command that imports into a store.
protocol ImportingCommand: ChangingCommand {
    var target: ImportTarget { get }
}

extension ImportingCommand {
    func storePath() throws -> String? { target.dryRun ? nil : try target.store.path() }
}

/// What is imported into which store.
struct ImportTarget: ParsableArguments {
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The file; without it, or as -, standard input.", completion: .file())
    var file: String?
    @Flag(help: "Only look what would be imported.")
    var dryRun = false

    func run(
        _ body: (Store, ImportFile, @escaping Store.Progress) throws(ImportError) -> Store.Imported
    ) throws {
        let store = try store.openShowingProgress("opening")
        do {
            let file = try ImportFile(file == "-" ? nil : file)
            let imported = try Progress.showing("importing") { try body(store, file, $0) }
            show(imported)
        } catch let error as ImportError {
            if case .refused(let path, let problems) = error {
                for problem in problems {
                    StandardError.write("\(printable(path)), \(printable(problem.description))\n")
                }
            }
            throw error
        }
    }

    private func show(_ imported: Store.Imported) {
        let counts = [("users", imported.users), ("groups", imported.groups), ("tokens", imported.tokens)]
        if output.json {
            output.print(
                counts.map { name, counts in
                    (name, .object([("added", .integer(Int64(counts.added))), ("kept", .integer(Int64(counts.kept)))]))
                } + [
                    ("revocations", .integer(Int64(imported.revocations))),
                    ("users_back", .integer(Int64(imported.usersBack))),
                    ("users_without_password", .integer(Int64(imported.usersWithoutPassword))),
                    ("uncomposed_names", Self.object(imported.uncomposedNames)),
                    ("doubtful_names", Self.object(imported.doubtfulNames)),
                    ("unknown_hashes", Self.object(imported.unknownHashes)),
                    ("left_out", Self.object(imported.leftOut)), ("dry_run", .bool(dryRun)),
                ]
            )
            return
        }
        for (name, counts) in counts {
            StandardOutput.write(
                "\(name): \(counts.added) \(dryRun ? "to add" : "added"), \(counts.kept) here already\n"
            )
        }
        let notes = [
            (imported.revocations, "refresh tokens that were blacklisted"),
            (imported.usersBack, "of the users have an id that was given here before"),
            (imported.usersWithoutPassword, "of the users have no password"),
        ]
        for (count, text) in notes where count > 0 { StandardOutput.write("\(count) \(text)\n") }
        for (kind, count) in imported.unknownHashes.sorted(by: { $0.key < $1.key }) {
            StandardOutput.write(
                "\(count) of them because theirs is of the kind \(printable(kind)), which cannot be verified\n"
            )
        }
        if let first = imported.uncomposedNames.first {
            StandardOutput.write(
                "\(imported.uncomposedNames.count) of the users cannot log in by a form, since their names are not composed (NFKC), the first of them \(printable("\(first)"))\n"
            )
        }
        if let first = imported.doubtfulNames.first, let fault = imported.doubtfulNames.fault {
            StandardOutput.write(
                "\(imported.doubtfulNames.count) of the users have names that a new user could not have, the first of them \(printable("\(first)")): \(fault)\n"
            )
        }
        for (what, count) in imported.leftOut.sorted(by: { $0.key < $1.key }) {
            StandardOutput.write("left out: \(count) \(what)\n")
        }
    }

    private static func object(_ names: Store.Names) -> JSONValue {
        .object([
            ("count", .integer(Int64(names.count))), ("first", names.first.map { .string("\($0)") } ?? .null),
        ])
    }

    private static func object(_ counts: [String: Int]) -> JSONValue {
        .object(counts.sorted { $0.key < $1.key }.map { ($0.key, .integer(Int64($0.value))) })
    }
}

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print all groups, users and tokens as JSON Lines, without any secret.",
        discussion: "postern import export reads it. For a copy with everything, take postern store backup."
    )

    @OptionGroup var store: StoreOptions

    func run() throws {
        let store = try store.open()
        var waiting: [UInt8] = []
        var isWhole = true
        try store.export { line in
            waiting += line
            guard waiting.count >= 1 << 16 else { return }
            isWhole = StandardOutput.write(waiting) && isWhole
            waiting.removeAll(keepingCapacity: true)
        }
        guard StandardOutput.write(waiting), isWhole else {
            throw Failure(.inputOutput, "Standard output could not be written: the export is not whole.")
        }
    }
}
