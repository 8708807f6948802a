internal import Journal

/// What Postern says in its own tokens beyond simplejwt's claims.
///
/// The names collide with nobody's (RFC 7519, section 4.3), and the claims are believed only in tokens that Postern made:
/// a project may well have a claim `epoch` or `family` of its own. A token has all of them or none.
struct PosternClaims: Sendable {
    /// Of the user, when the token was issued.
    let epoch: Int64
    /// The name of the family of refresh tokens in the store.
    let family: [UInt8]
    /// When the user gave a password, in seconds; only refresh tokens say so.
    let login: Int64?
    /// Whether they have the names of former versions.
    let isFormer: Bool

    /// What begins with it is Postern's.
    static let prefix = "postern:"
    static let epochName = "postern:epoch"
    static let familyName = "postern:family"
    static let loginName = "postern:login"

    /// Names that versions up to 0.7 wrote: see docs/decisions/0002-claims-of-our-own.md.
    static let formerNames = ["epoch", "family", "auth_time"]

    /// The claims of these names, as a token has them.
    struct Values {
        var epoch, family, login: JSONValue?

        var isEmpty: Bool { epoch == nil && family == nil && login == nil }
    }

    /// nil unless all are there and well formed.
    init?(_ values: Values, isRefresh: Bool, isFormer: Bool = false) {
        guard case .integer(let epoch)? = values.epoch, epoch > 0,
            let family = values.family?.text, !family.isEmpty
        else { return nil }
        login = JWTContents.NumericDate(values.login).value
        guard isRefresh ? login != nil : values.login == nil else { return nil }
        self.epoch = epoch
        self.family = Array(family.utf8)
        self.isFormer = isFormer
    }

    /// What a new token says.
    /// - Parameter login: nil: it is an access token.
    static func members(epoch: Int64, family: [UInt8], login: Timestamp?) -> [(name: String, value: JSONValue)] {
        let common: [(name: String, value: JSONValue)] = [
            (epochName, .integer(epoch)), (familyName, .string(String(decoding: family, as: UTF8.self))),
        ]
        return common + (login.map { [(loginName, .integer($0.seconds))] } ?? [])
    }
}
