/// What OPTIONS answers: DRF's `SimpleMetadata`.
enum Metadata {
    /// What it says of one field of a serializer.
    struct Field {
        let name: String
        let isRequired: Bool
        let isReadOnly: Bool

        init(_ name: String, isRequired: Bool = true, isReadOnly: Bool = false) {
            self.name = name
            self.isRequired = isRequired && !isReadOnly
            self.isReadOnly = isReadOnly
        }

        /// DRF's label of a field: its name in words.
        private var label: String {
            let words = name.split(separator: "_").joined(separator: " ")
            return words.prefix(1).uppercased() + words.dropFirst()
        }

        fileprivate var value: JSONValue {
            .object([
                ("type", .string("string")), ("required", .bool(isRequired)), ("read_only", .bool(isReadOnly)),
                ("label", .string(label)),
            ])
        }
    }

    static func actions(_ fields: [Field], for method: Method = .post) -> JSONValue {
        .object([(method.name, .object(fields.map { ($0.name, $0.value) }))])
    }

    static func body(of view: any APIView) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .string(view.name)),
            ("description", .string(view.description)),
            ("renders", .array([.string("application/json")])),
            ("parses", .array(view.parses.map { .string($0.rawValue) })),
        ]
        if let actions = view.actions { members.append(("actions", actions)) }
        return .object(members)
    }
}
