import ArgumentParser
import Journal
import Postern

struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Add, show and change users.",
        subcommands: [
            Add.self, List.self, Show.self, SetPassword.self, Enable.self, Disable.self, Grant.self, RevokeAll.self,
            Delete.self,
        ]
    )

    struct Add: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a user.",
            discussion: """
                The password comes from a prompt, or is one line of standard input where that is no terminal. \
                With --with-token the token stands alone on standard output, for the only time.
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var rules: PasswordOptions
        @Argument(help: "The username.")
        var name: String
        @Flag(help: "May pass IsAdminUser (DRF's is_staff).")
        var staff = false
        @Flag(help: "DRF's is_superuser.")
        var superuser = false
        @Flag(help: "Make a token for the user as well and print it.")
        var withToken = false
        @Flag(help: "No password opens the account: it is for tokens alone.")
        var noPassword = false

        func run() throws {
            let username = try Username(new: name.utf8)
            let store = try store.open()
            guard try store.user(named: username) == nil else { throw StoreError.usernameTaken(username) }
            let (user, secret) = try Accounts(store: store, rules: try rules.rules()).addUser(
                username,
                password: noPassword ? nil : try PasswordInput.newPassword(for: name),
                isStaff: staff,
                isSuperuser: superuser,
                withToken: withToken
            )
            if username.bytes != Array(name.utf8) {
                StandardError.write("The user is called \(username): the name is composed (NFKC), as Django does it.\n")
            }
            if output.json {
                output.print(user.members + (secret.map { [("token", .string($0.text))] } ?? []))
            } else if let secret {
                StandardOutput.write(secret.text + "\n")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all users.")

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let users = try store.open().allUsers()
            output.print(
                headings: [
                    "ID", "USERNAME", "ACTIVE", "STAFF", "SUPERUSER", "PASSWORD", "HASH", "CREATED", "GROUPS",
                    "PERMISSIONS",
                ]
            ) { for user in users { $0(user.members) } }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a user.")

        @OptionGroup var target: UserArgument
        @OptionGroup var output: OutputOptions

        func run() throws { output.print(try target.user().1.members) }
    }

    struct SetPassword: UserChangingCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-password",
            abstract: "Set a password. Every credential issued before is dead.",
            discussion: "The password comes from a prompt, or is one line of standard input where that is no terminal."
        )

        @OptionGroup var target: UserArgument
        @OptionGroup var rules: PasswordOptions

        func run() throws {
            let (store, user) = try target.user()
            try Accounts(store: store, rules: try rules.rules())
                .setPassword(of: user, to: try PasswordInput.newPassword(for: target.name))
        }
    }

    struct Enable: UserChangingCommand {
        static let configuration = CommandConfiguration(abstract: "Let a disabled user in again, with new credentials.")

        @OptionGroup var target: UserArgument

        func run() throws {
            let (store, user) = try target.user()
            try store.setActive(user.id, true)
        }
    }

    struct Disable: UserChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a user out. Every credential issued before is dead, also after enabling again."
        )

        @OptionGroup var target: UserArgument

        func run() throws {
            let (store, user) = try target.user()
            try store.setActive(user.id, false)
        }
    }

    struct Grant: UserChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give or take a user's flags, groups and permissions."
        )

        @OptionGroup var target: UserArgument
        @Flag(inversion: .prefixedNo, help: "May pass IsAdminUser (DRF's is_staff).")
        var staff: Bool?
        @Flag(inversion: .prefixedNo, help: "DRF's is_superuser.")
        var superuser: Bool?
        @Option(
            help: ArgumentHelp("Put the user into this group; may be repeated.", valueName: "group"),
            completion: .groupName
        )
        var group: [String] = []
        @Option(
            help: ArgumentHelp("Take the user out of this group; may be repeated.", valueName: "group"),
            completion: .groupName
        )
        var noGroup: [String] = []
        @Option(
            help: ArgumentHelp("Give a permission, as shop.change_thing; may be repeated.", valueName: "permission")
        )
        var permission: [String] = []
        @Option(help: ArgumentHelp("Take a permission away; may be repeated.", valueName: "permission"))
        var noPermission: [String] = []

        func validate() throws {
            if staff == nil, superuser == nil, (group + noGroup + permission + noPermission).isEmpty {
                throw ValidationError("Name a flag, a group or a permission to give or to take.")
            }
        }

        func run() throws {
            let groups = try group.map { try GroupName($0.utf8) }
            let noGroups = try noGroup.map { try GroupName($0.utf8) }
            let permissions = try permission.map { try PermissionName($0.utf8) }
            let noPermissions = try noPermission.map { try PermissionName($0.utf8) }
            let (store, user) = try target.user()
            try store.grant(
                user.id,
                addingGroups: groups,
                removingGroups: noGroups,
                addingPermissions: permissions,
                removingPermissions: noPermissions
            )
            try store.grant(user.id, staff: staff, superuser: superuser)
        }
    }

    struct RevokeAll: UserChangingCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke-all",
            abstract: "End every token, session and JSON Web Token of a user.",
            discussion: "They are refused from the next request on, in every running server. The password stays."
        )

        @OptionGroup var target: UserArgument

        func run() throws {
            let (store, user) = try target.user()
            try store.revokeAll(of: user.id)
        }
    }

    struct Delete: UserChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a user. Their credentials are dead with them."
        )

        @OptionGroup var target: UserArgument
        @OptionGroup var confirmation: Confirmation

        func run() throws {
            let (store, user) = try target.user()
            try confirmation.require("delete the user \(printable(target.name))")
            try store.deleteUser(user.id)
        }
    }
}

/// An existing user in a store.
struct UserArgument: ParsableArguments {
    @OptionGroup var store: StoreOptions
    @Argument(help: "The username.", completion: .username)
    var name: String

    func user() throws -> (Store, User) {
        let store = try store.open()
        return (store, try store.existingUser(name))
    }
}

/// What a new password must be.
struct PasswordOptions: ParsableArguments {
    @Option(help: "Characters that a password needs at least; not below \(PasswordRules.lowestMinimum).")
    var minimumPasswordLength = 15

    func rules() throws -> PasswordRules {
        guard minimumPasswordLength >= PasswordRules.lowestMinimum else {
            throw Failure(.usage, "--minimum-password-length cannot be below \(PasswordRules.lowestMinimum).")
        }
        return PasswordRules(minimumLength: minimumPasswordLength)
    }
}

extension User {
    var members: [(key: String, value: JSONValue)] {
        [
            ("id", .integer(id)),
            ("username", .string(username.description)),
            ("is_active", .bool(isActive)),
            ("is_staff", .bool(isStaff)),
            ("is_superuser", .bool(isSuperuser)),
            ("has_password", .bool(passwordHash != nil)),
            ("password_hash", passwordHashName.map { .string($0) } ?? .null),
            ("created", .string(created.rfc3339)),
            ("groups", .array(groups.map { .string($0.description) })),
            ("permissions", .array(permissions.sorted().map { .string($0.description) })),
        ]
    }
}
