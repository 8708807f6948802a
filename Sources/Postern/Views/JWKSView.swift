/// The public keys by which others verify our tokens (RFC 7517, section 5).
struct JWKSView: APIView {
    let name = "JSON Web Key Set"
    let methods: [Method] = [.get]
    let defaultPermission: any Permission = AllowAny()
    let defaultAuthentication: [String] = []
    let store: Store

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        do {
            // A new key is published before it signs, for as long as whoever rotates says.
            return APIResponse(try store.keyRing().publicSet, fields: [("Cache-Control", "public, max-age=300")])
        } catch {
            throw APIError(error)
        }
    }
}
