internal import Journal

/// Django's protection against forged requests of a browser: `CsrfViewMiddleware`, message for message.
///
/// A secret of 32 characters stands in a cookie that pages of the site can read; an unsafe request has to say
/// it once more, plain or masked, in a field of its form or in `X-CSRFToken`. Beyond Django, the secret of whoever
/// is logged in follows from their session: one that was planted or is left from before does not count.
struct CSRF {
    let settings: SessionSettings

    /// Django's `CSRF_COOKIE_AGE`, in seconds.
    private static let cookieAge: Int64 = 31_449_600

    /// What a browser says of a request that no other site's page made; two of them in one field are none.
    private static let ownSites = ["same-origin", "same-site", "none"]

    /// Refuses an unsafe request that may have been forged.
    ///
    /// - Parameter bound: The secret that is the only right one; nil: any that the client's cookie holds.
    /// - Throws: ``APIError/csrfFailed(_:cookie:)``, and what is wrong with a body in which the token may stand.
    func check(_ request: APIRequest, bound: CSRFSecret?) throws(APIError) {
        // A WebSocket is opened by a GET, and any page may ask for one.
        guard !request.method.isCSRFSafe || settings.trustsOrigin && request.isUpgrade else { return }
        try checkOrigin(of: request, wantsReferer: !settings.trustsOrigin)
        if settings.trustsOrigin, request.origin != nil || request.fetchSite?.elementsEqual("same-origin".utf8) ?? false
        {
            return
        }
        guard let cookie = request.cookie(settings.csrfCookie) else { throw Self.failure("CSRF cookie not set.") }
        let known: CSRFSecret
        do {
            known = try CSRFSecret(presented: cookie)
        } catch {
            throw .csrfFailed("CSRF cookie \(error.reason).", cookie: self.cookie(bound ?? .random(), for: request))
        }
        let (token, source) = try token(in: request, ofUser: bound != nil)
        let presented: CSRFSecret
        do {
            presented = try CSRFSecret(presented: token)
        } catch {
            throw Self.failure("CSRF token from \(source) \(error.reason).")
        }
        guard presented.isSame(as: known), bound.map(presented.isSame) ?? true else {
            throw Self.failure("CSRF token from \(source) incorrect.")
        }
    }

    /// The part that needs no secret: whether the request comes from a page of this site, as far as the browser
    /// says. It is enough where nothing but the right content can do harm, as at a login by JSON, which no other
    /// site's page can send unless we let it.
    ///
    /// - Parameter wantsReferer: Whether over TLS a request without `Origin` must have a `Referer`, as Django wants
    ///   it. Clients that are no browsers have neither.
    func checkOrigin(of request: APIRequest, wantsReferer: Bool) throws(APIError) {
        let host = request.host
        if let origin = request.origin {
            let scheme = (request.isSecure ? "https://" : "http://").utf8
            guard
                !host.isEmpty && origin.starts(with: scheme) && origin.dropFirst(scheme.count) == host
                    || settings.trustedOrigins.contains(origin: origin)
            else {
                let text = Latin1.excerpt(origin)
                throw Self.failure("Origin checking failed - \(text) does not match any trusted origins.")
            }
        } else if let site = request.fetchSite, !Self.ownSites.contains(where: { site.elementsEqual($0.utf8) }) {
            throw Self.failure("Origin checking failed - the request comes from another site.")
        } else if request.isSecure, wantsReferer || request.referer != nil {
            try checkReferer(request.referer, host: host)
        }
    }

    /// The field that sets the cookie.
    func cookie(_ secret: CSRFSecret, for request: APIRequest) -> (name: String, value: String) {
        SetCookie(
            name: settings.csrfCookie,
            value: secret.text,
            maximumAge: Self.cookieAge,
            isHTTPOnly: false,
            isSecure: request.isSecure
        ).field(now: .now())
    }

    /// Whether the client has a cookie that is of no use, and no request of it can succeed.
    func needsCookie(_ request: APIRequest) -> Bool {
        request.cookie(settings.csrfCookie).map { (try? CSRFSecret(presented: $0)) == nil } ?? false
    }

    /// The secret in the client's cookie; nil where there is none that could be one.
    func secret(of request: APIRequest) -> CSRFSecret? {
        request.cookie(settings.csrfCookie).flatMap { try? CSRFSecret(presented: $0) }
    }

    private func checkReferer(_ referer: ArraySlice<UInt8>?, host: ArraySlice<UInt8>) throws(APIError) {
        guard let referer else { throw Self.failure("Referer checking failed - no Referer.") }
        guard let parts = URLParts(referer) else {
            throw Self.failure("Referer checking failed - Referer is malformed.")
        }
        guard parts.scheme == "https" else {
            throw Self.failure("Referer checking failed - Referer is insecure while host is secure.")
        }
        guard
            !host.isEmpty && ASCII.equalsIgnoringCase(parts.host, host)
                || settings.trustedOrigins.contains(host: parts.host)
        else {
            let text = Latin1.excerpt(referer)
            throw Self.failure("Referer checking failed - \(text) does not match any trusted origins.")
        }
    }

    /// The field of the form wins, where there is one and it is not empty.
    private func token(
        in request: APIRequest,
        ofUser: Bool
    ) throws(APIError) -> (token: ArraySlice<UInt8>, source: String) {
        if request.method == .post, let text = try formToken(of: request, ofUser: ofUser), !text.isEmpty {
            // A letter beyond ASCII is one character that is not allowed. What is longer than a secret stays so.
            let letters = String(decoding: text.prefix(4 * CSRFSecret.length), as: UTF8.self).unicodeScalars
            return (letters.map { $0.isASCII ? UInt8($0.value) : 0xFF }[...], "POST")
        }
        guard let header = request.csrfToken else { throw Self.failure("CSRF token missing.") }
        return (header, "the 'X-Csrftoken' HTTP header")
    }

    /// Reads the body whatever its type, as Django REST Framework does: one that is malformed ends the request.
    private func formToken(of request: APIRequest, ofUser: Bool) throws(APIError) -> ArraySlice<UInt8>? {
        let data: RequestData
        do {
            data = try request.data(isOfUser: ofUser)
        } catch .contentTooLarge {
            return nil
        } catch {
            throw error
        }
        return request.isJSON ? nil : data.text("csrfmiddlewaretoken")
    }

    private static func failure(_ reason: String) -> APIError { .csrfFailed(reason, cookie: nil) }
}
