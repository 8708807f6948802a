internal import FastCGI

/// A request on its way through the pipeline, as authenticators, permissions and views see it: DRF's
/// `Request`. Everything that the client chose is bytes.
public struct APIRequest {
    public internal(set) var method: Method
    private let fields: Fields
    private let parameters: Parameters

    /// `Authorization`, without its name; nil when there is none.
    public var authorization: ArraySlice<UInt8>? { value(fields.authorization) }
    var hasAuthorization: Bool { fields.authorization.isThere }
    let authorizationWords: AuthorizationWords
    public var accept: ArraySlice<UInt8>? { fields.joinedAccept ?? value(fields.accept) }
    public var contentType: ArraySlice<UInt8>? { value(fields.contentType) }
    /// All `Cookie` fields in one; nil when there is none.
    public var cookies: ArraySlice<UInt8>? { fields.joinedCookies ?? value(fields.cookies) }
    /// Without the question mark.
    public var query: ArraySlice<UInt8> { value(fields.query) ?? [] }
    /// The request target as the client typed it. For logs only: web servers route by another form.
    public var target: ArraySlice<UInt8> { value(fields.target) ?? [] }
    /// The client's address, from `REMOTE_ADDR` alone.
    public var remoteAddress: ArraySlice<UInt8> { value(fields.remoteAddress) ?? [] }
    /// Whether the web server says that the connection is encrypted.
    public let isSecure: Bool

    /// Who is asking; nil before authentication and for nobody.
    public internal(set) var user: User?
    /// The name of the scheme by which the user was recognised.
    public internal(set) var scheme: String?
    /// Under which number the scheme is counted.
    var schemeNumber = 0
    /// What they were recognised by: DRF's `request.auth`.
    public internal(set) var credential: Credential?
    /// Whether the location says which method the client used.
    let isMethodNamed: Bool
    /// What was refused of its client; nil where the location does not count that.
    var failures: ClientFailures?
    /// What its throttles said when they counted it; nil before.
    var throttled: ThrottlePass?

    let source: FastCGI.Request
    /// nil where nobody asks for a body twice.
    private var readBody: ReadBody?

    /// - Throws: ``APIError`` 400 for a request whose method is no token, or in which a parameter that is no
    ///   list stands twice.
    init(_ source: FastCGI.Request) throws(APIError) {
        let parameters = source.parameters
        guard let fields = Fields(parameters) else { throw .malformedRequest }
        isMethodNamed = fields.namedMethod.isThere
        guard let text = (isMethodNamed ? fields.namedMethod : fields.method).value(parameters),
            let method = Method(text)
        else { throw .malformedRequest }
        self.method = method
        authorizationWords = AuthorizationWords(fields.authorization.value(parameters))
        isSecure = fields.https.value(parameters).map { ASCII.equalsIgnoringCase($0, "on".utf8) } ?? false
        self.fields = fields
        self.parameters = parameters
        self.source = source
    }

    private func value(_ place: Place) -> ArraySlice<UInt8>? { place.value(parameters) }

    /// Whether anybody was recognised.
    public var isAuthenticated: Bool { if case nil = user { false } else { true } }

    /// Whether `REMOTE_ADDR` is 127.0.0.0/8 or ::1.
    public var isFromLoopback: Bool {
        let address = remoteAddress
        return address.starts(with: Self.loopbackIPv4) || address == Self.loopbackIPv6
    }

    private static let loopbackIPv4 = Array("127.".utf8)
    private static let loopbackIPv6 = Array("::1".utf8)[...]

    /// The whole body, read on first demand.
    /// - Parameter limit: In bytes.
    /// - Throws: ``APIError`` 413 past the limit; 400 when the client went away or lied about its length.
    public func body(limit: Int) throws(APIError) -> [UInt8] {
        do {
            return try source.body(limit: limit)
        } catch {
            switch error {
            case .tooLarge: throw .contentTooLarge
            case .interrupted: throw .malformedRequest
            case .noRoom: throw .unavailable("Too many bodies are kept for others.")
            }
        }
    }

    /// The body as fields: DRF's `request.data`.
    /// - Parameters:
    ///   - order: Of the parsers.
    ///   - isOfUser: Whether it is known who sends it.
    /// - Throws: ``APIError`` 400, 413 past 64 KiB and for nobody past 16 KiB, 415.
    func data(_ order: [BodyFormat] = BodyFormat.allCases, isOfUser: Bool = false) throws(APIError) -> RequestData {
        if let known = readBody?.data, known.order == order { return known.data }
        let limits: BodyParser.Limits = isOfUser || isAuthenticated ? .ofUser : .ofNobody
        let body = try body(limit: limits.bytes)
        do {
            let data = try BodyParser.parse(body, contentType: contentType, order: order, limits)
            readBody?.data = (order, data)
            return data
        } catch {
            throw APIError(error)
        }
    }

    /// Keeps what the body was read as for whoever asks next.
    mutating func rememberBody() { readBody = ReadBody() }

    /// What a body was read as, so that the check against forgery, a view and its page read it once.
    private final class ReadBody {
        var data: (order: [BodyFormat], data: RequestData)?
    }

    /// Where a parameter stands, if it does.
    private struct Place {
        /// No request has as many parameters as this can count. -1: none.
        private var position: Int32 = -1

        var isThere: Bool { position >= 0 }

        /// - Returns: false when there is one already.
        mutating func set(_ position: Int) -> Bool {
            guard !isThere else { return false }
            self.position = Int32(clamping: position)
            return true
        }

        func value(_ parameters: Parameters) -> ArraySlice<UInt8>? {
            isThere ? parameters.value(at: Int(position)) : nil
        }
    }

    private struct Origins: OptionSet {
        var rawValue: UInt8
        static let host = Origins(rawValue: 1)
        static let origin = Origins(rawValue: 2)
        static let referer = Origins(rawValue: 4)
        static let fetchSite = Origins(rawValue: 8)
    }

    /// The parameters that this type is made of, found in one walk.
    private struct Fields {
        private(set) var method = Place(), namedMethod = Place(), authorization = Place(), accept = Place()
        private(set) var cookies = Place(), contentType = Place(), query = Place(), target = Place()
        private(set) var remoteAddress = Place(), https = Place()
        /// Which of those came that say where a request comes from.
        private var origins = Origins()
        /// Of a list that comes in several fields (RFC 9110, section 5.3; RFC 6265, section 5.4): nginx hands over each.
        private(set) var joinedAccept, joinedCookies: ArraySlice<UInt8>?

        /// nil when a parameter that is no list stands twice.
        init?(_ parameters: Parameters) {
            for position in 0..<parameters.count {
                guard take(position, parameters) else { return nil }
            }
        }

        /// - Returns: false when the parameter came before.
        private mutating func take(_ position: Int, _ parameters: Parameters) -> Bool {
            switch parameters.nameLength(at: position) {
            case 5 where parameters.isName("HTTPS", at: position): return https.set(position)
            case 9 where parameters.isName("HTTP_HOST", at: position): return origins.insert(.host).inserted
            case 11 where parameters.isName("REMOTE_ADDR", at: position): return remoteAddress.set(position)
            case 11 where parameters.isName("REQUEST_URI", at: position): return target.set(position)
            case 11 where parameters.isName("HTTP_ACCEPT", at: position):
                Self.add(position, parameters, to: &accept, &joinedAccept, ", ")
            case 11 where parameters.isName("HTTP_COOKIE", at: position):
                Self.add(position, parameters, to: &cookies, &joinedCookies, "; ")
            case 11 where parameters.isName("HTTP_ORIGIN", at: position): return origins.insert(.origin).inserted
            case 12 where parameters.isName("HTTP_REFERER", at: position): return origins.insert(.referer).inserted
            case 12 where parameters.isName("CONTENT_TYPE", at: position): return contentType.set(position)
            case 12 where parameters.isName("QUERY_STRING", at: position): return query.set(position)
            case 14 where parameters.isName("REQUEST_METHOD", at: position): return method.set(position)
            case 18 where parameters.isName("HTTP_AUTHORIZATION", at: position): return authorization.set(position)
            case 19 where parameters.isName("HTTP_SEC_FETCH_SITE", at: position):
                return origins.insert(.fetchSite).inserted
            case 22 where parameters.isName("POSTERN_REQUEST_METHOD", at: position): return namedMethod.set(position)
            default: break
            }
            return true
        }

        private static func add(
            _ position: Int,
            _ parameters: Parameters,
            to first: inout Place,
            _ joined: inout ArraySlice<UInt8>?,
            _ separator: String
        ) {
            guard !first.set(position) else { return }
            // In place: of thousands of fields each would copy all before it.
            if joined == nil { joined = first.value(parameters) ?? [] }
            joined?.append(contentsOf: separator.utf8)
            joined?.append(contentsOf: parameters.value(at: position))
        }
    }
}

// MARK: - What only few requests are asked for

extension APIRequest {
    /// The value of the cookie of this name.
    public func cookie(_ name: String) -> ArraySlice<UInt8>? { cookies.flatMap { Cookies.value(of: name, in: $0) } }

    /// A text of the body, or else of the query.
    func text(_ name: StaticString) throws(APIError) -> String? {
        if method == .post, let text = try data().text(name.description) {
            return String(decoding: text, as: UTF8.self)
        }
        return Form.lastValue(of: name, in: query)
    }

    /// Whether the body says that it is JSON, which no page of another origin can send unasked.
    var isJSON: Bool { MediaType(contentType ?? []).names("application", "json") }

    /// `POSTERN_VIEW`.
    var viewName: String? { parameters.value(of: "POSTERN_VIEW").map { String(decoding: $0, as: UTF8.self) } }

    /// The path as the web server routes by it: decoded and simplified. Without a final slash it is none of ours.
    var path: ArraySlice<UInt8> {
        if let path = parameters.value(of: "DOCUMENT_URI") { return path }
        let script = parameters.value(of: "SCRIPT_NAME") ?? []
        return parameters.value(of: "PATH_INFO").map { script + $0 } ?? script
    }

    /// The path by which rules may go; nil where nobody can say which one an upstream will see.
    var judgedPath: ArraySlice<UInt8>? {
        let path = source.role == .authorizer ? JudgedPath.canonical(target)?[...] : path
        guard let path, !JudgedPath.isAmbiguous(path) else { return nil }
        return path
    }

    /// `POSTERN_OBJECT_OWNER`; nil where it is not given, or twice.
    var objectOwner: ArraySlice<UInt8>? { parameters.onlyValue(of: "POSTERN_OBJECT_OWNER") }

    /// `Host` as the client sent it, empty when there is none. To compare with `Origin` and `Referer`, which a
    /// browser writes together with it; nothing else is to be believed of it.
    var host: ArraySlice<UInt8> { parameters.value(of: "HTTP_HOST") ?? [] }

    var origin: ArraySlice<UInt8>? { parameters.value(of: "HTTP_ORIGIN") }

    var referer: ArraySlice<UInt8>? { parameters.value(of: "HTTP_REFERER") }

    /// `Sec-Fetch-Site` (W3C, Fetch Metadata Request Headers).
    var fetchSite: ArraySlice<UInt8>? { parameters.value(of: "HTTP_SEC_FETCH_SITE") }

    /// `X-CSRFToken`.
    var csrfToken: ArraySlice<UInt8>? { parameters.value(of: "HTTP_X_CSRFTOKEN") }
}

extension FastCGI.Request {
    /// The request target as the client typed it, without the query, into which careless clients put secrets. For logs only.
    var targetWithoutQuery: ArraySlice<UInt8>? {
        parameters.value(of: "REQUEST_URI")?.prefix { $0 != UInt8(ascii: "?") }
    }
}
