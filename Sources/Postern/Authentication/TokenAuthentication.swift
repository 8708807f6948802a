/// DRF's `TokenAuthentication`: `Authorization: Token KEY`. A token of ours is understood after `Bearer`
/// (RFC 6750) too, whatever the keyword.
public struct TokenAuthentication: Authenticator {
    public let scheme = "Token"
    private let store: Store
    private let keyword: String

    /// - Parameter keyword: DRF's `keyword`: the word before the token, also the challenge.
    public init(store: Store, keyword: String = "Token") {
        self.store = store
        self.keyword = keyword
    }

    public var challenge: String? { keyword }

    public func authenticate(_ request: APIRequest) throws(APIError) -> User? {
        let authorization = AuthorizationWords(request.authorization)
        guard authorization.isScheme(keyword.utf8) || isBearerOfOurs(authorization) else { return nil }
        let text = try authorization.credential(.token)
        guard String(validating: text, as: UTF8.self) != nil else {
            throw .authenticationFailed("Invalid token header. Token string should not contain invalid characters.")
        }
        guard TokenSecret.isPlausible(text) else { throw Self.invalidToken }
        return try user(of: TokenDigest(of: text))
    }

    private static let invalidToken = APIError.authenticationFailed("Invalid token.")

    private func isBearerOfOurs(_ authorization: AuthorizationWords) -> Bool {
        authorization.isScheme("Bearer".utf8) && authorization.words.count == 2
            && TokenSecret.isOurs(authorization.words[1])
    }

    private func user(of digest: TokenDigest) throws(APIError) -> User {
        let token: Token?
        let owner: User?
        do {
            token = try store.token(digest)
            owner = try token.flatMap { token throws(StoreError) in try store.user(token.user) }
        } catch {
            throw APIError(error)
        }
        guard let token, let owner else { throw Self.invalidToken }
        if let expires = token.expires, store.now() >= expires { throw Self.invalidToken }
        guard owner.isActive else { throw .authenticationFailed("User inactive or deleted.") }
        guard token.epoch >= owner.epoch else { throw Self.invalidToken }
        return owner
    }
}
