/// The permission classes that a location can name, ours and those of an engineer who builds on the library.
public struct PermissionRegistry: Sendable {
    /// Makes the permission of one place in an expression from the texts that stand in parentheses after its name,
    /// or throws ``PermissionArgumentError``.
    public typealias Maker = @Sendable ([String]) throws -> any Permission

    private var makers: [String: Maker]

    /// Our own classes.
    public init() {
        let plain: [(String, any Permission)] = [
            ("AllowAny", AllowAny()), ("IsAuthenticated", IsAuthenticated()), ("IsAdminUser", IsAdminUser()),
            ("IsSuperuser", IsSuperuser()), ("IsAuthenticatedOrReadOnly", IsAuthenticatedOrReadOnly()),
            ("ReadOnly", ReadOnly()), ("DenyAll", DenyAll()), ("IsOwner", IsOwner()),
        ]
        makers = [:]
        for (name, permission) in plain { register(name, permission) }
        register("InGroup", naming: "a group") { InGroup(try GroupName($0.utf8)) }
        register("HasPermission", naming: "a permission") { HasPermission(try PermissionName($0.utf8)) }
        register("HasScope", naming: "a scope") { HasScope(try TokenLimits(scopes: [$0]).scopes[0]) }
    }

    /// Binds `name`, as `POSTERN_PERMISSION` has it, to a class of your own; in place of ours if it is the same.
    ///
    /// - Parameter name: Letters, digits and underscores.
    public mutating func register(_ name: String, _ maker: @escaping Maker) {
        makers[name] = maker
    }

    /// The same for a class that takes no arguments.
    public mutating func register(_ name: String, _ permission: any Permission) {
        makers[name] = { arguments in
            guard arguments.isEmpty else { throw PermissionArgumentError("takes no arguments") }
            return permission
        }
    }

    /// For a class that takes one text, which `make` reads.
    private mutating func register(
        _ name: String,
        naming what: String,
        _ make: @escaping @Sendable (String) throws -> any Permission
    ) {
        register(name) { arguments in
            guard arguments.count == 1 else {
                throw PermissionArgumentError("needs the name of \(what), and nothing else")
            }
            do {
                return try make(arguments[0])
            } catch {
                throw PermissionArgumentError("cannot name '\(arguments[0])': \(error)")
            }
        }
    }

    subscript(name: String) -> Maker? { makers[name] }

    /// Binds the classes that go by a model to the one of the location.
    /// - Parameter model: `POSTERN_MODEL`; nil where it is not given.
    func withModel(_ model: String?) -> PermissionRegistry {
        var registry = self
        for (name, allowsAnonymousReading) in [("ModelPermissions", false), ("ModelPermissionsOrAnonReadOnly", true)] {
            registry.register(name) { arguments in
                guard arguments.isEmpty else { throw PermissionArgumentError("takes no arguments") }
                guard let model else { throw PermissionArgumentError("needs POSTERN_MODEL") }
                guard
                    let permission = try? ModelPermissions(model: model, allowsAnonymousReading: allowsAnonymousReading)
                else { throw PermissionArgumentError("needs a POSTERN_MODEL as shop.thing, which '\(model)' is not") }
                return permission
            }
        }
        return registry
    }

    /// Lets `AuthenticatedWith` name these and no other schemes: one that is misspelt would be nobody's, and after a
    /// `~` everybody's.
    mutating func registerAuthenticatedWith(_ schemes: [String]) {
        register("AuthenticatedWith") { arguments in
            guard !arguments.isEmpty else { throw PermissionArgumentError("needs the name of an authenticator") }
            for name in arguments where !schemes.contains(name) {
                throw PermissionArgumentError("names the unknown authenticator '\(name)'")
            }
            return AuthenticatedWith(schemes: arguments)
        }
    }
}

/// Arguments of a permission class that make no sense.
public struct PermissionArgumentError: Error, CustomStringConvertible {
    /// What follows the name of the class in a sentence.
    public let description: String

    public init(_ description: String) { self.description = description }
}
