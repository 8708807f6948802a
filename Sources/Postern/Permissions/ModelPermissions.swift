/// DRF's `DjangoModelPermissions`: users may read, and add, change or delete by the permission that Django makes for
/// each of these of a model. And `DjangoModelPermissionsOrAnonReadOnly`, by which everybody may read.
public struct ModelPermissions: Permission {
    private let add, change, delete: PermissionName
    private let allowsAnonymousReading: Bool

    /// - Parameter model: An application's label, a full stop, a model's name: `shop.thing`.
    /// - Throws: ``NameError`` for anything else.
    public init(model: String, allowsAnonymousReading: Bool = false) throws(NameError) {
        let parts = model.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else { throw .permission }
        func permission(_ action: String) throws(NameError) -> PermissionName {
            try PermissionName(Array(parts[0]) + Array(".\(action)_".utf8) + Array(parts[1]))
        }
        add = try permission("add")
        change = try permission("change")
        delete = try permission("delete")
        self.allowsAnonymousReading = allowsAnonymousReading
    }

    /// - Throws: ``APIError/methodNotAllowed(_:)`` for a method that DRF's `perms_map` does not know.
    public func allows(_ request: APIRequest) throws(APIError) -> Bool {
        guard request.user != nil || allowsAnonymousReading else { return false }
        let needed: PermissionName?
        switch request.method {
        case .get, .head, .options: needed = nil
        case .post: needed = add
        case .put, .patch: needed = change
        case .delete: needed = delete
        default: throw .methodNotAllowed(request.method)
        }
        return needed.map { request.user?.has($0) ?? false } ?? true
    }
}
