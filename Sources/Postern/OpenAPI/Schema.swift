/// Builds schemas (OpenAPI 3.1, section 4.8.24: JSON Schema 2020-12) as JSON.
enum Schema {
    typealias Members = [(name: String, value: JSONValue)]

    static let text: JSONValue = .object([("type", .string("string"))])
    static let boolean: JSONValue = .object([("type", .string("boolean"))])
    static let integer: JSONValue = .object([("type", .string("integer")), ("format", .string("int64"))])
    static let time: JSONValue = text(("format", .string("date-time")))
    static let texts: JSONValue = list(of: text)

    static func integer(from least: Int64, to greatest: Int64) -> JSONValue {
        .object([("type", .string("integer")), ("minimum", .integer(least)), ("maximum", .integer(greatest))])
    }

    /// A string under conditions.
    static func text(_ conditions: (name: String, value: JSONValue)...) -> JSONValue {
        .object([("type", .string("string"))] + conditions)
    }

    static func list(of element: JSONValue) -> JSONValue {
        .object([("type", .string("array")), ("items", element)])
    }

    static func orNull(_ schema: JSONValue) -> JSONValue {
        guard case .object(let members) = schema else { return schema }
        return .object(
            members.map { member in
                guard member.name == "type" else { return member }
                return (member.name, .array([member.value, .string("null")]))
            }
        )
    }

    static func reference(_ name: String) -> JSONValue {
        .object([("$ref", .string("#/components/schemas/" + name))])
    }

    static func anyOf(_ schemas: JSONValue...) -> JSONValue { .object([("anyOf", .array(schemas))]) }

    /// - Parameter optional: Names of properties that may be missing.
    static func object(
        _ properties: Members,
        optional: [String] = [],
        _ description: String? = nil
    ) -> JSONValue {
        let required = properties.map(\.name).filter { !optional.contains($0) }
        var members: Members = [("type", .string("object"))]
        if let description { members.append(("description", .string(description))) }
        members.append(("properties", .object(properties)))
        if !required.isEmpty { members.append(("required", .array(required.map { .string($0) }))) }
        return .object(members)
    }

    /// DRF's page of a list.
    static func page(of name: String) -> JSONValue {
        let link = orNull(text(("format", .string("uri-reference"))))
        return object([
            ("count", integer), ("next", link), ("previous", link), ("results", list(of: reference(name))),
        ])
    }
}
