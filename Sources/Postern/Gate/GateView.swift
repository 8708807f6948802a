internal import FastCGI
internal import Journal

/// Guards another upstream: says whether a request may go on to it, and who it is that asks. It reads no body.
///
/// The view `gate` speaks to nginx's `auth_request` and, in the role of an authorizer, to lighttpd and Apache;
/// `forward-auth` to Caddy and others that hand every answer but 2xx to the client as it is.
struct GateView: APIView {
    let name = "Gate"
    let methods: [Method]
    let mayWait = false
    let dialect: GateDialect
    let settings: GateSettings
    let store: Store
    /// Without `POSTERN_METHODS`, the upstream knows best.
    private let takesAnyMethod: Bool

    init(_ settings: ViewSettings, store: Store, dialect: GateDialect) {
        methods = (settings.methods ?? [.get, .post, .put, .patch, .delete]) + [.options]
        takesAnyMethod = settings.methods == nil
        self.settings = settings.gate
        self.store = store
        self.dialect = dialect
    }

    func takes(_ method: Method) -> Bool { takesAnyMethod || allowedMethods.contains(method) }

    func check(_ request: APIRequest) throws(APIError) { try request.checkPath(takesRawPath: settings.takesRawPath) }

    func letsThrough(_ request: APIRequest) -> Bool { settings.allowsPreflight && request.isPreflight }

    func respond(to request: APIRequest) throws(APIError) -> APIResponse {
        if case .plain = dialect, !request.isMethodNamed {
            throw .misconfigured(
                PolicyError(
                    parameter: PolicyParameter.requestMethod.rawValue,
                    value: "",
                    reason: "is missing: who asks by forward-auth does not use the client's method"
                )
            )
        }
        var fields = try identity(of: request)
        if let seconds = settings.cacheSeconds, request.method.isSafe, !request.isByPassword {
            fields.append(("X-Accel-Expires", String(seconds)))
        } else {
            fields.append(APIResponse.noStore)
        }
        return APIResponse(status: 204, nil, fields: fields)
    }
}

extension GateView {
    /// Bytes of the fields that say who it is: web servers, and many upstreams, take 8 KiB of a head, which has others, too.
    private static let maximumIdentity = 7 * 1024

    /// Bytes of a list of groups or scopes: the first with which all fits.
    private static let maximumLists = [3072, 1024, 256, 0]

    private func identity(of request: APIRequest) throws(APIError) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        for limit in Self.maximumLists {
            fields = GateDialect.identity(of: request, listLimit: limit)
            if let audience = settings.audience, let user = request.user {
                do {
                    let token = try store.identityToken(for: user, request, settings, audience, listLimit: limit)
                    fields.append((GateDialect.identityField, token))
                } catch {
                    throw APIError(any: error)
                }
            }
            let size = fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
            if size <= Self.maximumIdentity { break }
        }
        return fields
    }
}

/// What a location says about the gate.
struct GateSettings: Sendable {
    /// Whether the upstream reads paths as the web server does, however they are typed.
    let takesRawPath: Bool
    /// Whether a CORS preflight, which can carry no credential, goes on to the upstream.
    let allowsPreflight: Bool
    /// Whom the signed identity is for; nil: there is none.
    let audience: String?
    /// Seconds for which nginx may go by a yes; nil: for none.
    let cacheSeconds: Int64?

    init(_ settings: PolicySettings) throws(PolicyError) {
        takesRawPath = try settings.isSecond(.path, of: "plain", "raw")
        allowsPreflight = try settings.isSecond(.preflight, of: "refuse", "allow")
        audience = settings[.identityAudience]
        guard audience?.isEmpty != true else { throw settings.error(.identityAudience, "is empty") }
        cacheSeconds = try settings.seconds(.cache, in: 1...60)
        guard cacheSeconds == nil || settings[.throttle] == nil else {
            throw settings.error(.cache, "cannot stand beside POSTERN_THROTTLE: nobody would count")
        }
    }
}

extension APIRequest {
    /// A web server that remembers that a password was right would say so to whoever guesses, past all counters.
    fileprivate var isByPassword: Bool { if case .password? = credential { true } else { false } }

    /// A CORS preflight as browsers send it (Fetch, section 4.8): OPTIONS that names its origin and the method that is to
    /// come, and has neither a credential nor a body.
    var isPreflight: Bool {
        func isThere(_ name: StaticString) -> Bool { !(source.parameters.value(of: name) ?? []).isEmpty }
        func isZero(_ name: StaticString) -> Bool {
            source.parameters.value(of: name)?.elementsEqual("0".utf8) ?? false
        }
        // What has a type has a body. Of HTTP/2 a web server may not say that one follows.
        guard !isThere("CONTENT_TYPE"), !isThere("HTTP_CONTENT_TYPE") else { return false }
        let lengths: [StaticString] = ["CONTENT_LENGTH", "HTTP_CONTENT_LENGTH"]
        return method == .options && isThere("HTTP_ORIGIN") && isThere("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
            && authorization == nil && cookies == nil && !overridesMethod && !isThere("HTTP_TRANSFER_ENCODING")
            && lengths.allSatisfy { !isThere($0) || isZero($0) }
    }

    /// Whether it wants to become another protocol, as WebSocket (RFC 6455, section 4.1).
    var isUpgrade: Bool { !(source.parameters.value(of: "HTTP_UPGRADE") ?? []).isEmpty }
}
