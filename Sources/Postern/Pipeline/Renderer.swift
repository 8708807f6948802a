internal import FastCGI

/// Makes the answer to the web server out of what a view answered or an error said: DRF's
/// `finalize_response` and `exception_handler`.
struct Renderer {
    /// nil as long as the location is not known.
    var policy: Policy?
    /// What the client asked for by `Accept: application/json; indent=4`.
    var indent: Int?
    var isHead = false

    func render(_ response: APIResponse) -> FastCGI.Response {
        answer(response.status, response.body, response.fields)
    }

    func render(_ error: APIError) -> FastCGI.Response {
        switch error {
        case .authenticationFailed, .notAuthenticated:
            // DRF's rule: without a challenge of the first authenticator there is no 401.
            if let challenge = policy?.challenge {
                answer(401, error.body, [("WWW-Authenticate", challenge)])
            } else {
                answer(403, error.body, [])
            }
        case .unavailable:
            answer(503, error.body, [("Retry-After", "1")])
        default:
            answer(error.status, error.body, [])
        }
    }

    private func answer(
        _ status: Int,
        _ body: JSONValue?,
        _ fields: [(name: String, value: String)]
    ) -> FastCGI.Response {
        var all: [(name: String, value: String)] = []
        if body != nil { all.append(("Content-Type", "application/json")) }
        all += fields
        if let policy {
            all.append(("Allow", policy.view.allowedMethods.map(\.name).joined(separator: ", ")))
            all.append(("Vary", "Accept"))
        }
        all += Self.securityFields
        let bytes = body.map { JSONWriter.bytes(of: $0, indent: indent) } ?? []
        all.append(("Content-Length", String(bytes.count)))
        return FastCGI.Response(status: status, fields: all, body: isHead ? [] : bytes)
    }

    /// What Django's `SecurityMiddleware` and `XFrameOptionsMiddleware` say by default.
    private static let securityFields: [(name: String, value: String)] = [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ]
}
