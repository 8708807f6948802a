/// Takes fields out of a body, with DRF's messages for what is missing or wrong: DRF's `Serializer` of
/// `CharField`s.
struct Serializer {
    let fields: [CharField]

    /// - Returns: The fields' values by name, in UTF-8; none for one that may be missing and is.
    /// - Throws: ``APIError/invalid(_:)`` with the messages of all fields.
    func validate(_ data: RequestData) throws(APIError) -> [String: [UInt8]] {
        switch data.shape {
        case .object: break
        case .null: throw Self.nonFieldError("No data provided")
        default: throw Self.nonFieldError("Invalid data. Expected a dictionary, but got \(data.shape.pythonType).")
        }
        var values: [String: [UInt8]] = [:]
        var errors: [(name: String, value: JSONValue)] = []
        for field in fields {
            let value = data[field.name]
            if value == nil, !field.isRequired { continue }
            switch field.validate(value) {
            case .success(let value): values[field.name] = Array(value)
            case .failure(let messages): errors.append((field.name, .array(messages.texts.map { .string($0) })))
            }
        }
        guard errors.isEmpty else { throw .invalid(.object(errors)) }
        return values
    }

    /// DRF's `NON_FIELD_ERRORS_KEY`.
    static func nonFieldError(_ text: String) -> APIError {
        .invalid(.object([("non_field_errors", .array([.string(text)]))]))
    }
}
