/// What answers once the policy of a location has let the request in: DRF's `APIView`.
public protocol APIView: Sendable {
    /// DRF's `get_view_name`: what OPTIONS calls it.
    var name: String { get }

    /// DRF's `get_view_description`.
    var description: String { get }

    /// The methods it takes, without OPTIONS, which is answered for it, and with HEAD only where it
    /// differs from GET.
    var methods: [Method] { get }

    /// What it asks for in a location that does not say.
    var defaultPermission: any Permission { get }

    /// The authenticators of a location that does not say, by the names that `POSTERN_AUTHENTICATION` takes.
    var defaultAuthentication: [String] { get }

    /// What `WWW-Authenticate` says where the view knows better than the location's first authenticator.
    var challenge: String? { get }

    /// Whether it has pages for browsers beside JSON; it then answers in the form that `Accept` and
    /// `Content-Type` ask for.
    var rendersHTML: Bool { get }

    /// Whether it answers in one form, which is not JSON, whatever `Accept` asks for.
    var rendersText: Bool { get }

    /// How the bodies that it reads may be written, in the order in which they are tried.
    var parses: [BodyFormat] { get }

    /// Whether its body carries a secret, which is then refused over a connection that is not encrypted.
    var takesSecret: Bool { get }

    /// Whether it hands out or ends credentials, which a credential that is good for less than its user may do must
    /// not be able to.
    var needsUnlimitedCredential: Bool { get }

    /// Likewise, for a token of another issuer: such a token does not do it unless the location says so. As
    /// ``needsUnlimitedCredential`` where the view does not say.
    var handsOutCredentials: Bool { get }

    /// DRF's `actions` in the answer to OPTIONS, for views that take fields.
    var actions: JSONValue? { get }

    /// Whether it answers this method at all; without an answer of its own, if it is among its ``methods``.
    func takes(_ method: Method) -> Bool

    /// Refuses what cannot be judged, before anybody is recognised. Of the gate alone it is asked.
    /// - Throws: ``APIError``.
    func check(_ request: APIRequest) throws(APIError)

    /// Whether it answers this request whoever sends it, and whatever the location asks for.
    func letsThrough(_ request: APIRequest) -> Bool

    /// What ``respond(to:)`` answers to every request; nil where there is no such answer.
    var constantAnswer: APIResponse? { get }

    /// Whether an answer to an unsafe method may take long, as it does when something is written to disk.
    var mayWait: Bool { get }

    /// Whether an unsafe method makes or checks a hash of a password, which only as many requests do at a time as there are
    /// cores for it.
    var hashesPassword: Bool { get }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse
}

extension APIView {
    public var constantAnswer: APIResponse? { nil }
    public var mayWait: Bool { true }
    public var hashesPassword: Bool { false }
    public var description: String { "" }
    public var defaultPermission: any Permission { IsAuthenticated() }
    public var defaultAuthentication: [String] { ["Token", "JWT", "Session", "Basic"] }
    public var challenge: String? { nil }
    public var rendersHTML: Bool { false }
    public var rendersText: Bool { false }
    public var parses: [BodyFormat] { BodyFormat.allCases }
    public var takesSecret: Bool { false }
    public var needsUnlimitedCredential: Bool { false }
    public var handsOutCredentials: Bool { needsUnlimitedCredential }
    public var actions: JSONValue? { nil }
    public func takes(_ method: Method) -> Bool { methods.contains(method) || allowedMethods.contains(method) }
    public func check(_ request: APIRequest) throws(APIError) {}
    public func letsThrough(_ request: APIRequest) -> Bool { false }

    /// DRF's `allowed_methods`, in its order: what `Allow` says.
    var allowedMethods: [Method] {
        let order: [Method] = [.get, .post, .put, .patch, .delete, .head, .options]
        return order.filter { method in
            method == .options || methods.contains(method) || method == .head && methods.contains(.get)
        }
    }
}

/// What a view answers: a status and a JSON body, or a page.
public struct APIResponse: Sendable {
    public var status: Int
    public var body: JSONValue?
    /// In the place of `body`; likewise `text`.
    var page: HTMLPage?
    var text: PlainText?
    /// Header fields beside those that every answer has.
    public var fields: [(name: String, value: String)]

    public init(status: Int = 200, _ body: JSONValue?, fields: [(name: String, value: String)] = []) {
        self.status = status
        self.body = body
        self.fields = fields
    }

    /// - Parameter path: Of this site.
    static func redirect(to path: String, _ fields: [(name: String, value: String)]) -> APIResponse {
        var response = APIResponse(status: 302, nil, fields: [("Location", path)] + fields)
        response.page = HTMLPage(title: "Found", content: "<a href=\"\(HTMLPage.escape(path))\">Go on</a>")
        return response
    }

    /// An answer that is no JSON.
    public static func text(_ text: String, mediaType: String) -> APIResponse {
        var response = APIResponse(nil)
        response.text = PlainText(text: text, mediaType: mediaType)
        return response
    }

    /// For answers that carry a credential or an identity (RFC 9111, section 5.2.2.5).
    static let noStore = (name: "Cache-Control", value: "no-store")
}

/// A body that is no JSON.
struct PlainText: Sendable {
    let text: String
    /// For `Content-Type`.
    let mediaType: String
}
