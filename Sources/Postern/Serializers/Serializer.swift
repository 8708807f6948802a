internal import Glibc

/// Takes fields out of a body, with DRF's messages for what is missing or wrong: DRF's `Serializer` of
/// `CharField`s.
struct Serializer {
    let fields: [CharField]

    /// - Returns: The fields' values by name; none for one that may be missing and is.
    /// - Throws: ``APIError/invalid(_:)`` with the messages of all fields.
    func validate(_ data: JSONValue) throws(APIError) -> [String: String] {
        let members: [(name: String, value: JSONValue)]
        switch data {
        case .object(let object): members = object
        case .null: throw Self.nonFieldError("No data provided")
        default: throw Self.nonFieldError("Invalid data. Expected a dictionary, but got \(data.pythonType).")
        }
        var values: [String: String] = [:]
        var errors: [(name: String, value: JSONValue)] = []
        for field in fields {
            let value = members.last { $0.name.hasSameBytes(as: field.name) }?.value
            if value == nil, !field.isRequired { continue }
            switch field.validate(value) {
            case .success(let value): values[field.name] = value
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

/// DRF's `CharField`.
struct CharField {
    let name: String
    var trimsWhitespace = true
    var isRequired = true
    var allowsBlank = false
    /// DRF's takes a number for its digits; views that are ours alone do not.
    var takesNumbers = true
    /// In code points; nil: none.
    var maximumLength: Int?

    struct Messages: Error {
        let texts: [String]

        init(_ texts: String...) { self.init(texts: texts) }

        init(texts: [String]) { self.texts = texts }
    }

    /// - Parameter value: nil when the body has no such field.
    func validate(_ value: JSONValue?) -> Result<String, Messages> {
        var surrogate: UInt16?
        let text: String
        switch value {
        case .integer where !takesNumbers, .bigInteger where !takesNumbers, .number where !takesNumbers:
            return .failure(Messages("Not a valid string."))
        case nil: return .failure(Messages("This field is required."))
        case .null: return .failure(Messages("This field may not be null."))
        case .string(let string): text = string
        case .brokenString(let half, let string): (surrogate, text) = (half, string)
        case .integer(let number): text = String(number)
        case .bigInteger(let digits): text = digits
        case .number(let number): text = number.description
        case .bool, .array, .object: return .failure(Messages("Not a valid string."))
        }
        let trimmed = Self.trimmed(text)
        guard allowsBlank || !text.isEmpty && (!trimsWhitespace || !trimmed.isEmpty) else {
            return .failure(Messages("This field may not be blank."))
        }
        var messages: [String] = []
        if Self.hasNull(text) { messages.append("Null characters are not allowed.") }
        if let surrogate {
            messages.append("Surrogate characters are not allowed: U+\(String(surrogate, radix: 16, uppercase: true)).")
        }
        if let maximumLength, Self.isLonger(trimmed, than: maximumLength) {
            messages.append("Ensure this field has no more than \(maximumLength) characters.")
        }
        guard messages.isEmpty else { return .failure(Messages(texts: messages)) }
        return .success(trimsWhitespace ? trimmed : text)
    }

    /// Python's `str.strip()`.
    private static func trimmed(_ text: String) -> String {
        var text = text
        let (start, end) = text.withUTF8 { text in
            // ASCII byte by byte: a text may be all white space.
            var (start, end) = (0, text.count)
            while start < end, isASCIISpace(text[start]) { start += 1 }
            while start < end, isASCIISpace(text[end - 1]) { end -= 1 }
            return (start, end)
        }
        let utf8 = text.utf8
        var rest = text.unicodeScalars[
            utf8.index(utf8.startIndex, offsetBy: start)..<utf8.index(utf8.startIndex, offsetBy: end)
        ]
        // Each of these has two bytes or three.
        while let first = rest.first, isPythonSpace(first) { rest = rest.dropFirst() }
        while let last = rest.last, isPythonSpace(last) { rest = rest.dropLast() }
        return rest.startIndex == text.startIndex && rest.endIndex == text.endIndex ? text : String(rest)
    }

    /// Python's `str.isspace`: Unicode's white space, and the four information separators.
    private static func isPythonSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    private static func isASCIISpace(_ byte: UInt8) -> Bool {
        (0x09...0x0D).contains(byte) || (0x1C...0x20).contains(byte)
    }

    private static func hasNull(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { text in
            // An empty text may have no address.
            text.baseAddress.map { memchr($0, 0, text.count) != nil } ?? false
        }
    }

    /// - Parameter length: In code points, each of which has at most four bytes.
    private static func isLonger(_ text: String, than length: Int) -> Bool {
        text.utf8.count > length && (text.utf8.count > 4 * length || text.unicodeScalars.count > length)
    }
}
