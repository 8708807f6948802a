internal import FastCGI

/// What an upstream may read otherwise than it was judged here.
///
/// The gate judges a request, and somebody else acts on it. nginx's `proxy_pass` without a URI hands the target on as it was
/// typed, and an application reads it by rules of its own: one takes `%2f` for a slash, another `\`, one cuts `;…` off, one
/// decodes twice. So a path that is not the same to all of them is refused before anything is asked, unless the location
/// says that its upstream reads it as the web server does.
extension APIRequest {
    /// - Parameter takesRawPath: `POSTERN_PATH raw`.
    /// - Throws: ``APIError/ambiguous(_:)``; ``APIError/misconfigured(_:)`` where nobody says what the client typed.
    func checkPath(takesRawPath: Bool) throws(APIError) {
        guard !takesRawPath else { return }
        guard !target.isEmpty else {
            throw .misconfigured(
                PolicyError(parameter: "REQUEST_URI", value: "", reason: "is missing: the gate does not see the path")
            )
        }
        guard JudgedPath.isPlain(target) else { throw .ambiguous("The path can be read in more than one way.") }
    }

    /// Fields by which clients ask for another method than the request has, and frameworks obey.
    private static let overridingFields: [StaticString] = [
        "HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE",
    ]

    var overridesMethod: Bool {
        Self.overridingFields.contains { source.parameters.value(of: $0) != nil }
    }

    /// The method that an upstream may act on in place of the request's; nil where that is the only one.
    ///
    /// - Throws: ``APIError/ambiguous(_:)`` where several are asked for, or what is no method.
    func otherMethod() throws(APIError) -> Method? {
        guard overridesMethod else { return nil }
        var found: Method?
        for name in Self.overridingFields where source.parameters.value(of: name) != nil {
            // Frameworks do not mind case.
            guard let text = source.parameters.onlyValue(of: name),
                let other = Method(text.map { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 }[...]),
                found == nil || found == other
            else { throw .ambiguous("The request asks for more than one method.") }
            found = other
        }
        return found == method ? nil : found
    }
}
