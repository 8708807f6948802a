internal import FastCGI
internal import Journal

/// How the gate says yes and no to the server that asks.
enum GateDialect: Sendable {
    /// nginx's `auth_request` takes 2xx, 401 and 403, and makes 500 of everything else; it drops the body. So another
    /// status is a 403 that says which, and the body stands in a field, from which the include gives both to the client.
    case authRequest
    /// Every status is what it is.
    case plain
    /// FastCGI 1.0, section 6.3: 200 lets go on, and tells by fields `Variable-NAME` what the next handler finds in its
    /// environment. lighttpd takes no other status for a yes.
    case authorizer

    static let identityField = "X-Postern-Identity"

    private static let userField = "X-Postern-User"

    /// In what the authorizer's variables say the same. Those that are not said are empty: the next handler must not
    /// find there what came from elsewhere.
    private static let variables = [
        (userField, "Variable-REMOTE_USER"), ("X-Postern-User-Id", "Variable-REMOTE_USER_ID"),
        ("X-Postern-Groups", "Variable-REMOTE_GROUPS"), ("X-Postern-Scopes", "Variable-REMOTE_SCOPES"),
        ("X-Postern-Scheme", "Variable-AUTH_TYPE"), (identityField, "Variable-REMOTE_IDENTITY"),
    ]

    /// The dialect of a request whose location makes no sense; nil when it is not about the gate.
    init?(of source: FastCGI.Request) {
        guard source.parameters.value(of: "POSTERN_VIEW")?.elementsEqual("gate".utf8) ?? false else { return nil }
        self = source.role == .authorizer ? .authorizer : .authRequest
    }

    // MARK: - Who it is

    /// Empty for nobody.
    /// - Parameter listLimit: Bytes that a list has at most.
    static func identity(of request: APIRequest, listLimit: Int) -> [(name: String, value: String)] {
        guard let user = request.user else { return [] }
        /// Whole names: half of one could be another's.
        func joined(_ names: some Sequence<String>, _ separator: String) -> String {
            names.fitting(listLimit).joined(separator: separator)
        }
        let groups = joined(user.groups.lazy.map { encoded($0.bytes) }, ",")
        let scopes = joined((request.credential?.scopes ?? []).lazy.map { encoded(Array($0.utf8)) }, " ")
        var fields: [(name: String, value: String)] = []
        fields.reserveCapacity(5)
        func say(_ name: String, _ value: String) { if !value.isEmpty { fields.append((name, value)) } }
        say(userField, encoded(user.username.bytes))
        say("X-Postern-User-Id", String(user.id))
        say("X-Postern-Groups", groups)
        say("X-Postern-Scopes", scopes)
        say("X-Postern-Scheme", request.scheme ?? "")
        return fields
    }

    /// Percent-encoded (RFC 3986, section 2.1) wherever it is not a visible character of ASCII, or could be taken for the
    /// end of a name.
    private static func encoded(_ bytes: [UInt8]) -> String {
        if bytes.allSatisfy(visible.contains) { return String(decoding: bytes, as: UTF8.self) }
        return Percent.encoded(bytes, keeping: visible)
    }

    private static let visible = ByteSet { byte in
        switch byte {
        case UInt8(ascii: "%"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\""), UInt8(ascii: "\\"): false
        default: (0x21..<0x7F).contains(byte)
        }
    }

    // MARK: - What it says

    func response(_ status: Int, _ fields: [(name: String, value: String)], _ body: [UInt8]) -> FastCGI.Response {
        switch self {
        case .plain:
            // Caddy makes of a field that is not there the text by which its configuration names it.
            let missing =
                status == 204 ? Self.variables.map(\.0).filter { name in !fields.contains { $0.name == name } } : []
            return FastCGI.Response(status: status, fields: fields + missing.map { ($0, "") }, body: body)
        case .authorizer:
            guard status == 204 else {
                // Apache calls it HTML.
                let body = Array(Self.ascii(body).utf8)
                let length = ("Content-Length", String(body.count))
                let others = fields.filter { $0.name != "Content-Length" }
                return FastCGI.Response(status: status, fields: others + [length], body: body)
            }
            let variables = Self.variables.map { field, variable in
                (name: variable, value: fields.first { $0.name == field }?.value ?? "")
            }
            return FastCGI.Response(status: 200, fields: variables, body: [])
        case .authRequest:
            guard status != 204 else { return FastCGI.Response(status: 204, fields: fields, body: []) }
            let isTaken = status == 401 || status == 403
            let more = [
                ("X-Postern-Status", String(status)), ("X-Postern-Body", Self.ascii(body)),
            ]
            // nginx 1.22 passes the first challenge on: all of them in one field are as good (RFC 9110, section 11.6.1).
            let challenges = fields.filter { $0.name == "WWW-Authenticate" }.map(\.value)
            let challenge = challenges.isEmpty ? [] : [("WWW-Authenticate", challenges.joined(separator: ", "))]
            let others = fields.filter { !["Content-Length", "WWW-Authenticate"].contains($0.name) }
            return FastCGI.Response(
                status: isTaken ? status : 403,
                fields: others + challenge + more + [("Content-Length", "0")],
                body: []
            )
        }
    }

    /// The same JSON, with what is beyond ASCII escaped (RFC 8259, section 7), and what would begin a tag.
    private static func ascii(_ json: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(json.count)
        for unit in String(decoding: json, as: UTF8.self).utf16 {
            if unit < 0x7F, unit != 0x3C {
                text.append(UInt8(truncatingIfNeeded: unit))
            } else {
                text += [UInt8(ascii: "\\"), UInt8(ascii: "u")]
                text += Hexadecimal.digits(UInt8(truncatingIfNeeded: unit >> 8))
                text += Hexadecimal.digits(UInt8(truncatingIfNeeded: unit))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension Sequence<String> {
    /// The first texts, as many as have so many bytes together with one between each two.
    func fitting(_ limit: Int) -> [String] {
        var size = -1
        var fitting: [String] = []
        for text in self {
            size += text.utf8.count + 1
            guard size <= limit else { break }
            fitting.append(text)
        }
        return fitting
    }
}
