import ArgumentParser
import Glibc
import Postern
import Synchronization

/// How a command shows what it found: aligned columns for people, JSON for scripts.
struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    /// One member a column.
    typealias Row = [(key: String, value: JSONValue)]

    /// One object a row in an array, or a table with a line of headings.
    func print(_ rows: [Row], headings: [String]) {
        print(headings: headings) { for row in rows { $0(row) } }
    }

    /// As ``print(_:headings:)``, of rows that need not be there all at once.
    /// - Parameter eachRow: Hands over one row after the other; called twice for a table, whose columns are as wide as what is in
    ///   them.
    func print<Failure: Error>(headings: [String], eachRow: ((Row) -> Void) throws(Failure) -> Void) throws(Failure) {
        var lines = Lines()
        if json {
            var isFirst = true
            lines.add([UInt8(ascii: "[")])
            try eachRow { row in
                if !isFirst { lines.add([UInt8(ascii: ",")]) }
                isFirst = false
                lines.add(JSONWriter.bytes(of: .object(row.map { ($0.key, $0.value) })))
            }
            lines.add([UInt8(ascii: "]"), 0x0A])
        } else {
            var widths = Widths()
            widths.add(headings)
            try eachRow { widths.add($0.map { text(of: $0.value) }) }
            lines.add(widths.line(headings))
            try eachRow { row in lines.add(widths.line(row.map { text(of: $0.value) })) }
        }
        lines.flush()
    }

    /// One object, or a line for each of its members.
    func print(_ row: [(key: String, value: JSONValue)]) {
        if json {
            StandardOutput.write(.object(row.map { ($0.key, $0.value) }))
        } else {
            StandardOutput.write(table(row.map { [$0.key, text(of: $0.value)] }))
        }
    }

    private func table(_ rows: [[String]]) -> String {
        var widths = Widths()
        for row in rows { widths.add(row) }
        return String(decoding: rows.flatMap(widths.line), as: UTF8.self)
    }

    private func text(of value: JSONValue) -> String {
        switch value {
        case .null: "-"
        case .bool(let value): value ? "yes" : "no"
        case .integer(let value): String(value)
        case .string(let value): printable(String(value))
        case .array(let elements): elements.isEmpty ? "-" : elements.map(text).joined(separator: " ")
        default: ""
        }
    }
}

/// How wide the columns of a table are.
private struct Widths {
    private var widths: [Int] = []

    mutating func add(_ row: [String]) {
        for (column, cell) in row.enumerated() {
            if column == widths.count { widths.append(0) }
            widths[column] = max(widths[column], Self.width(of: cell))
        }
    }

    func line(_ row: [String]) -> [UInt8] {
        var line: [UInt8] = []
        for (column, cell) in row.enumerated() {
            line += cell.utf8
            if column < row.count - 1 {
                line += repeatElement(0x20, count: max(0, widths[column] - Self.width(of: cell)) + 2)
            }
        }
        return line + [0x0A]
    }

    /// What is counted as characters takes long, and is as many as bytes in ASCII.
    private static func width(of cell: String) -> Int { isPlain(cell) ? cell.utf8.count : cell.count }
}

/// Printed in parts.
private struct Lines {
    private var bytes: [UInt8] = []

    mutating func add(_ line: [UInt8]) {
        bytes += line
        if bytes.count >= 1 << 16 { flush() }
    }

    mutating func flush() {
        StandardOutput.write(orFail: bytes)
        bytes.removeAll(keepingCapacity: true)
    }
}

/// Whether all of it is visible ASCII, as nearly every text is.
private func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20..<0x7F).contains($0) } }

/// Text as it may go to a terminal: no control, no formatting and no invisible character in it.
func printable(_ text: String) -> String {
    if isPlain(text) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if isPrintable(scalar) {
            result.unicodeScalars.append(scalar)
        } else {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        }
    }
    return result
}

private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: false
    default: !scalar.properties.isDefaultIgnorableCodePoint
    }
}

enum StandardOutput {
    /// The error that kept something from being written, 0: none. What would follow is not written either.
    private static let error = Atomic<Int32>(0)

    static func write(_ text: String) { write(orFail: Array(text.utf8)) }

    /// JSON on a line of its own.
    static func write(_ value: JSONValue) { write(orFail: JSONWriter.bytes(of: value) + [0x0A]) }

    /// - Returns: Whether all of it was written.
    static func write(_ bytes: [UInt8]) -> Bool { writeAll(bytes, to: STDOUT_FILENO) == 0 }

    /// - Throws: ``Failure`` when something of what was to be printed is lost, as on a full disk: whoever asked for a token has
    ///   none. A reader that went away, as `head`, had enough.
    static func check() throws {
        let number = error.load(ordering: .relaxed)
        guard number != 0, number != EPIPE else { return }
        throw Failure(.inputOutput, "Standard output cannot be written: \(String(cString: strerror(number))).")
    }

    fileprivate static func write(orFail bytes: [UInt8]) {
        guard error.load(ordering: .relaxed) == 0, !bytes.isEmpty else { return }
        error.store(writeAll(bytes, to: STDOUT_FILENO), ordering: .relaxed)
    }
}

enum StandardError {
    static func write(_ text: String) { _ = writeAll(Array(text.utf8), to: STDERR_FILENO) }

    /// Whether what is written can reach anybody: it is not closed, and not `/dev/null`.
    static var isRead: Bool {
        var (own, null) = (stat(), stat())
        guard fstat(STDERR_FILENO, &own) == 0 else { return false }
        guard own.st_mode & S_IFMT == S_IFCHR, stat("/dev/null", &null) == 0 else { return true }
        return own.st_rdev != null.st_rdev
    }
}

enum StandardStreams {
    /// Opens `/dev/null` in place of those that are closed, so that using one still is an error. A file that is opened later, as
    /// a journal, would get the number otherwise, and what is meant for people would be written into it.
    static func fill() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest number that is free, which is this one.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }
}

/// - Returns: 0, or the number of the error that kept the rest from being written.
private func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    var rest = bytes[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { return written == 0 ? EIO : errno }
        rest = rest.dropFirst(written)
    }
    return 0
}
