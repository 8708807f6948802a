internal import FastCGI

/// A request on its way through the pipeline, as authenticators, permissions and views see it: DRF's
/// `Request`. Everything that the client chose is bytes.
public struct APIRequest {
    public let method: Method
    /// `Authorization`, without its name; nil when there is none.
    public let authorization: ArraySlice<UInt8>?
    public let accept: ArraySlice<UInt8>?
    public let contentType: ArraySlice<UInt8>?
    /// All `Cookie` fields in one; nil when there is none.
    public let cookies: ArraySlice<UInt8>?
    /// Without the question mark.
    public let query: ArraySlice<UInt8>
    /// The request target as the client typed it. For logs only: web servers route by another form.
    public let target: ArraySlice<UInt8>
    /// The client's address, from `REMOTE_ADDR` alone.
    public let remoteAddress: ArraySlice<UInt8>
    /// Whether the web server says that the connection is encrypted.
    public let isSecure: Bool

    /// Who is asking; nil before authentication and for nobody.
    public internal(set) var user: User?
    /// The name of the scheme by which the user was recognised.
    public internal(set) var scheme: String?
    /// What they were recognised by: DRF's `request.auth`.
    public internal(set) var credential: Credential?
    /// Whether the location says which method the client used.
    let isMethodNamed: Bool
    /// What was refused of its client; nil where the location does not count that.
    var failures: ClientFailures?

    let source: FastCGI.Request

    /// - Throws: ``APIError`` 400 for a request whose method is no token, or in which a parameter that is no
    ///   list stands twice.
    init(_ source: FastCGI.Request) throws(APIError) {
        var fields = Fields()
        let parameters = source.parameters
        for position in 0..<parameters.count {
            let (name, value) = parameters[position]
            guard fields.take(name, value) else { throw .malformedRequest }
        }
        isMethodNamed = fields.namedMethod != nil
        guard let method = Method(fields.namedMethod ?? fields.method ?? []) else { throw .malformedRequest }
        self.method = method
        authorization = fields.authorization
        accept = fields.accept
        contentType = fields.contentType
        cookies = fields.cookies
        query = fields.query ?? []
        target = fields.target ?? []
        remoteAddress = fields.remoteAddress ?? []
        isSecure = fields.https.map { ASCII.equalsIgnoringCase($0, "on".utf8) } ?? false
        self.source = source
    }

    /// Whether `REMOTE_ADDR` is 127.0.0.0/8 or ::1.
    public var isFromLoopback: Bool {
        remoteAddress.starts(with: "127.".utf8) || remoteAddress.elementsEqual("::1".utf8)
    }

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
            }
        }
    }

    /// The body as fields: DRF's `request.data`.
    /// - Throws: ``APIError`` 400, 413 past 64 KiB, 415.
    func data() throws(APIError) -> JSONValue {
        let body = try body(limit: Self.maximumData)
        do {
            return try BodyParser.parse(body, contentType: contentType)
        } catch {
            throw APIError(error)
        }
    }

    /// Bytes of a body. A username and a password of the greatest length fit, however they are written.
    private static let maximumData = 64 * 1024

    /// Says that what follows may take long: another thread takes over this one's other work.
    public func willWait() { source.willWait() }

    /// The parameters that this type is made of, found in one walk.
    private struct Fields {
        var method, namedMethod, authorization, accept, cookies, contentType: ArraySlice<UInt8>?
        var query, target, remoteAddress, https: ArraySlice<UInt8>?

        /// - Returns: false when the parameter came before.
        mutating func take(_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Bool {
            switch name.count {
            case 5 where name.elementsEqual("HTTPS".utf8): Self.set(&https, value)
            case 11 where name.elementsEqual("HTTP_ACCEPT".utf8): Self.add(value, to: &accept, ", ")
            case 11 where name.elementsEqual("HTTP_COOKIE".utf8): Self.add(value, to: &cookies, "; ")
            case 11 where name.elementsEqual("REMOTE_ADDR".utf8): Self.set(&remoteAddress, value)
            case 11 where name.elementsEqual("REQUEST_URI".utf8): Self.set(&target, value)
            case 12 where name.elementsEqual("CONTENT_TYPE".utf8): Self.set(&contentType, value)
            case 12 where name.elementsEqual("QUERY_STRING".utf8): Self.set(&query, value)
            case 14 where name.elementsEqual("REQUEST_METHOD".utf8): Self.set(&method, value)
            case 22 where name.elementsEqual("POSTERN_REQUEST_METHOD".utf8): Self.set(&namedMethod, value)
            case 18 where name.elementsEqual("HTTP_AUTHORIZATION".utf8): Self.set(&authorization, value)
            default: true
            }
        }

        /// A list, which may come in several fields (RFC 9110, section 5.3; RFC 6265, section 5.4); nginx hands
        /// over each of them.
        private static func add(
            _ value: ArraySlice<UInt8>,
            to list: inout ArraySlice<UInt8>?,
            _ separator: String
        ) -> Bool {
            list = list.map { $0 + Array(separator.utf8) + value } ?? value
            return true
        }

        private static func set(_ field: inout ArraySlice<UInt8>?, _ value: ArraySlice<UInt8>) -> Bool {
            guard field == nil else { return false }
            field = value
            return true
        }
    }
}

// MARK: - What only few requests are asked for

extension APIRequest {
    /// The value of the cookie of this name.
    public func cookie(_ name: String) -> ArraySlice<UInt8>? { cookies.flatMap { Cookies.value(of: name, in: $0) } }

    /// A text of the body, or else of the query.
    func text(_ name: String) throws(APIError) -> String? {
        if method == .post, case .object(let members) = try data(),
            case .string(let text)? = members.last(where: { $0.name == name })?.value
        {
            return text
        }
        return Form.lastValue(of: name, in: query)
    }

    /// Whether the body says that it is JSON.
    var isJSON: Bool {
        let type = MediaType(contentType ?? [])
        return type.type.elementsEqual("application".utf8) && type.subtype.elementsEqual("json".utf8)
    }

    /// The path as the web server routes by it: decoded and simplified. Without a final slash it is none of ours.
    var path: ArraySlice<UInt8> {
        if let path = source.parameters.value(of: "DOCUMENT_URI") { return path }
        let script = source.parameters.value(of: "SCRIPT_NAME") ?? []
        return source.parameters.value(of: "PATH_INFO").map { script + $0 } ?? script
    }

    /// The path by which rules may go; nil where nobody can say which one an upstream will see.
    var judgedPath: ArraySlice<UInt8>? {
        let path = source.role == .authorizer ? JudgedPath.canonical(target)?[...] : path
        guard let path, !JudgedPath.isAmbiguous(path) else { return nil }
        return path
    }

    /// `POSTERN_OBJECT_OWNER`; nil where it is not given, or twice.
    var objectOwner: ArraySlice<UInt8>? { source.parameters.onlyValue(of: "POSTERN_OBJECT_OWNER") }

    /// `Host` as the client sent it, empty when there is none. To compare with `Origin` and `Referer`, which a
    /// browser writes together with it; nothing else is to be believed of it.
    var host: ArraySlice<UInt8> { source.parameters.value(of: "HTTP_HOST") ?? [] }

    var origin: ArraySlice<UInt8>? { source.parameters.value(of: "HTTP_ORIGIN") }

    var referer: ArraySlice<UInt8>? { source.parameters.value(of: "HTTP_REFERER") }

    /// `Sec-Fetch-Site` (W3C, Fetch Metadata Request Headers).
    var fetchSite: ArraySlice<UInt8>? { source.parameters.value(of: "HTTP_SEC_FETCH_SITE") }

    /// `X-CSRFToken`.
    var csrfToken: ArraySlice<UInt8>? { source.parameters.value(of: "HTTP_X_CSRFTOKEN") }
}
