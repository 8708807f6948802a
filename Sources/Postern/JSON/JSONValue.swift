/// A JSON text (RFC 8259) as Python's `json` would hold it: members keep their order, numbers their kind.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer that does not fit in 64 bits, as its digits.
    case bigInteger(String)
    case number(Double)
    case string(String)
    /// A string that holds half of a surrogate pair and so is no text; `text` has U+FFFD in its place.
    case brokenString(surrogate: UInt16, text: String)
    case array([JSONValue])
    case object([(name: String, value: JSONValue)])

    /// nil for what is no string.
    var text: String? { if case .string(let text) = self { text } else { nil } }

    /// Whether it is this string, byte for byte.
    func isText(_ text: String) -> Bool {
        if case .string(let own) = self { own.hasSameBytes(as: text) } else { false }
    }

    /// Python's name of the type, which is part of DRF's messages.
    var pythonType: String {
        switch self {
        case .null: "NoneType"
        case .bool: "bool"
        case .integer, .bigInteger: "int"
        case .number: "float"
        case .string, .brokenString: "str"
        case .array: "list"
        case .object: "dict"
        }
    }
}
