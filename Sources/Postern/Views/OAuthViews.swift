internal import Journal

/// What RFC 7662 and RFC 7009 ask for in common: a form with a `token`.
private func token(in request: APIRequest) throws(APIError) -> ArraySlice<UInt8> {
    guard case .object(let members) = try request.data(),
        case .string(let text)? = members.last(where: { $0.name == "token" })?.value, !text.isEmpty
    else {
        // RFC 6749, section 5.2.
        throw .invalid(
            .object([("error", .string("invalid_request")), ("error_description", .string("token is missing"))])
        )
    }
    return Array(text.utf8)[...]
}

/// What somebody presented as a token and is good.
private enum GoodToken {
    case token(Token, User)
    case jwt(JWTClaims, User)

    /// nil for anything that is not good, whyever.
    init?(_ text: ArraySlice<UInt8>, _ tokens: JSONWebTokens) throws(APIError) {
        let store = tokens.store
        do {
            if TokenSecret.isPlausible(text) {
                guard let token = try store.token(SecretDigest(of: text)), let owner = try store.user(token.user),
                    owner.isActive, token.isGood(for: owner, at: store.now())
                else { return nil }
                self = .token(token, owner)
                return
            }
            let claims = try tokens.verify(text)
            try claims.check(nil)
            let isRevoked = try tokens.isRevoked(claims)
            let isUsedUp = try tokens.isUsedUp(claims)
            guard !isRevoked, !isUsedUp, let user = try tokens.user(of: claims), user.isActive,
                !claims.isOutdated(for: user)
            else { return nil }
            self = .jwt(claims, user)
        } catch let error as JWTError {
            guard case .unavailable = error else { return nil }
            throw APIError(any: error)
        } catch {
            throw APIError(any: error)
        }
    }
}

/// Token introspection (RFC 7662): whether a token or a JSON Web Token is good, and whose it is. Whatever is wrong
/// with it, the answer is the same.
struct IntrospectionView: APIView {
    let name = "Token Introspection"
    let methods: [Method] = [.post]
    /// Whoever may ask learns of other people's tokens.
    let defaultPermission: any Permission = IsAdminUser()
    let takesSecret = true
    let tokens: JSONWebTokens

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        var members: [(name: String, value: JSONValue)] = [("active", .bool(false))]
        switch try GoodToken(try token(in: request), tokens) {
        case nil: break
        case .token(let token, let user)?:
            members = Self.members(of: user, type: "Bearer")
            if let expires = token.expires { members.append(("exp", .integer(expires.seconds))) }
            members.append(("iat", .integer(token.created.seconds)))
        case .jwt(let claims, let user)?:
            members = Self.members(of: user, type: claims.isRefresh ? "refresh_token" : "Bearer")
            for name in ["exp", "iat", "nbf", "jti", "iss", "aud"] {
                if let value = claims.object[name] { members.append((name, value)) }
            }
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

/// Token revocation (RFC 7009): ends a token or a JSON Web Token, of a refresh token its whole family. Who has a
/// token could use it, so they may end it; one that is not good is as good as revoked.
struct RevocationView: APIView {
    let name = "Token Revocation"
    let methods: [Method] = [.post]
    let takesSecret = true
    let accounts: Accounts
    let tokens: JSONWebTokens

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        do {
            switch try GoodToken(try token(in: request), tokens) {
            case nil: break
            case .token(let token, _)?: try accounts.revokeToken(token.id)
            case .jwt(let claims, _)?: try tokens.revoke(claims)
            }
        } catch StoreError.noSuchToken {
            // Another request did it first.
        } catch {
            throw APIError(any: error)
        }
        return APIResponse(status: 200, nil, fields: [APIResponse.noStore])
    }
}
