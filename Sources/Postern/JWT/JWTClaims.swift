internal import Journal

/// The claims of a token whose signature, times, issuer and audience are right (RFC 7519, section 4).
public struct JWTClaims: Sendable {
    private let contents: JWTContents

    var object: JSONObject { contents.object }
    /// Whether another issuer signed it, whose claims mean other things.
    var isForeign: Bool { contents.isForeign }

    /// simplejwt's `token_type`.
    public enum Kind: String, Sendable {
        case access, refresh
    }

    /// Checks what PyJWT checks for simplejwt, in its order.
    init(_ contents: JWTContents, _ checks: JWTChecks, now: Timestamp) throws(JWTError) {
        let last = now.adding(seconds: checks.leeway).seconds
        for date in [contents.issued, contents.notBefore] {
            switch date {
            case .absent: break
            case .malformed: throw .invalid
            case .seconds(let seconds): if seconds > last { throw .invalid }
            }
        }
        switch contents.expires {
        case .absent: break
        case .malformed: throw .invalid
        case .seconds(let seconds): if seconds <= now.seconds - checks.leeway { throw .expired }
        }
        if let issuer = checks.issuer, !Self.isText(contents.issuer, issuer) { throw .invalid }
        if let audience = checks.audience, !Self.contains(Self.audience(contents, checks), audience) { throw .invalid }
        if contents.hasMalformedName { throw .invalid }
        self.contents = contents
    }

    /// What simplejwt checks beyond the signature.
    /// - Parameter kind: nil: any.
    func check(_ kind: Kind?) throws(JWTError) {
        if case .absent = contents.expires { throw .noExpiry }
        // Others name the kind of a token otherwise, or do not.
        if isForeign, contents.kind == nil { return }
        guard isForeign || jti != nil else { throw .noID }
        guard let kind else { return }
        guard let type = contents.kind else { throw .noType }
        guard Self.isText(type, kind.rawValue) else { throw .wrongType }
    }

    var scopes: [String]? { contents.scopes }

    public var jti: String? { contents.jti }

    public var userID: User.ID? { contents.userID }

    /// Whether it says who its user is, whoever that is.
    var namesUser: Bool { contents.namesUser }

    /// simplejwt's `token_type`, whatever stands there.
    var kind: JSONValue? { contents.kind }

    /// Whether an epoch of its user has ended since it was issued. Tokens that know of no epoch, of another
    /// issuer or of simplejwt, go by when they were issued; to the second, and in doubt they are dead.
    func isOutdated(for user: User) -> Bool {
        if let epoch = contents.epoch { return epoch < user.epoch }
        guard user.epoch > 1 else { return false }
        guard let issued = contents.issued.value else { return true }
        return issued <= user.epochBegan.seconds
    }

    /// Whether it was issued under the password that the user has now.
    func isOfPassword(of user: User) -> Bool { contents.epoch.map { $0 >= user.passwordEpoch } ?? true }

    var expires: Timestamp? { contents.expires.value.map { Timestamp(seconds: $0) } }

    /// When the user gave a password; tokens of simplejwt do not say.
    var authenticated: Timestamp? {
        JWTContents.NumericDate(object["auth_time"]).value.map { Timestamp(seconds: $0) }
    }

    /// The name under which this one token is revoked.
    var revocationID: [UInt8] { contents.revocationID }

    /// The name of its family in the store.
    var familyID: [UInt8] { contents.familyID }

    /// One that is there counts, whatever else is (RFC 7519, section 4.1.3).
    private static func audience(_ contents: JWTContents, _ checks: JWTChecks) -> JSONValue? {
        if let audience = contents.audience { return audience }
        guard contents.isForeign, let claim = checks.audienceClaim else { return nil }
        return contents.object[claim]
    }

    static func isText(_ value: JSONValue?, _ text: String) -> Bool {
        if case .string(let string)? = value { string.hasSameBytes(as: text) } else { false }
    }

    /// A text or a list with it in it (RFC 7519, section 4.1.3).
    private static func contains(_ value: JSONValue?, _ text: String) -> Bool {
        if case .array(let elements)? = value { return elements.contains { isText($0, text) } }
        return isText(value, text)
    }
}
