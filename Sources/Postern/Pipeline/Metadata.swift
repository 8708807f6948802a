/// What OPTIONS answers: DRF's `SimpleMetadata`.
enum Metadata {
    static func body(of view: any APIView) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .string(view.name)),
            ("description", .string(view.description)),
            ("renders", .array([.string("application/json")])),
            ("parses", .array(view.parses.map { .string($0) })),
        ]
        if let actions = view.actions { members.append(("actions", actions)) }
        return .object(members)
    }
}
