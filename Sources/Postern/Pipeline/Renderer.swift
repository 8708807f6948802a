internal import FastCGI

/// Makes the answer to the web server out of what a view answered or an error said: DRF's
/// `finalize_response` and `exception_handler`.
struct Renderer {
    let role: Role
    /// nil as long as the location is not known.
    var policy: Policy? {
        didSet { dialect = (policy?.gateDialect).map { role == .authorizer ? .authorizer : $0 } }
    }
    /// nil where the answer is the client's.
    var dialect: GateDialect?
    /// What the client asked for by `Accept: application/json; indent=4`.
    var indent: Int?
    var isHead = false
    /// What authenticators want the answer to say.
    var fields: [(name: String, value: String)] = []
    /// Whether a page goes to a browser, where the view has pages.
    var isHTML = false

    init(role: Role) { self.role = role }

    /// The answers that were made before; nil where the request asks for another form, or more has to be said.
    var prepared: PreparedAnswers? {
        fields.isEmpty && indent == nil && !isHead && !isHTML && role == .responder ? policy?.answers : nil
    }

    func render(_ error: APIError) -> FastCGI.Response { prepared?[error] ?? make(error) }

    /// What a view answers to all. Where the request asks for another form, or more has to be said beside it, the header
    /// is made anew and the body is not.
    func constantAnswer(of policy: Policy) -> FastCGI.Response? {
        if let known = prepared?.view { return known }
        guard !isHTML, let answer = policy.view.constantAnswer, let body = policy.answers.body(indent: indent)
        else { return nil }
        return self.answer(answer.status, .written(body), answer.fields)
    }

    func make(_ response: APIResponse) -> FastCGI.Response {
        let body: Body? =
            if let page = response.page { .page(page) } else if let text = response.text { .text(text) } else {
                response.body.map { .json($0) }
            }
        return answer(response.status, body, response.fields)
    }

    func make(_ error: APIError) -> FastCGI.Response {
        switch error {
        case .authenticationFailed, .credentialRefused, .credentialExpired, .passwordRefused, .notAuthenticated:
            let challenges = (policy?.challenges ?? []).map { (name: "WWW-Authenticate", value: $0) }
            return answer(status(of: error), body(of: error), challenges)
        case .csrfFailed(_, let cookie): return answer(403, body(of: error), cookie.map { [$0] } ?? [])
        case .throttled(let seconds), .tooManyFailures(let seconds):
            return answer(429, body(of: error), [("Retry-After", String(seconds))])
        case .unavailable, .notReady: return answer(503, body(of: error), [("Retry-After", "1")])
        default: return answer(error.status, body(of: error), [])
        }
    }

    /// The status that an error has here.
    func status(of error: APIError) -> Int {
        switch error.status {
        case 401: policy?.challenges.isEmpty ?? true ? 403 : 401
        case let status: status
        }
    }

    private enum Body {
        case json(JSONValue)
        /// JSON that was written before.
        case written([UInt8])
        case page(HTMLPage)
        case text(PlainText)
    }

    private func body(of error: APIError) -> Body {
        guard isHTML else { return .json(error.body) }
        if case .csrfFailed(let reason, _) = error {
            return .page(.message("CSRF verification failed. Request aborted.", more: reason))
        }
        return .page(.message(error.detail))
    }

    private func answer(
        _ status: Int,
        _ body: Body?,
        _ fields: [(name: String, value: String)]
    ) -> FastCGI.Response {
        var all: [(name: String, value: String)] = []
        all.reserveCapacity(16)
        let bytes: [UInt8]
        switch body {
        case nil: bytes = []
        case .json(let value)?:
            all.append(("Content-Type", "application/json"))
            bytes = JSONWriter.bytes(of: value, indent: indent)
        case .written(let known)?:
            all.append(("Content-Type", "application/json"))
            bytes = known
        case .page(let page)?:
            all += HTMLPage.fields
            bytes = page.bytes
        case .text(let text)?:
            all.append(("Content-Type", text.mediaType))
            bytes = Array(text.text.utf8)
        }
        all += self.fields
        all += fields
        if let policy {
            // Django's own views say it only where it is the answer; the gate does not know what the upstream takes.
            if !policy.view.rendersHTML && dialect == nil || status == 405 {
                all.append(("Allow", policy.view.allowedMethods.map(\.name).joined(separator: ", ")))
            }
            all.append(("Vary", policy.looksAtCookies ? "Accept, Cookie" : "Accept"))
        }
        all += Self.securityFields
        all.append(("Content-Length", String(bytes.count)))
        if let dialect { return dialect.response(status, all, bytes) }
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
