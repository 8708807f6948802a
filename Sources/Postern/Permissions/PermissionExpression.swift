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

    /// As it would be written.
    var description: String { Self.text(root, within: 0) }

    /// - Parameter precedence: Of what stands around it: 0 for `|`, 1 for `&`, 2 for `~`.
    private static func text(_ node: Node, within precedence: Int) -> String {
        func enclosed(_ text: String, _ own: Int) -> String { own < precedence ? "(\(text))" : text }
        return switch node {
        case .permission(_, let text): text
        case .not(let operand): "~" + text(operand, within: 2)
        case .and(let left, let right): enclosed("\(text(left, within: 1)) & \(text(right, within: 1))", 1)
        case .or(let left, let right): enclosed("\(text(left, within: 0)) | \(text(right, within: 0))", 0)
        }
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
