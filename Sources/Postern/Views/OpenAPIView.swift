/// The OpenAPI document of all views, see ``OpenAPIDocument``.
struct OpenAPIView: APIView {
    let name = "OpenAPI"
    let methods: [Method] = [.get]
    let defaultPermission: any Permission = AllowAny()
    let defaultAuthentication: [String] = []
    let constantAnswer: APIResponse?

    static func maker(describing makers: [String: ViewRegistry.Maker]) -> ViewRegistry.Maker {
        { settings throws(PolicyError) -> any APIView in
            let document = OpenAPIDocument(makers: makers, settings: settings)
            return OpenAPIView(constantAnswer: APIResponse(try document.json()))
        }
    }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        guard let constantAnswer else { throw .notFound }
        return constantAnswer
    }
}
