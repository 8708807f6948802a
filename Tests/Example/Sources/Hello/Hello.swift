import Postern

/// Greets whoever asks. It is only asked when the policy of the location has let them in.
struct Hello: APIView {
    let name = "Hello"
    let methods: [Postern.Method] = [.get]

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let user = request.user else { throw .notAuthenticated }
        return APIResponse(.object([("hello", .string(user.username.description))]))
    }
}

/// Lets in the first user of the store alone.
struct IsFounder: Permission {
    func allows(_ request: APIRequest) throws(APIError) -> Bool { request.user?.id == 1 }
}
