/// A yes or no over a request whose user is known by now: DRF's `BasePermission.has_permission`.
public protocol Permission: Sendable {
    func allows(_ request: APIRequest) -> Bool
}

/// DRF's `AllowAny`: everybody, with or without a credential.
public struct AllowAny: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { true }
}

/// DRF's `IsAuthenticated`.
public struct IsAuthenticated: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { request.user != nil }
}

/// DRF's `IsAdminUser`: staff.
public struct IsAdminUser: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { request.user?.isStaff ?? false }
}

/// DRF's `IsAuthenticatedOrReadOnly`: everybody may read.
public struct IsAuthenticatedOrReadOnly: Permission {
    public init() {}
    public func allows(_ request: APIRequest) -> Bool { request.method.isSafe || request.user != nil }
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
