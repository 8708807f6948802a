internal import FastCGI

/// The answers of a location that are the same for all who get them, ready to be written. For those whom nothing
/// else is to be told beside: see ``Renderer/prepared``.
final class PreparedAnswers: Sendable {
    /// nil where the view does not answer everybody alike.
    let view: FastCGI.Response?
    private let notAuthenticated, permissionDenied, invalidToken: FastCGI.Response

    init(of policy: Policy) {
        var renderer = Renderer(role: .responder)
        renderer.policy = policy
        view = policy.view.constantAnswer.map(renderer.make)
        notAuthenticated = renderer.make(.notAuthenticated)
        permissionDenied = renderer.make(.permissionDenied)
        invalidToken = renderer.make(.authenticationFailed(TokenAuthentication.invalidTokenText))
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
