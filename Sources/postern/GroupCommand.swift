import ArgumentParser
import Postern

struct GroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "Make, list and delete groups of users.",
        discussion: "postern user grant puts a user into a group. Whoever is in it has its permissions.",
        subcommands: [Set.self, List.self, Delete.self]
    )

    struct Set: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a group, or give it other permissions.",
            discussion: "It has those permissions then that are named here, and no others."
        )

        @OptionGroup var store: StoreOptions
        @Argument(help: "The group's name.", completion: .groupName)
        var name: String
        @Option(help: ArgumentHelp("A permission, as shop.change_thing; may be repeated.", valueName: "permission"))
        var permission: [String] = []

        func run() throws {
            let name = try GroupName(name.utf8)
            let permissions = try permission.map { try PermissionName($0.utf8) }
            try store.open().setGroup(name, permissions: Swift.Set(permissions))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all groups.")

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let groups = try store.open().groups().sorted { $0.key < $1.key }
            output.print(
                groups.map { name, permissions in
                    [
                        ("name", .string(name.description)),
                        ("permissions", .array(permissions.sorted().map { .string($0.description) })),
                    ]
                },
                headings: ["NAME", "PERMISSIONS"]
            )
        }
    }

    struct Delete: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a group. Nobody is in it then, also when there is one of the same name later."
        )

        @OptionGroup var store: StoreOptions
        @Argument(help: "The group's name.", completion: .groupName)
        var name: String
        @OptionGroup var confirmation: Confirmation

        func run() throws {
            let group = try GroupName(name.utf8)
            let store = try store.open()
            guard try store.groups()[group] != nil else { throw StoreError.noSuchGroup(group) }
            try confirmation.require("delete the group \(group)")
            try store.deleteGroup(group)
        }
    }
}
