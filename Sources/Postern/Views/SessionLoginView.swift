/// Django's `LoginView`: a form for browsers, and JSON for clients of the API. Nobody is recognised before: what is
/// left of another login does not stand in the way.
struct SessionLoginView: APIView {
    let name = "Login"
    let methods: [Method] = [.get, .post]
    let defaultPermission: any Permission = AllowAny()
    let defaultAuthentication: [String] = []
    let rendersHTML = true
    let takesSecret = true
    let hashesPassword = true
    let login: SessionLogin

    private static let serializer = Serializer(fields: [
        CharField(name: "username"), CharField(name: "password", trimsWhitespace: false),
    ])

    var actions: JSONValue? { Metadata.actions([.init("username"), .init("password")]) }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        let isHTML = Negotiation.prefersHTML(request)
        if request.method == .get || request.method == .head {
            return try form(request, isHTML: isHTML)
        }
        try checkCSRF(request)
        let values: [String: [UInt8]]
        do {
            values = try Self.serializer.validate(try request.data())
        } catch {
            guard isHTML, case .invalid(let messages) = error else { throw error }
            return try form(request, isHTML: true, error: Self.text(of: messages))
        }
        guard let name = values["username"], let password = values["password"],
            let user = try login.accounts.user(
                // Django's form composes a name; DRF's serializers, by which JSON goes, do not.
                named: request.isJSON
                    ? name : Array(Username.composed(byFormFrom: String(decoding: name, as: UTF8.self)).utf8),
                password: password,
                for: request
            )
        else {
            guard isHTML else { throw Serializer.nonFieldError("Unable to log in with provided credentials.") }
            return try form(request, isHTML: true, error: LoginPage.wrongPassword)
        }
        var cookies = try login.start(for: user, request)
        if let device = request.failures?.deviceField(for: user.id, request) { cookies.append(device) }
        login.accounts.signals.send(.loggedIn(user), for: request)
        guard isHTML else {
            return APIResponse(WhoAmIView.body(of: user, scheme: "Session"), fields: [APIResponse.noStore] + cookies)
        }
        return .redirect(to: SessionLogin.path(try request.text("next")), cookies)
    }

    /// What a form says of the first field that is wrong, as Django's does.
    private static func text(of messages: JSONValue) -> String {
        guard case .object(let fields) = messages, case .array(let texts)? = fields.first?.value,
            case .string("Null characters are not allowed.")? = texts.first
        else { return "This field is required." }
        return "Null characters are not allowed."
    }

    /// A form is sent from a page of this site, with the secret that the page holds. JSON cannot be sent by
    /// another site's page, unless the browser says so.
    private func checkCSRF(_ request: APIRequest) throws(APIError) {
        let csrf = CSRF(settings: login.settings)
        if request.isJSON {
            try csrf.checkOrigin(of: request, wantsReferer: false)
        } else {
            try csrf.check(request, bound: nil)
        }
    }

    /// The page, or the secret alone, and the cookie that holds it.
    private func form(
        _ request: APIRequest,
        isHTML: Bool,
        error: String? = nil
    ) throws(APIError) -> APIResponse {
        let secret = try login.secret(request)
        let cookie = CSRF(settings: login.settings).cookie(secret, for: request)
        guard isHTML else {
            let body: JSONValue = .object([("csrfmiddlewaretoken", .string(secret.masked))])
            return APIResponse(body, fields: [APIResponse.noStore, cookie])
        }
        let page = LoginPage(
            csrfToken: secret.masked,
            username: try request.text("username").flatMap { $0.utf8.count <= 4 * Username.maximumLength ? $0 : nil }
                ?? "",
            next: SessionLogin.path(try request.text("next")),
            error: error
        )
        var response = APIResponse(nil, fields: [cookie])
        response.page = page.page
        return response
    }
}
