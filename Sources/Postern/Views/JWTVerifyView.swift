/// simplejwt's `TokenVerifyView`. Beyond it, a token whose user is gone, disabled or has begun a new epoch is none.
struct JWTVerifyView: JWTView {
    let name = "Token Verify"
    let description =
        "Takes a token and indicates if it is valid.  This view provides no\ninformation about a token's fitness for a particular use."
    let mayWait = false
    let tokens: JSONWebTokens
    let settings: ViewSettings

    var actions: JSONValue? { Metadata.actions([.init("token")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let values = try Serializer(fields: [CharField(name: "token")]).validate(try request.data())
        do throws(JWTError) {
            let claims = try tokens.verify(Array((values["token"] ?? "").utf8)[...])
            try claims.check(nil)
            let isRevoked = try tokens.isRevoked(claims)
            let isUsedUp = try tokens.isUsedUp(claims)
            if isRevoked || isUsedUp { throw JWTError.blacklisted }
            if let user = try tokens.user(of: claims), !user.isActive || claims.isOutdated(for: user) {
                throw JWTError.invalid
            }
            return APIResponse(.object([]), fields: [APIResponse.noStore])
        } catch {
            guard error != .blacklisted else { throw Serializer.nonFieldError(error.message) }
            throw refusal(error)
        }
    }
}
