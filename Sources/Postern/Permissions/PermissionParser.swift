/// Reads the text of a permission expression:
///
///     expression  = conjunction *( "|" conjunction )
///     conjunction = negation *( "&" negation )
///     negation    = *"~" ( "(" expression ")" / class )
///     class       = name [ "(" [ text *( "," text ) ] ")" ]
///     text        = "'" *( any character but "'" ) "'"
///
/// White space may stand between any two of these.
struct PermissionParser {
    /// Operators and pairs of parentheses of an expression, so that nobody's stack ends before the text does.
    static let maximumOperators = 100

    private let bytes: [UInt8]
    private let registry: PermissionRegistry
    private var position = 0
    private var operators = 0

    /// - Throws: ``PermissionError`` with the column at which the text makes no sense.
    static func parse(_ text: String, _ registry: PermissionRegistry) throws(PermissionError) -> PermissionExpression {
        var parser = PermissionParser(bytes: Array(text.utf8), registry: registry)
        let root = try parser.expression()
        guard parser.position == parser.bytes.count else { throw parser.error("is not expected here") }
        return PermissionExpression(root)
    }

    private init(bytes: [UInt8], registry: PermissionRegistry) {
        self.bytes = bytes
        self.registry = registry
        skipSpace()
    }

    private mutating func expression() throws(PermissionError) -> PermissionExpression.Node {
        var node = try conjunction()
        while take(UInt8(ascii: "|")) {
            try enter()
            node = .or(node, try conjunction())
        }
        return node
    }

    private mutating func conjunction() throws(PermissionError) -> PermissionExpression.Node {
        var node = try negation()
        while take(UInt8(ascii: "&")) {
            try enter()
            node = .and(node, try negation())
        }
        return node
    }

    private mutating func negation() throws(PermissionError) -> PermissionExpression.Node {
        if take(UInt8(ascii: "~")) {
            try enter()
            return .not(try negation())
        }
        guard take(UInt8(ascii: "(")) else { return try permission() }
        try enter()
        let node = try expression()
        guard take(UInt8(ascii: ")")) else { throw error("should be a closing parenthesis") }
        return node
    }

    private mutating func permission() throws(PermissionError) -> PermissionExpression.Node {
        let start = position
        while position < bytes.count, Base62.contains(bytes[position]) || bytes[position] == UInt8(ascii: "_") {
            position += 1
        }
        guard position > start else { throw error("should be a permission class") }
        let name = String(decoding: bytes[start..<position], as: UTF8.self)
        skipSpace()
        let arguments = try arguments()
        guard let maker = registry[name] else {
            throw PermissionError(column: start + 1, reason: "\(name) is not a permission class")
        }
        let text = arguments.isEmpty ? name : "\(name)(\(arguments.map { "'\($0)'" }.joined(separator: ", ")))"
        do {
            return .permission(try maker(arguments), text: text)
        } catch {
            throw PermissionError(column: start + 1, reason: "\(name) \(error)")
        }
    }

    private mutating func arguments() throws(PermissionError) -> [String] {
        guard take(UInt8(ascii: "(")) else { return [] }
        var arguments: [String] = []
        if take(UInt8(ascii: ")")) { return [] }
        repeat {
            guard position < bytes.count, bytes[position] == UInt8(ascii: "'"),
                let end = bytes[(position + 1)...].firstIndex(of: UInt8(ascii: "'"))
            else { throw error("should be a text in single quotes") }
            arguments.append(String(decoding: bytes[(position + 1)..<end], as: UTF8.self))
            position = end + 1
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: ")")) else { throw error("should be a comma or a closing parenthesis") }
        return arguments
    }

    /// Takes a sign and the space after it.
    private mutating func take(_ sign: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == sign else { return false }
        position += 1
        skipSpace()
        return true
    }

    private mutating func enter() throws(PermissionError) {
        operators += 1
        guard operators <= Self.maximumOperators else { throw error("makes the expression too long") }
    }

    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] == 0x20 { position += 1 }
    }

    private func error(_ reason: String) -> PermissionError {
        guard position < bytes.count else { return PermissionError(column: position + 1, reason: "the end \(reason)") }
        // The whole character, of however many bytes.
        let text = String(decoding: bytes[position...], as: UTF8.self)
        return PermissionError(column: position + 1, reason: "\"\(text.prefix(1))\" \(reason)")
    }
}

/// Where the text of a permission expression makes no sense, and why.
struct PermissionError: Error, Equatable {
    /// Of the byte, from 1 on.
    let column: Int
    /// As a sentence without its full stop.
    let reason: String
}
