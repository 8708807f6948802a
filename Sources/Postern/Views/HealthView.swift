/// Says whether requests can be judged: 200, or 503 when the store cannot be read.
struct HealthView: APIView {
    let name = "Health"
    let methods: [Method] = [.get]
    let defaultPermission: any Permission = AllowAny()
    let store: Store

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        do {
            try store.checkReadable()
        } catch {
            throw APIError(error)
        }
        return APIResponse(.object([("status", .string("ok"))]), fields: [APIResponse.noStore])
    }
}
