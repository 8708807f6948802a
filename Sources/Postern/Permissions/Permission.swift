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
