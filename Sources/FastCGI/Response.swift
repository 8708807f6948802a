/// An answer, ready to be written: the header fields of a CGI response (RFC 3875, section 6.3) and a body.
public struct Response: Sendable {
    public let bytes: [UInt8]
    /// As the web server gets it.
    public let status: Int

    /// What a handler returns that has put its request off (``Request/postpone(_:)``); nobody sees it.
    public static let postponed = Response(status: 503, fields: [], body: [])

    /// - Parameters:
    ///   - status: 100 to 599.
    ///   - fields: Names are RFC 9110 tokens. Every byte of a value that is not visible ASCII or a space is
    ///     percent-encoded, so no value can end its field.
    public init(status: Int, fields: [(name: String, value: String)], body: [UInt8]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(640 + body.count)
        Self.append("Status: \(status) \(Self.reasonPhrase(status))\r\n", to: &bytes)
        for (name, value) in fields {
            Self.append(name, to: &bytes)
            Self.append(": ", to: &bytes)
            Self.appendEncoded(value, to: &bytes)
            Self.append("\r\n", to: &bytes)
        }
        Self.append("\r\n", to: &bytes)
        bytes += body
        self.bytes = bytes
        self.status = status
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { bytes.append(contentsOf: $0) }
    }

    private static func appendEncoded(_ value: String, to bytes: inout [UInt8]) {
        var value = value
        value.withUTF8 { value in
            if value.allSatisfy(isPlain) { return bytes.append(contentsOf: value) }
            for byte in value {
                if isPlain(byte) {
                    bytes.append(byte)
                } else {
                    bytes += [UInt8(ascii: "%"), digit(byte >> 4), digit(byte & 15)]
                }
            }
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool { (0x20..<0x7F).contains(byte) }

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
