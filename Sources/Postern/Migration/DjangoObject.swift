/// One object of a dump: `{"model": "auth.user", "pk": 5, "fields": {…}}`.
struct DjangoObject {
    let model: String
    let key: JSONValue
    private let fields: JSONObject

    init(_ object: JSONObject) throws(JSONError) {
        guard let model = object.string("model"), case .object(let fields)? = object["fields"] else {
            throw JSONError("This is no object of manage.py dumpdata, which has model and fields")
        }
        self.model = model.lowercased()
        self.fields = JSONObject(fields)
        key = object["pk"] ?? .null
    }

    func contains(_ name: String) -> Bool { fields.contains(name) }

    subscript(name: String) -> JSONValue? { fields[name] }

    /// nil where there is none.
    /// - Throws: ``ImportRecordError`` where something else stands there.
    func flag(_ name: String) throws(ImportRecordError) -> Bool? {
        switch self[name] {
        case nil: return nil
        case .bool(let value)?: return value
        default: throw ImportRecordError("its \(name) is neither true nor false.")
        }
    }

    /// Of a token of DRF, or of a model that is made of it; nil for what DRF does not make.
    var tokenKey: [UInt8]? {
        guard let text = self["key"]?.text ?? key.text else { return nil }
        let bytes = Array(text.utf8)
        return TokenSecret.form(of: bytes[...]) == .sha256 && bytes.count == 40 ? bytes : nil
    }

    /// Likewise, of a token of knox.
    var knoxDigest: SecretDigest? {
        (self["digest"]?.text ?? key.text).flatMap { SecretDigest(knox: Array($0.utf8)) }
    }

    var isKnoxToken: Bool { self["token_key"] != nil || knoxDigest != nil }

    func list(_ name: String) -> [JSONValue] { if case .array(let values)? = self[name] { values } else { [] } }

    /// For messages: a token's key is a secret.
    var name: String { if case .integer(let key) = key { "\(model) \(key)" } else { model } }
}
