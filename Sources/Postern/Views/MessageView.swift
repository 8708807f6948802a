/// Answers `{"message": …}` with the text of the location: the endpoint of a tutorial, and a way to try a
/// policy out.
struct MessageView: APIView {
    let name = "Message"
    let methods: [Method]
    let mayWait = false
    private let response: APIResponse

    init(_ settings: ViewSettings) throws(PolicyError) {
        guard let message = settings.message else {
            throw PolicyError(parameter: PolicyParameter.message.rawValue, value: "", reason: "is missing")
        }
        methods = settings.methods ?? [.get]
        response = APIResponse(.object([("message", .string(message))]))
    }

    var constantAnswer: APIResponse? { response }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse { response }
}
