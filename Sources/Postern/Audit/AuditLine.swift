internal import Journal

/// One line of the audit log: what happened, and what is known about it.
///
/// As text:
///
///     2026-11-26T09:30:00.123456Z refused address=192.0.2.7 reason=bad-credential view=gate path="/a b"
///
/// The time, the event, and fields in a fixed order. A value with a space, a quote, a backslash or an equals sign in it
/// stands in quotes, where `\xHH` is a byte that is not printable or would end it: so a value never ends the line, nor
/// can it be taken for another field.
struct AuditLine {
    let event: String
    var fields: [(name: String, value: Value)]

    enum Value {
        /// Of ours, or a name that obeys the rules of ``Username``.
        case known(String)
        /// Of a client, of any bytes.
        case foreign(ArraySlice<UInt8>)
    }

    func bytes(at time: Timestamp, _ format: LogOutput.Format) -> [UInt8] {
        switch format {
        case .text:
            let text = fields.map { " \($0.name)=\(Self.quoted($0.value))" }.joined()
            return Array("\(time.rfc3339) \(event)\(text)".utf8)
        case .json:
            let members = fields.map { (name: $0.name, value: JSONValue.string(Self.text(of: $0.value))) }
            return JSONWriter.bytes(
                of: .object([("time", .string(time.rfc3339)), ("event", .string(event))] + members)
            )
        }
    }

    private static func text(of value: Value) -> String {
        switch value {
        case .known(let text): text
        case .foreign(let bytes): LogText(bytes).description
        }
    }

    private static func quoted(_ value: Value) -> String {
        let text = text(of: value)
        guard text.isEmpty || text.utf8.contains(where: needsQuotes) else { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\x22"
            // What came from a client is escaped already.
            case "\\": if case .known = value { quoted += "\\x5c" } else { quoted += "\\" }
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func needsQuotes(_ byte: UInt8) -> Bool {
        [UInt8(ascii: " "), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "=")].contains(byte)
    }
}
