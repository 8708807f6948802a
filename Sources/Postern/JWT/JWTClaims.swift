internal import Journal

/// The claims of a token whose signature, times, issuer and audience are right (RFC 7519, section 4).
public struct JWTClaims: Sendable {
    let object: JSONObject
    /// Whether another issuer signed it, whose claims mean other things.
    let isForeign: Bool

    /// simplejwt's `token_type`.
    public enum Kind: String, Sendable {
        case access, refresh
    }

    /// Checks what PyJWT checks for simplejwt, in its order.
    init(_ object: JSONObject, isForeign: Bool, _ checks: JWTChecks, now: Timestamp) throws(JWTError) {
        let last = now.adding(seconds: checks.leeway)
        if let issued = object["iat"], try Self.seconds(issued) > last.seconds { throw .invalid }
        if let notBefore = object["nbf"], try Self.seconds(notBefore) > last.seconds { throw .invalid }
        if let expires = object["exp"], try Self.seconds(expires) <= now.seconds - checks.leeway { throw .expired }
        if let issuer = checks.issuer, !Self.isText(object["iss"], issuer) { throw .invalid }
        if let audience = checks.audience, !Self.contains(object["aud"], audience) { throw .invalid }
        for name in ["sub", "jti"] where object.contains(name) && object.string(name) == nil { throw .invalid }
        self.object = object
        self.isForeign = isForeign
    }

    /// What simplejwt checks beyond the signature.
    /// - Parameter kind: nil: any.
    func check(_ kind: Kind?) throws(JWTError) {
        guard object.contains("exp") else { throw .noExpiry }
        // Others name the kind of a token otherwise, or do not.
        if isForeign, !object.contains("token_type") { return }
        guard isForeign || object.contains("jti") else { throw .noID }
        guard let kind else { return }
        guard let type = object["token_type"] else { throw .noType }
        guard Self.isText(type, kind.rawValue) else { throw .wrongType }
    }

    /// `scope` (RFC 8693, section 4.2), also as the list that some issuers make of it; nil where there is none.
    var scopes: [String]? {
        switch object["scope"] {
        case .string(let text)?: text.utf8.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
        case .array(let elements)?:
            elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
        case nil: nil
        default: []
        }
    }

    public var jti: String? { object.string("jti") }

    /// simplejwt writes it as a string since 5.5.1, as a number before.
    public var userID: User.ID? {
        switch object["user_id"] {
        case .integer(let number)?: number
        case .string(let text)?: Decimal.parse(Array(text.utf8)[...])
        default: nil
        }
    }

    /// Whether an epoch of its user has ended since it was issued. Tokens that know of no epoch, of another
    /// issuer or of simplejwt, go by when they were issued; to the second, and in doubt they are dead.
    func isOutdated(for user: User) -> Bool {
        if !isForeign, case .integer(let epoch)? = object["epoch"] { return epoch < user.epoch }
        guard user.epoch > 1 else { return false }
        guard let issued = object["iat"].flatMap({ try? Self.seconds($0) }) else { return true }
        return issued <= user.epochBegan.seconds
    }

    /// Whether it was issued under the password that the user has now.
    func isOfPassword(of user: User) -> Bool {
        if !isForeign, case .integer(let epoch)? = object["epoch"] { epoch >= user.passwordEpoch } else { true }
    }

    /// The family of refresh tokens that this one belongs to. One from elsewhere is a family of its own.
    var family: String? { object.string("family") ?? jti }

    var expires: Timestamp? { object["exp"].flatMap { try? Self.seconds($0) }.map { Timestamp(seconds: $0) } }

    /// When the user gave a password; tokens of simplejwt do not say.
    var authenticated: Timestamp? {
        object["auth_time"].flatMap { try? Self.seconds($0) }.map { Timestamp(seconds: $0) }
    }

    private static func isText(_ value: JSONValue?, _ text: String) -> Bool {
        if case .string(let string)? = value { string.utf8.elementsEqual(text.utf8) } else { false }
    }

    /// A text or a list with it in it (RFC 7519, section 4.1.3).
    private static func contains(_ value: JSONValue?, _ text: String) -> Bool {
        if case .array(let elements)? = value { return elements.contains { isText($0, text) } }
        return isText(value, text)
    }

    /// A NumericDate, cut to whole seconds as Python's `int` does; nothing else is one.
    private static func seconds(_ value: JSONValue) throws(JWTError) -> Int64 {
        switch value {
        case .integer(let number) where (-Timestamp.lastSecond...Timestamp.lastSecond).contains(number): return number
        case .number(let number) where number.isFinite && number.magnitude <= Double(Timestamp.lastSecond):
            return Int64(number)
        default: throw .invalid
        }
    }
}
