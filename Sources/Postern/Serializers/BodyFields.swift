/// Takes fields of several kinds out of a body, and keeps the messages for those that are wrong: for views whose
/// fields are not all texts, as ``Serializer`` has them.
struct BodyFields {
    private let data: RequestData
    private var errors: [(name: String, value: JSONValue)] = []

    /// - Throws: ``APIError`` when the body cannot be read, or has no fields.
    init(_ request: APIRequest) throws(APIError) {
        data = try request.data()
        // What is not an object gets the serializer's answer.
        _ = try Serializer(fields: []).validate(data)
    }

    /// A number is no text here.
    /// - Returns: nil for one that may be missing and is, or is wrong.
    mutating func text(_ field: CharField) -> [UInt8]? {
        let value = data[field.name]
        if value == nil, !field.isRequired { return nil }
        var field = field
        field.takesNumbers = false
        switch field.validate(value) {
        case .success(let text): return Array(text)
        case .failure(let messages):
            errors.append((field.name, .array(messages.texts.map { .string($0) })))
            return nil
        }
    }

    /// DRF's `BooleanField`, which takes numbers and texts from JSON as well.
    mutating func boolean(_ name: String) -> Bool? {
        switch data[name] {
        case nil: return nil
        case .other(.bool(let value)): return value
        case .other(.null): refuse(name, "This field may not be null.")
        case .text(let text, nil) where data.isForm:
            // No word that is meant is as long.
            if let value = Boolean.parse(String(decoding: text.prefix(8), as: UTF8.self)) { return value }
            fallthrough
        default: refuse(name, "Must be a valid boolean.")
        }
        return nil
    }

    /// DRF's `ListField` of texts: an array, or the field several times in a form.
    private mutating func list(_ name: String) -> [ArraySlice<UInt8>]? {
        guard let value = data[name] else { return nil }
        if data.isForm { return data.texts(name) }
        guard case .list(let texts) = value else {
            if case .other(.null) = value {
                refuse(name, "This field may not be null.")
            } else {
                refuse(name, "Expected a list of items but got type \"\(value.pythonType)\".")
            }
            return nil
        }
        if texts == nil { refuse(name, "Not a valid string.") }
        return texts
    }

    /// Likewise, with each made what it is the name of.
    mutating func names<Name: Hashable>(
        _ field: String,
        _ make: ([UInt8]) throws(NameError) -> Name
    ) -> Set<Name>? {
        guard let texts = list(field) else { return nil }
        do throws(NameError) {
            var names: Set<Name> = []
            for text in texts { names.insert(try make(Array(text))) }
            return names
        } catch {
            refuse(field, error.description)
            return nil
        }
    }

    mutating func refuse(_ name: String, _ message: String) {
        errors.append((name, .array([.string(message)])))
    }

    /// Whether the body has the field, with whatever value.
    func has(_ name: String) -> Bool { data.contains(name) }

    /// - Throws: ``APIError/invalid(_:)`` with the messages of all fields that are wrong.
    func check() throws(APIError) {
        guard errors.isEmpty else { throw .invalid(.object(errors)) }
    }
}

/// What DRF's `BooleanField` takes for yes and no.
enum Boolean {
    static func parse(_ text: String) -> Bool? {
        if isYes.contains(text) { return true }
        return isNo.contains(text) ? false : nil
    }

    private static let isYes: Set = [
        "t", "T", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "1",
    ]
    private static let isNo: Set = [
        "f", "F", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "0",
    ]
}
