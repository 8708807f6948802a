internal import Journal

/// What a token says whose signature holds, read once: whoever presents it again has it read no more.
///
/// Nothing of it depends on when or where it is presented; that is ``JWTClaims``' affair.
final class JWTContents: Sendable {
    /// Few ask for more than is kept here: all of it is read again for them, and little memory is held.
    private let payload: [UInt8]
    /// All of a token from elsewhere, whose user is in one of its claims.
    private let members: JSONObject?
    let origin: Origin
    let issued, notBefore, expires: NumericDate
    let issuer, audience, kind: JSONValue?
    /// Whether `sub` or `jti` is there and is no text.
    let hasMalformedName: Bool
    let jti: String?
    /// Whether another issuer says in a claim of its own that it is a refresh token, as Keycloak (`typ`) and Cognito
    /// (`token_use`) do.
    let isForeignRefresh: Bool
    /// Whether it says who its user is, whoever that is.
    let namesUser: Bool
    /// nil where it names nobody of ours.
    let userID: User.ID?
    /// nil where another program made it.
    let own: PosternClaims?
    /// nil where it is not limited to any.
    let scopes: [String]?
    let revocationID: RevocationID
    /// The name in the store of the family of refresh tokens that it belongs to. One that another program made is a family
    /// of its own.
    let familyID: [UInt8]

    /// Who made a token, which says what its claims mean.
    enum Origin: Sendable {
        case postern
        /// A project that signs, or has signed, with a key of ours: its claims mean what simplejwt means by them.
        case project
        /// Another issuer, whose claims mean other things.
        case foreign
    }

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

    /// nil for what is no object of JSON, and for a token of Postern's that lacks something.
    /// - Parameters:
    ///   - signed: Header and payload as they were signed.
    ///   - userIDClaim: The claim that holds the user's id.
    ///   - scopeClaims: Where another issuer has scopes beside the usual claims.
    init?(
        _ payload: [UInt8],
        _ origin: Origin,
        signed: ArraySlice<UInt8>,
        userIDClaim: String = JWTSettings.defaultUserIDClaim,
        scopeClaims: [String] = []
    ) {
        guard let object = JSONObject(payload) else { return nil }
        self.payload = payload
        self.origin = origin
        members = origin == .foreign ? object : nil
        var (issued, notBefore, expires, userID): (JSONValue?, JSONValue?, JSONValue?, JSONValue?)
        var (issuer, audience, kind, subject): (JSONValue?, JSONValue?, JSONValue?, JSONValue?)
        var (jti, scopes): (JSONValue?, Scopes) = (nil, Scopes())
        var isForeignRefresh = false
        var (own, former) = (PosternClaims.Values(), PosternClaims.Values())
        for member in object.members {
            if !scopeClaims.isEmpty, scopeClaims.contains(where: member.name.hasSameBytes) { scopes.add(member.value) }
            if member.name.hasSameBytes(as: userIDClaim) { userID = member.value }
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
            case "scope", "scp": scopes.add(member.value)
            case PosternClaims.epochName: own.epoch = member.value
            case PosternClaims.familyName: own.family = member.value
            case PosternClaims.loginName: own.login = member.value
            case "epoch": former.epoch = member.value
            case "family": former.family = member.value
            case "auth_time": former.login = member.value
            case "typ", "token_use": isForeignRefresh = isForeignRefresh || Self.isRefresh(member.value)
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
        self.isForeignRefresh = isForeignRefresh && origin == .foreign
        namesUser = userID != nil
        self.userID = Self.userID(userID)
        // An issuer that has scopes in a claim of its own, and a token that does not say: it has none.
        if !scopeClaims.isEmpty { scopes.add(.array([])) }
        self.scopes = scopes.names
        revocationID =
            origin == .foreign
            ? RevocationID(jti: self.jti, issuer: issuer?.text ?? "", signed: signed)
            : RevocationID(jti: self.jti, signed: signed)
        guard origin == .postern else {
            self.own = nil
            familyID = revocationID.bytes
            return
        }
        let isRefresh = kind.map { $0.isText(JWTClaims.Kind.refresh.rawValue) } ?? false
        if own.isEmpty {
            self.own = PosternClaims(former, isRefresh: isRefresh, isFormer: true)
        } else {
            guard let claims = PosternClaims(own, isRefresh: isRefresh) else { return nil }
            self.own = claims
        }
        familyID = self.own?.family ?? revocationID.bytes
    }

    /// Claims that say nothing of a user, whatever a location calls the one that does.
    static let namesWithMeaning = Set(
        ["token_type", "exp", "iat", "nbf", "jti", "iss", "aud", "scope", "scp"]
            + [PosternClaims.epochName, PosternClaims.familyName, PosternClaims.loginName] + PosternClaims.formerNames
    )

    /// simplejwt writes it as a string since 5.5.1, as a number before.
    private static func userID(_ value: JSONValue?) -> User.ID? {
        switch value {
        case .integer(let number)?: number
        case .string(let text)?: Decimal.parse(Array(text.utf8)[...])
        default: nil
        }
    }

    private static func isRefresh(_ kind: JSONValue) -> Bool {
        guard let text = kind.text else { return false }
        return ASCII.equalsIgnoringCase(text.utf8, "refresh".utf8)
            || ASCII.equalsIgnoringCase(text.utf8, "offline".utf8)
    }

    /// The scopes of a token: of `scope` (RFC 8693, section 4.2), of `scp`, as Entra and Okta call it, and of what the location
    /// names, each a text with spaces or a list. A claim that is there and holds no scope limits the token as well.
    private struct Scopes {
        /// nil: there is no such claim.
        private(set) var names: [String]?

        mutating func add(_ value: JSONValue) {
            var known = names ?? []
            for name in Self.names(in: value) where !known.contains(where: name.hasSameBytes) { known.append(name) }
            names = known
        }

        private static func names(in value: JSONValue) -> [String] {
            switch value {
            case .string(let text): text.utf8.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
            // One with a space in it is none, and would be two to others.
            case .array(let elements): elements.compactMap(\.text).filter { !$0.isEmpty && !$0.utf8.contains(0x20) }
            default: []
            }
        }
    }
}
