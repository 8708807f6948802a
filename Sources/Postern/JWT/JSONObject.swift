/// The members of a JSON object. One inside of a token or a key is read strictly (RFC 7515, section 4; RFC 7519, section 4):
/// UTF-8, no name twice, and not endless.
struct JSONObject {
    let members: [(name: String, value: JSONValue)]

    private static let limits = JSONReader.Limits(depth: 8, members: 64, allowsDoubledNames: false)

    /// nil for anything but such an object.
    init?(_ text: [UInt8]) {
        guard case .object(let members)? = try? JSONReader.read(text, Self.limits) else { return nil }
        self.members = members
    }

    init(_ members: [(name: String, value: JSONValue)]) { self.members = members }

    /// Names are compared byte by byte, not by Unicode's equivalences.
    subscript(name: String) -> JSONValue? { members.first { $0.name.hasSameBytes(as: name) }?.value }

    func contains(_ name: String) -> Bool { self[name] != nil }

    /// Only where the reader kept them.
    var hasDoubledNames: Bool { Set(members.map { Array($0.name.utf8) }).count < members.count }

    /// nil when there is no such member, or it is no string.
    func string(_ name: String) -> String? {
        self[name]?.text
    }

    /// A base64url text as its bytes; nil likewise, and for what is no strict base64url.
    func base64URL(_ name: String) -> [UInt8]? { string(name).flatMap { Base64URL.decode(Array($0.utf8)[...]) } }
}
