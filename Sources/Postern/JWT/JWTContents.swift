internal import Journal

/// What a token says whose signature holds, read once: whoever presents it again has it read no more.
///
/// Nothing of it depends on when or where it is presented; that is ``JWTClaims``' affair.
final class JWTContents: Sendable {
    let object: JSONObject
    /// Whether another issuer signed it, whose claims mean other things.
    let isForeign: Bool
    let issued, notBefore, expires: NumericDate
    let issuer, audience, kind: JSONValue?
    /// Whether `sub` or `jti` is there and is no text.
    let hasMalformedName: Bool
    let jti: String?
    /// nil where it names nobody of ours.
    let userID: User.ID?
    /// nil where it knows of no epoch of ours.
    let epoch: Int64?
    let scopes: [String]?
    /// The name under which this one token is revoked.
    let revocationID: [UInt8]
    /// The name in the store of the family of refresh tokens that it belongs to. One from elsewhere is a family of its
    /// own.
    let familyID: [UInt8]

    /// RFC 7519, section 2, cut to whole seconds as Python's `int` does.
    enum NumericDate: Sendable {
        case absent
        case malformed
        case seconds(Int64)

        init(_ value: JSONValue?) {
            switch value {
            case nil: self = .absent
            case .integer(let number)? where (-Timestamp.lastSecond...Timestamp.lastSecond).contains(number):
                self = .seconds(number)
            case .number(let number)? where number.isFinite && number.magnitude <= Double(Timestamp.lastSecond):
                self = .seconds(Int64(number))
            default: self = .malformed
            }
        }

        /// nil where there is no date, and for what is none.
        var value: Int64? { if case .seconds(let seconds) = self { seconds } else { nil } }
    }

    init(_ object: JSONObject, isForeign: Bool) {
        self.object = object
        self.isForeign = isForeign
        issued = NumericDate(object["iat"])
        notBefore = NumericDate(object["nbf"])
        expires = NumericDate(object["exp"])
        issuer = object["iss"]
        audience = object["aud"]
        kind = object["token_type"]
        hasMalformedName = ["sub", "jti"].contains { object.contains($0) && object.string($0) == nil }
        jti = object.string("jti")
        userID = Self.userID(object["user_id"])
        epoch = if !isForeign, case .integer(let epoch)? = object["epoch"] { epoch } else { nil }
        scopes = Self.scopes(object["scope"])
        let id = Array((jti ?? "").utf8)
        revocationID = isForeign ? Array("foreign ".utf8) + id : id
        familyID = isForeign ? revocationID : object.string("family").map { Array($0.utf8) } ?? id
    }

    /// simplejwt writes it as a string since 5.5.1, as a number before.
    private static func userID(_ value: JSONValue?) -> User.ID? {
        switch value {
        case .integer(let number)?: number
        case .string(let text)?: Decimal.parse(Array(text.utf8)[...])
        default: nil
        }
    }

    /// `scope` (RFC 8693, section 4.2), also as the list that some issuers make of it; nil where there is none.
    private static func scopes(_ value: JSONValue?) -> [String]? {
        switch value {
        case .string(let text)?: text.utf8.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
        case .array(let elements)?:
            elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
        case nil: nil
        default: []
        }
    }
}
