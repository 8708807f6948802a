internal import Journal

/// The claims of a token whose signature, times, issuer and audience are right (RFC 7519, section 4).
public struct JWTClaims: Sendable {
    private let contents: JWTContents

    var object: JSONObject { contents.object }
    /// Whether another issuer signed it, whose claims mean other things.
    var isForeign: Bool { contents.origin == .foreign }

    /// simplejwt's `token_type`.
    public enum Kind: String, Sendable {
        case access, refresh
    }

    /// Checks what PyJWT checks for simplejwt, in its order.
    init(_ contents: JWTContents, _ checks: borrowing JWTChecks, now: Timestamp) throws(JWTError) {
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
        if let issuer = checks.issuer, !(contents.issuer?.isText(issuer) ?? false) { throw .invalid }
        if let audience = checks.audience, !Self.contains(Self.audience(contents, checks), audience) { throw .invalid }
        if contents.hasMalformedName { throw .invalid }
        self.contents = contents
    }

    /// What simplejwt checks beyond the signature.
    /// - Parameter kind: nil: any that opens something here.
    func check(_ kind: Kind?) throws(JWTError) {
        if case .absent = contents.expires { throw .noExpiry }
        guard isForeign || jti != nil else { throw .noID }
        guard let type = contents.kind else {
            // Others name the kind of a token otherwise, or do not.
            guard isForeign else { throw .noType }
            guard !contents.isForeignRefresh else { throw .wrongType }
            return
        }
        let isKind =
            if isForeign {
                type.isText(Kind.access.rawValue) && !contents.isForeignRefresh
            } else if let kind {
                type.isText(kind.rawValue)
            } else {
                type.isText(Kind.access.rawValue) || type.isText(Kind.refresh.rawValue)
            }
        guard isKind else { throw .wrongType }
    }

    var scopes: [String]? { contents.scopes }

    public var jti: String? { contents.jti }

    public var userID: User.ID? { contents.userID }

    /// Whether it says who its user is, whoever that is.
    var namesUser: Bool { contents.namesUser }

    /// simplejwt's `token_type`, whatever stands there.
    var kind: JSONValue? { contents.kind }

    /// Tokens that know of no epoch, of another issuer or of simplejwt, go by when they were issued.
    var issuance: Issuance { contents.own.map { .epoch($0.epoch) } ?? .time(contents.issued.value) }

    var expires: Timestamp? { contents.expires.value.map { Timestamp(seconds: $0) } }

    /// When the user gave a password; tokens of simplejwt do not say.
    var authenticated: Timestamp? { contents.own?.login.map { Timestamp(seconds: $0) } }

    /// The name under which this one token is revoked.
    var revocationID: RevocationID { contents.revocationID }

    /// The name of its family in the store.
    var familyID: [UInt8] { contents.familyID }

    /// The secret against forged requests of a page whose cookie holds this token.
    ///
    /// - Parameter text: The whole token. Of a token of another issuer nothing else is a secret: claims can be guessed, and
    ///   without a `jti` they may be the same for many.
    func csrfSecret(of text: ArraySlice<UInt8>) -> CSRFSecret {
        CSRFSecret(of: isForeign || jti?.isEmpty ?? true ? text : familyID[...])
    }

    var isRefresh: Bool { !isForeign && kind?.isText(Kind.refresh.rawValue) ?? false }

    /// What the tokens of a family have in common: the claims that somebody else put in.
    /// - Parameter checks: Issuer and audience of new tokens, where they have any.
    func passedOn(_ checks: JWTChecks) -> [(name: String, value: JSONValue)] {
        var own = ["token_type", "exp", "iat", "nbf", "jti"]
        if checks.issuer != nil { own.append("iss") }
        if checks.audience != nil { own.append("aud") }
        if contents.own?.isFormer ?? false { own += PosternClaims.formerNames }
        return object.members.filter { member in
            !member.name.utf8.starts(with: PosternClaims.prefix.utf8)
                && !own.contains { $0.hasSameBytes(as: member.name) }
        }
    }

    /// One that is there counts, whatever else is (RFC 7519, section 4.1.3).
    private static func audience(_ contents: JWTContents, _ checks: borrowing JWTChecks) -> JSONValue? {
        if let audience = contents.audience { return audience }
        guard contents.origin == .foreign, let claim = checks.audienceClaim else { return nil }
        return contents.object[claim]
    }

    /// A text or a list with it in it (RFC 7519, section 4.1.3).
    private static func contains(_ value: JSONValue?, _ text: String) -> Bool {
        if case .array(let elements)? = value { return elements.contains { $0.isText(text) } }
        return value?.isText(text) ?? false
    }
}
