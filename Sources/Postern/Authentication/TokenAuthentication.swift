/// DRF's `TokenAuthentication`: `Authorization: Token KEY`. A token of ours is understood after `Bearer`
/// (RFC 6750) too, whatever the keywords; as knox's class of the same name, after the keywords alone.
public struct TokenAuthentication: Authenticator {
    public let scheme: String
    public let challenge: String?
    private let store: Store
    private let keywords: [[UInt8]]
    private let isKnox: Bool

    /// - Parameters:
    ///   - keywords: DRF's `keyword`, knox's `AUTH_HEADER_PREFIX`: the words of which one stands before the token. The first is
    ///     the challenge.
    ///   - isKnox: Whether to be knox's.
    public init(store: Store, keywords: [String] = ["Token"], isKnox: Bool = false) {
        self.store = store
        self.keywords = keywords.map { Array($0.utf8) }
        challenge = keywords.first
        self.isKnox = isKnox
        scheme = isKnox ? "Knox" : "Token"
    }

    /// Whether it understands a token of ours after `Bearer`.
    var takesBearer: Bool { !isKnox }

    public func authenticate(_ request: APIRequest) throws(APIError) -> Identity? {
        let authorization = request.authorizationWords
        guard keywords.contains(where: { authorization.isScheme($0) }) || isBearerOfOurs(authorization) else {
            return nil
        }
        let text = try authorization.credential(.token)
        // No token of any kind has as many bytes.
        guard text.count <= 1024 else { throw Self.invalidToken }
        guard ASCII.isASCII(text) || String(validating: text, as: UTF8.self) != nil else {
            throw .authenticationFailed("Invalid token header. Token string should not contain invalid characters.")
        }
        let (token, owner) = try token(of: text)
        // A token that is good stays good where its new end cannot be written down.
        if store.isRenewalDue(token), try request.mayWait() { try? store.renewToken(token) }
        return Identity(owner, by: .token(token))
    }

    private static let bearer = Array("Bearer".utf8)

    private static let invalidToken = APIError.authenticationFailed(invalidTokenText)
    /// DRF's.
    static let invalidTokenText = "Invalid token."

    private func isBearerOfOurs(_ authorization: AuthorizationWords) -> Bool {
        !isKnox && authorization.isScheme(Self.bearer) && authorization.count == 2
            && authorization.second.map(TokenSecret.isOurs) ?? false
    }

    private func token(of text: ArraySlice<UInt8>) throws(APIError) -> (Token, User) {
        let token: Token?
        let owner: User?
        do {
            token = try store.token(presentedAs: text)
            owner = try token.flatMap { token throws(StoreError) in try store.user(token.user) }
        } catch {
            throw APIError(error)
        }
        guard let token, let owner else { throw Self.invalidToken }
        switch token.fault(of: owner, at: store.now()) {
        case nil: return (token, owner)
        case .inactive: throw .inactiveUser
        case .unknownUser, .passwordChanged, .ended: throw Self.invalidToken
        }
    }
}
