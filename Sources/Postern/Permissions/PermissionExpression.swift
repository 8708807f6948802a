/// Permission classes composed as in DRF, by `&`, `|`, `~` and parentheses. `~` binds tighter than `&`, and `&`
/// tighter than `|`.
struct PermissionExpression: Permission {
    private let root: Node

    indirect enum Node: Sendable {
        case permission(any Permission)
        case not(Node)
        case and(Node, Node)
        case or(Node, Node)
    }

    init(_ root: Node) { self.root = root }

    func allows(_ request: APIRequest) -> Bool { Self.allows(root, request) }

    /// No deeper than ``PermissionParser/maximumOperators``.
    private static func allows(_ node: Node, _ request: APIRequest) -> Bool {
        switch node {
        case .permission(let permission): permission.allows(request)
        case .not(let operand): !allows(operand, request)
        case .and(let left, let right): allows(left, request) && allows(right, request)
        case .or(let left, let right): allows(left, request) || allows(right, request)
        }
    }
}
