internal import Journal

/// Token introspection (RFC 7662): whether a token or a JSON Web Token is good, and whose it is. Whatever is wrong
/// with it, the answer is the same.
struct IntrospectionView: APIView {
    let name = "Token Introspection"
    let methods: [Method] = [.post]
    /// Whoever may ask learns of other people's tokens.
    let defaultPermission: any Permission = IsAdminUser()
    let takesSecret = true
    let mayWait = false
    let tokens: JSONWebTokens

    var actions: JSONValue? { Metadata.actions([.init("token")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        var members: [(name: String, value: JSONValue)] = [("active", .bool(false))]
        switch try GoodToken(in: request, tokens) {
        case nil: break
        // Whoever asks cannot see for what alone it is good, and would take it for everything.
        case .token(let token, _)? where token.limits?.isBoundToRequests ?? false: break
        case .token(let token, let user)?:
            members = Self.members(of: user, type: "Bearer")
            if let expires = token.expires { members.append(("exp", .integer(expires.seconds))) }
            members.append(("iat", .integer(token.created.seconds)))
            if let scopes = token.limits?.scopes, !scopes.isEmpty {
                members.append(("scope", .string(scopes.joined(separator: " "))))
            }
        case .jwt(let claims, let user)?:
            members = Self.members(of: user, type: claims.isRefresh ? "refresh_token" : "Bearer")
            // Read once: few ask for all that a token says, so it is kept as text.
            let object = claims.object
            for name in ["exp", "iat", "nbf", "jti", "iss", "aud"] {
                if let value = object[name] { members.append((name, value)) }
            }
            if let scopes = claims.scopes { members.append(("scope", .string(scopes.joined(separator: " ")))) }
        }
        return APIResponse(.object(members), fields: [APIResponse.noStore])
    }

    private static func members(of user: User, type: String) -> [(name: String, value: JSONValue)] {
        [
            ("active", .bool(true)), ("username", .string(user.username.description)),
            ("sub", .string(String(user.id))), ("token_type", .string(type)),
        ]
    }
}
