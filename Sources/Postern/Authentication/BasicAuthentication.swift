/// DRF's `BasicAuthentication` (RFC 7617): UTF-8, with Latin-1 for what is none, as DRF.
public struct BasicAuthentication: Authenticator {
    public let scheme = "Basic"
    private let accounts: Accounts
    private let realm: String

    public init(accounts: Accounts, realm: String = "api") {
        self.accounts = accounts
        self.realm = realm
    }

    public var challenge: String? { "Basic realm=\"\(realm)\"" }

    public func authenticate(_ request: APIRequest) throws(APIError) -> Identity? {
        let authorization = request.authorizationWords
        guard authorization.isScheme(Self.word) else { return nil }
        let (name, password) = try Self.credentials(in: try authorization.credential(.basic))
        guard
            let user = try accounts.user(
                named: name,
                password: password,
                isRepeated: true,
                for: request
            )
        else {
            throw .passwordRefused("Invalid username/password.")
        }
        return Identity(user, by: .password)
    }

    private static let word = Array("Basic".utf8)

    /// Bytes of encoded credentials. A username and a password of the greatest length have some 2,200.
    static let maximumLength = 4096

    /// The user-id up to the first colon, and the password after it.
    private static func credentials(
        in encoded: ArraySlice<UInt8>
    ) throws(APIError) -> (name: [UInt8], password: [UInt8]) {
        guard encoded.count <= maximumLength, let decoded = Base64.decodeLeniently(encoded) else { throw malformed }
        // The same place in both encodings.
        guard let colon = ByteSearch.place(of: UInt8(ascii: ":"), in: decoded[...]) else { throw malformed }
        let (name, password) = (decoded[..<colon], decoded[(colon + 1)...])
        if ASCII.isASCII(decoded[...]) || String(validating: decoded, as: UTF8.self) != nil {
            return (Array(name), Array(password))
        }
        return (Latin1.utf8(name), Latin1.utf8(password))
    }

    private static let malformed = APIError.authenticationFailed(
        "Invalid basic header. Credentials not correctly base64 encoded."
    )
}
