internal import Journal
public import Logging
internal import Synchronization

/// The least level that is logged, for all loggers that share it. It can change while they log.
public final class LogLevel: Sendable {
    private let number: Atomic<Int>

    public init(_ level: Logger.Level) { number = Atomic(Self.number(of: level)) }

    public var value: Logger.Level {
        get { Logger.Level.allCases[number.load(ordering: .relaxed)] }
        set { number.store(Self.number(of: newValue), ordering: .relaxed) }
    }

    private static func number(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }
}

/// Writes what swift-log's loggers are told as lines of text or of JSON.
///
///     2026-11-26T09:30:00.123456Z error answered 503: … duration_us=71 path=/x status=503
///     {"time":"2026-11-26T09:30:00.123456Z","level":"error","message":"answered 503: …","metadata":{"path":"/x",…}}
public struct LineLogHandler: LogHandler {
    private let output: LogOutput
    private let sharedLevel: LogLevel
    private var ownLevel: Logger.Level?
    public var metadata: Logger.Metadata = [:]

    /// - Parameter level: What counts for this logger as long as nobody sets a level of its own.
    public init(to output: LogOutput, level: LogLevel) {
        self.output = output
        sharedLevel = level
    }

    public var logLevel: Logger.Level {
        get { ownLevel ?? sharedLevel.value }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let pairs = all.map { (name: $0.key, value: "\($0.value)") }.sorted { $0.name < $1.name }
        let time = Timestamp.now().rfc3339
        switch output.format {
        case .text:
            var line = "\(time) \(event.level) \(Self.printable("\(event.message)"))"
            for (name, value) in pairs { line += " \(Self.printable(name))=\(Self.printable(value))" }
            output.write(Array(line.utf8))
        case .json:
            var members: [(name: String, value: JSONValue)] = [
                ("time", .string(time)), ("level", .string("\(event.level)")), ("message", .string("\(event.message)")),
            ]
            if !pairs.isEmpty { members.append(("metadata", .object(pairs.map { ($0.name, .string($0.value)) }))) }
            output.write(JSONWriter.bytes(of: .object(members)))
        }
    }

    /// One line, whatever comes. What we log of clients has gone through ``LogText`` before.
    private static func printable(_ text: String) -> String {
        // What has gone through it is so, but for its end.
        if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}
