/// Reads the text of one file: words, which may be quoted, that end with a semicolon or begin a block.
struct DirectiveParser {
    private let bytes: [UInt8]
    private let file: String
    private var position = 0
    private var line = 1

    /// Blocks within blocks; nginx itself has no use for more than a few.
    private static let maximumDepth = 50

    static func parse(_ text: String, file: String) throws(ConfigurationError) -> [Directive] {
        var parser = DirectiveParser(bytes: Array(text.utf8), file: file)
        return try parser.directives(depth: 0)
    }

    private init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// Up to the end of the file, or to the brace that closes the block.
    private mutating func directives(depth: Int) throws(ConfigurationError) -> [Directive] {
        guard depth <= Self.maximumDepth else { throw error("has too many blocks within each other") }
        var directives: [Directive] = []
        while true {
            skipSpaceAndComments()
            guard let byte = peek else {
                guard depth == 0 else { throw error("ends within a block") }
                return directives
            }
            if byte == UInt8(ascii: "}") {
                guard depth > 0 else { throw error("has a closing brace too many") }
                position += 1
                return directives
            }
            directives.append(try directive(depth: depth))
        }
    }

    private mutating func directive(depth: Int) throws(ConfigurationError) -> Directive {
        let start = line
        var words: [String] = []
        while true {
            skipSpaceAndComments()
            switch peek {
            case nil: throw error("ends within a directive")
            case UInt8(ascii: ";"):
                position += 1
                return try made(words, nil, start)
            case UInt8(ascii: "{"):
                position += 1
                if words.first.map(Self.holdsCode) ?? false {
                    try skipCode()
                    return try made(words, [], start)
                }
                return try made(words, try directives(depth: depth + 1), start)
            case UInt8(ascii: "}"): throw error("has a closing brace within a directive")
            default: words.append(try word())
            }
        }
    }

    private func made(
        _ words: [String],
        _ block: [Directive]?,
        _ line: Int
    ) throws(ConfigurationError) -> Directive {
        guard let name = words.first else { throw error("has a directive without a name") }
        return Directive(name: name, arguments: Array(words.dropFirst()), block: block, file: file, line: line)
    }

    private mutating func word() throws(ConfigurationError) -> String {
        if let quote = peek, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") { return try quoted(quote) }
        var word: [UInt8] = []
        while let byte = peek {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ";"): return String(decoding: word, as: UTF8.self)
            case UInt8(ascii: "{"):
                guard word.last == UInt8(ascii: "$") else { return String(decoding: word, as: UTF8.self) }
                // A variable: ${name}.
                while let byte = peek, byte != UInt8(ascii: "}") {
                    word.append(byte)
                    advance()
                }
                word.append(UInt8(ascii: "}"))
                advance()
            case UInt8(ascii: "\\"):
                word.append(byte)
                advance()
                if let next = peek {
                    word.append(next)
                    advance()
                }
            default:
                word.append(byte)
                advance()
            }
        }
        throw error("ends within a word")
    }

    private mutating func quoted(_ quote: UInt8) throws(ConfigurationError) -> String {
        var word: [UInt8] = []
        advance()
        while let byte = peek {
            advance()
            if byte == quote { return String(decoding: word, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), let next = peek {
                // nginx takes the backslash away before a quote, a backslash and the letters below.
                advance()
                switch next {
                case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\"): word.append(next)
                case UInt8(ascii: "t"): word.append(0x09)
                case UInt8(ascii: "r"): word.append(0x0D)
                case UInt8(ascii: "n"): word.append(0x0A)
                default: word += [byte, next]
                }
            } else {
                word.append(byte)
            }
        }
        throw error("ends within quotes")
    }

    /// Blocks that hold another language than nginx's.
    private static func holdsCode(_ name: String) -> Bool { name.hasSuffix("_by_lua_block") }

    private mutating func skipCode() throws(ConfigurationError) {
        var depth = 1
        while let byte = peek {
            advance()
            if byte == UInt8(ascii: "{") { depth += 1 }
            if byte == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { return }
            }
        }
        throw error("ends within a block")
    }

    private mutating func skipSpaceAndComments() {
        while let byte = peek {
            if byte == UInt8(ascii: "#") {
                while let byte = peek, byte != 0x0A {
                    _ = byte
                    advance()
                }
            } else if byte == 0x20 || (0x09...0x0D).contains(byte) {
                advance()
            } else {
                return
            }
        }
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func advance() {
        if peek == 0x0A { line += 1 }
        position += 1
    }

    private func error(_ reason: String) -> ConfigurationError {
        ConfigurationError(file: file, line: line, reason: reason)
    }
}
