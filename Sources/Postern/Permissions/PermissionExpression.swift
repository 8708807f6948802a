/// Permission classes composed as in DRF, by `&`, `|`, `~` and parentheses. `~` binds tighter than `&`, and `&`
/// tighter than `|`.
struct PermissionExpression: Permission {
    private let root: Node

    indirect enum Node: Sendable {
        case permission(any Permission, text: String)
        case not(Node)
        case and(Node, Node)
        case or(Node, Node)
    }

    init(_ root: Node) { self.root = root }

    func allows(_ request: APIRequest) throws(APIError) -> Bool { try Self.allows(root, request) }

    /// The classes in the order in which they stand, each with what it says by itself.
    func verdicts(_ request: APIRequest) throws(APIError) -> [(text: String, isAllowed: Bool)] {
        var verdicts: [(text: String, isAllowed: Bool)] = []
        try Self.walk(root) { permission, text throws(APIError) in
            verdicts.append((text, try permission.allows(request)))
        }
        return verdicts
    }

    /// No deeper than ``PermissionParser/maximumOperators``.
    private static func allows(_ node: Node, _ request: APIRequest) throws(APIError) -> Bool {
        switch node {
        case .permission(let permission, _): return try permission.allows(request)
        case .not(let operand): return try !allows(operand, request)
        case .and(let left, let right):
            guard try allows(left, request) else { return false }
            return try allows(right, request)
        case .or(let left, let right):
            if try allows(left, request) { return true }
            return try allows(right, request)
        }
    }

    private static func walk(
        _ node: Node,
        _ body: (any Permission, String) throws(APIError) -> Void
    ) throws(APIError) {
        switch node {
        case .permission(let permission, let text): try body(permission, text)
        case .not(let operand): try walk(operand, body)
        case .and(let left, let right), .or(let left, let right):
            try walk(left, body)
            try walk(right, body)
        }
    }
}
