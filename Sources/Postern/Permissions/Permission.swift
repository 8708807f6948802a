/// A yes or no over a request whose user is known by now: DRF's `BasePermission.has_permission`.
public protocol Permission: Sendable {
    /// - Throws: ``APIError`` where the answer is neither, which ends the request.
    func allows(_ request: APIRequest) throws(APIError) -> Bool
}

/// DRF's `AllowAny`: everybody, with or without a credential.
public struct AllowAny: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { true }
}

/// DRF's `IsAuthenticated`.
public struct IsAuthenticated: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { request.isAuthenticated }
}

/// DRF's `IsAdminUser`: staff.
public struct IsAdminUser: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { request.user?.isStaff ?? false }
}

/// DRF's `IsAuthenticatedOrReadOnly`: everybody may read.
public struct IsAuthenticatedOrReadOnly: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { request.method.isSafe || request.isAuthenticated }
}

/// Superusers alone.
public struct IsSuperuser: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { request.user?.isSuperuser ?? false }
}

/// Everybody, but only to read (DRF's `SAFE_METHODS`).
public struct ReadOnly: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { request.method.isSafe }
}

/// Nobody.
public struct DenyAll: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { false }
}

/// Users who were recognised by one of these schemes.
public struct AuthenticatedWith: Permission {
    private let schemes: [String]

    /// - Parameter schemes: As `POSTERN_AUTHENTICATION` names them: `JWT`.
    public init(schemes: [String]) { self.schemes = schemes }

    public func allows(_ request: APIRequest) -> Bool { request.scheme.map(schemes.contains) ?? false }
}

/// Members of a group.
public struct InGroup: Permission {
    private let group: GroupName
    public init(_ group: GroupName) { self.group = group }
    public func allows(_ request: APIRequest) -> Bool { request.user?.groups.contains(group) ?? false }
}

/// Users who have a permission, of their own or by a group; superusers have all: Django's `has_perm`.
public struct HasPermission: Permission {
    private let permission: PermissionName
    public init(_ permission: PermissionName) { self.permission = permission }
    public func allows(_ request: APIRequest) -> Bool { request.user?.has(permission) ?? false }
}

/// Credentials that carry a scope (RFC 6749, section 3.3): tokens and JSON Web Tokens.
public struct HasScope: Permission {
    private let scope: String
    public init(_ scope: String) { self.scope = scope }
    public func allows(_ request: APIRequest) -> Bool {
        request.credential?.scopes.contains { $0.utf8.elementsEqual(scope.utf8) } ?? false
    }
}

/// The user whom `POSTERN_OBJECT_OWNER` names.
public struct IsOwner: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool {
        guard let user = request.user, let owner = request.objectOwner else { return false }
        return owner.elementsEqual(user.username.bytes)
    }
}
