/// A configuration as `lighttpd -p` prints it: with all includes and variables in their places.
public struct LighttpdConfiguration: Sendable {
    public let root: Condition

    /// A block: `config {}` itself, or one that holds under a condition.
    public struct Condition: Sendable {
        /// `$HTTP["url"] =^ "/app/"`; empty for the outermost.
        public let title: String
        public let line: Int
        public var settings: [(name: String, value: Value)] = []
        public var conditions: [Condition] = []

        /// The last setting of a name.
        func value(_ name: String) -> Value? { settings.last { $0.name == name }?.value }

        /// This one and all within.
        var all: [Condition] { [self] + conditions.flatMap(\.all) }
    }

    public indirect enum Value: Sendable {
        case text(String)
        /// Elements, with their names where they have some.
        case list([(name: String?, value: Value)])

        var text: String? { if case .text(let text) = self { text } else { nil } }

        var elements: [(name: String?, value: Value)] { if case .list(let elements) = self { elements } else { [] } }

        subscript(name: String) -> Value? { elements.last { $0.name == name }?.value }
    }

    /// Whether a text is such a configuration, and not nginx's.
    public static func isOne(_ text: String) -> Bool { text.hasPrefix("config {") }

    /// - Throws: ``ConfigurationError`` with the line.
    public init(dump: String) throws(ConfigurationError) {
        var parser = LighttpdParser(bytes: Array(dump.utf8))
        root = try parser.configuration()
    }
}

/// Reads words, quoted texts and signs one after the other.
private struct LighttpdParser {
    let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var depth = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func configuration() throws(ConfigurationError) -> LighttpdConfiguration.Condition {
        guard word() == "config", take("{") else { throw error("does not begin with config {") }
        return try block("", line)
    }

    /// After its opening brace.
    private mutating func block(
        _ title: String,
        _ start: Int
    ) throws(ConfigurationError) -> LighttpdConfiguration.Condition {
        depth += 1
        guard depth < 50 else { throw error("has too many blocks within each other") }
        defer { depth -= 1 }
        var block = LighttpdConfiguration.Condition(title: title, line: start)
        while !take("}") {
            let start = line
            if peek == UInt8(ascii: "$") || rest(startsWith: "else") {
                block.conditions.append(try self.block(condition(), start))
                continue
            }
            guard let name = word(), take("=") || take("+=") else { throw error("has no setting where one should be") }
            block.settings.append((name, try value()))
        }
        return block
    }

    /// Up to the brace that opens its block.
    private mutating func condition() throws(ConfigurationError) -> String {
        var title: [UInt8] = []
        var isQuoted = false
        skipSpaceAndComments()
        while position < bytes.count {
            let byte = bytes[position]
            advance()
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == UInt8(ascii: "{"), !isQuoted {
                while title.last == 0x20 { title.removeLast() }
                return String(decoding: title, as: UTF8.self)
            }
            title.append(byte)
        }
        throw error("ends within a condition")
    }

    private mutating func value() throws(ConfigurationError) -> LighttpdConfiguration.Value {
        guard take("(") else {
            guard let text = try quoted() ?? word() else { throw error("has no value where one should be") }
            return .text(text)
        }
        depth += 1
        guard depth < 50 else { throw error("has too many lists within each other") }
        defer { depth -= 1 }
        var elements: [(name: String?, value: LighttpdConfiguration.Value)] = []
        while !take(")") {
            let first = try value()
            if take("=>") { elements.append((first.text, try value())) } else { elements.append((nil, first)) }
            _ = take(",")
        }
        return .list(elements)
    }

    private mutating func quoted() throws(ConfigurationError) -> String? {
        guard take("\"") else { return nil }
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            advance()
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), position < bytes.count {
                text.append(bytes[position])
                advance()
            } else {
                text.append(byte)
            }
        }
        throw error("ends within quotes")
    }

    private mutating func word() -> String? {
        skipSpaceAndComments()
        let start = position
        while position < bytes.count, !" \t\r\n=(),{}\"#".utf8.contains(bytes[position]) { position += 1 }
        return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
    }

    private mutating func take(_ sign: String) -> Bool {
        guard rest(startsWith: sign) else { return false }
        // `=` is not the beginning of `=>`.
        if sign == "=", position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: ">") { return false }
        position += sign.utf8.count
        return true
    }

    private mutating func rest(startsWith text: String) -> Bool {
        skipSpaceAndComments()
        return bytes[position...].starts(with: text.utf8)
    }

    private mutating func skipSpaceAndComments() {
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "#") {
                while position < bytes.count, bytes[position] != 0x0A { position += 1 }
            } else if bytes[position] == 0x20 || (0x09...0x0D).contains(bytes[position]) {
                advance()
            } else {
                return
            }
        }
    }

    private var peek: UInt8? {
        mutating get {
            skipSpaceAndComments()
            return position < bytes.count ? bytes[position] : nil
        }
    }

    private mutating func advance() {
        if bytes[position] == 0x0A { line += 1 }
        position += 1
    }

    private func error(_ reason: String) -> ConfigurationError {
        ConfigurationError(file: "lighttpd -p", line: line, reason: reason)
    }
}
