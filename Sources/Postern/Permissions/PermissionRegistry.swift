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
            ("ReadOnly", ReadOnly()), ("DenyAll", DenyAll()),
        ]
        makers = [:]
        for (name, permission) in plain { register(name, permission) }
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

    subscript(name: String) -> Maker? { makers[name] }

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
