/// A directive of an nginx configuration and where it stands.
public struct Directive: Sendable {
    public let name: String
    public let arguments: [String]
    /// What stands in braces after it; nil where there are none.
    public let block: [Directive]?
    public let file: String
    public let line: Int

    /// File and line, as compilers write them.
    public var place: String { "\(file):\(line)" }

    /// The first argument, empty where there is none.
    public var value: String { arguments.first ?? "" }
}
