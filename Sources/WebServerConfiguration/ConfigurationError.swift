/// Why a text is no configuration of a web server.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    public let file: String
    public let line: Int
    /// As a sentence without its full stop.
    public let reason: String

    public var description: String { "\(file):\(line): \(reason)." }
}
