/// simplejwt's `TokenVerifyView`. Beyond it, a token that opens nothing here is invalid: its user is gone, disabled or has begun
/// a new epoch, or the token is for others, as the gate's signed identity and another issuer's refresh token.
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
            _ = try tokens.owner(of: (values["token"] ?? [])[...], nil)
            return APIResponse(.object([]), fields: [APIResponse.noStore])
        } catch {
            guard error != .blacklisted else { throw Serializer.nonFieldError(error.message) }
            throw refusal(error)
        }
    }
}
