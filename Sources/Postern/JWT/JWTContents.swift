internal import Journal

/// What a token says whose signature holds, read once: whoever presents it again has it read no more.
///
/// Nothing of it depends on when or where it is presented; that is ``JWTClaims``' affair.
final class JWTContents: Sendable {
    /// Few ask for more than is kept here: all of it is read again for them, and little memory is held.
    private let payload: [UInt8]
    /// All of a token from elsewhere, whose user is in one of its claims.
    private let members: JSONObject?
    /// Whether another issuer signed it, whose claims mean other things.
    let isForeign: Bool
    let issued, notBefore, expires: NumericDate
    let issuer, audience, kind: JSONValue?
    /// Whether `sub` or `jti` is there and is no text.
    let hasMalformedName: Bool
    let jti: String?
    /// Whether it says who its user is, whoever that is.
    let namesUser: Bool
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

    /// Everything that it says.
    var object: JSONObject { members ?? JSONObject(payload) ?? JSONObject([]) }

    /// nil for what is no object of JSON.
    init?(_ payload: [UInt8], isForeign: Bool) {
        guard let object = JSONObject(payload) else { return nil }
        self.payload = payload
        self.isForeign = isForeign
        members = isForeign ? object : nil
        var (issued, notBefore, expires, epoch, userID): (JSONValue?, JSONValue?, JSONValue?, JSONValue?, JSONValue?)
        var (issuer, audience, kind, subject): (JSONValue?, JSONValue?, JSONValue?, JSONValue?)
        var (jti, scope, family): (JSONValue?, JSONValue?, JSONValue?)
        for member in object.members {
            // Nothing but these letters is equivalent to them.
            switch member.name {
            case "iat": issued = member.value
            case "nbf": notBefore = member.value
            case "exp": expires = member.value
            case "iss": issuer = member.value
            case "aud": audience = member.value
            case "token_type": kind = member.value
            case "sub": subject = member.value
            case "jti": jti = member.value
            case "user_id": userID = member.value
            case "epoch": epoch = member.value
            case "scope": scope = member.value
            case "family": family = member.value
            default: break
            }
        }
        self.issued = NumericDate(issued)
        self.notBefore = NumericDate(notBefore)
        self.expires = NumericDate(expires)
        self.issuer = issuer
        self.audience = audience
        self.kind = kind
        self.jti = jti?.text
        hasMalformedName = subject != nil && subject?.text == nil || jti != nil && jti?.text == nil
        namesUser = userID != nil
        self.userID = Self.userID(userID)
        self.epoch = if !isForeign, case .integer(let epoch)? = epoch { epoch } else { nil }
        scopes = Self.scopes(scope)
        let id = Array((self.jti ?? "").utf8)
        revocationID = isForeign ? Array("foreign ".utf8) + id : id
        familyID = isForeign ? revocationID : family?.text.map { Array($0.utf8) } ?? id
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
