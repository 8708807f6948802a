internal import Glibc

/// The same handler as a plain CGI program (RFC 3875): one request, its parameters in the environment, its
/// body on standard input.
public enum CGI {
    /// Whether a web server started this process to answer one request.
    public static var isRequested: Bool { getenv("GATEWAY_INTERFACE") != nil && getenv("REQUEST_METHOD") != nil }

    public static func respond(with handler: Handler) {
        var parameters = Parameters()
        parameters.load(environ)
        let response = handler(Request(parameters: parameters, reading: .standardInput))
        var rest = response.bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

enum StandardInput {
    /// As many bytes as `CONTENT_LENGTH` says (RFC 3875, section 4.2); without it there is no body.
    static func read(_ count: Int) throws(BodyError) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < body.count {
            let count = body.withUnsafeMutableBytes {
                Glibc.read(STDIN_FILENO, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .interrupted }
            filled += count
        }
        return body
    }
}
