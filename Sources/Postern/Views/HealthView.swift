/// Says whether requests can be answered: 200, or 503 and what is wrong, when the store cannot be read or written, or
/// has no key. Where the system's clock is not believed it says by how many seconds the store's is ahead of it. With the query `live` it says only that the process answers, which a full disk does not change.
struct HealthView: APIView {
    let name = "Health"
    let methods: [Method] = [.get]
    let defaultPermission: any Permission = AllowAny()
    let store: Store

    private static let liveQuery = Array("live".utf8)[...]

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        if request.query != Self.liveQuery { try checkReadiness() }
        let difference = store.clockDifference
        let clock = abs(difference) > 60 ? [("clock_difference", JSONValue.integer(difference))] : []
        return APIResponse(.object([("status", .string("ok"))] + clock), fields: [APIResponse.noStore])
    }

    /// Clients are told no paths: the log names them.
    private func checkReadiness() throws(APIError) {
        do throws(StoreError) {
            try store.checkReadable()
        } catch {
            throw .notReady("The store cannot be read.", reason: error.description)
        }
        do throws(StoreError) {
            try store.checkWritable()
        } catch {
            throw .notReady("The store cannot be written.", reason: error.description)
        }
        let signer: StoredKey?
        do throws(StoreError) {
            signer = try store.keyRing().signer(at: store.now())
        } catch {
            throw APIError(error)
        }
        let noKey = "There is no key that signs JSON Web Tokens."
        guard signer != nil else { throw .notReady(noKey, reason: noKey) }
    }
}
