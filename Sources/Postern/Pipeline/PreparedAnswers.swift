internal import FastCGI

/// The answers of a location that are the same for all who get them, ready to be written. For those whom nothing
/// else is to be told beside: see ``Renderer/prepared``.
final class PreparedAnswers: Sendable {
    /// nil where the view does not answer everybody alike.
    let view: FastCGI.Response?
    /// The body of that answer, as it is written with each number of spaces that a level can have.
    private let constantBody: JSONValue?
    private let writtenBodies = InlineArray<9, WriteOnce<WrittenBody>> { _ in WriteOnce() }
    private let notAuthenticated, permissionDenied, invalidToken: FastCGI.Response

    init(of policy: Policy) {
        var renderer = Renderer(role: .responder)
        renderer.policy = policy
        let answer = policy.view.constantAnswer
        view = answer.map(renderer.make)
        constantBody = answer?.body
        notAuthenticated = renderer.make(.notAuthenticated)
        permissionDenied = renderer.make(.permissionDenied)
        invalidToken = renderer.make(.authenticationFailed(TokenAuthentication.invalidTokenText))
    }

    private final class WrittenBody: Sendable {
        let bytes: [UInt8]

        init(_ bytes: [UInt8]) { self.bytes = bytes }
    }

    /// The body of ``view``, which may be a long document, written once in each form that clients may choose.
    /// - Parameter indent: From 1 to 8; nil: compact.
    func body(indent: Int?) -> [UInt8]? {
        guard let constantBody else { return nil }
        let place = indent ?? 0
        if let known = writtenBodies[place].value { return known.bytes }
        return writtenBodies[place].put(WrittenBody(JSONWriter.bytes(of: constantBody, indent: indent))).bytes
    }

    subscript(error: APIError) -> FastCGI.Response? {
        switch error {
        case .notAuthenticated: notAuthenticated
        case .permissionDenied: permissionDenied
        case .authenticationFailed(TokenAuthentication.invalidTokenText): invalidToken
        default: nil
        }
    }
}
