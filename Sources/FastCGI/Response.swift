/// An answer, ready to be written: the header fields of a CGI response (RFC 3875, section 6.3) and a body.
public struct Response: Sendable {
    public let bytes: [UInt8]

    /// - Parameters:
    ///   - status: 100 to 599.
    ///   - fields: Names are RFC 9110 tokens. Every byte of a value that is not visible ASCII or a space is
    ///     percent-encoded, so no value can end its field.
    public init(status: Int, fields: [(name: String, value: String)], body: [UInt8]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(384 + body.count)
        bytes += "Status: \(status) \(Self.reasonPhrase(status))\r\n".utf8
        for (name, value) in fields {
            bytes += name.utf8
            bytes += ": ".utf8
            for byte in value.utf8 {
                if (0x20..<0x7F).contains(byte) {
                    bytes.append(byte)
                } else {
                    bytes += [UInt8(ascii: "%"), Self.digit(byte >> 4), Self.digit(byte & 15)]
                }
            }
            bytes += "\r\n".utf8
        }
        bytes += "\r\n".utf8
        bytes += body
        self.bytes = bytes
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    /// RFC 9110, section 15; RFC 6585.
    private static func reasonPhrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 429: "Too Many Requests"
        case 500: "Internal Server Error"
        case 503: "Service Unavailable"
        default: "Status"
        }
    }
}
