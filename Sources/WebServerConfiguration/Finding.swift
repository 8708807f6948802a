/// Something in a configuration that lets people in by mistake, or keeps everybody out.
public struct Finding: Sendable {
    public enum Severity: String, Sendable {
        /// Somebody gets in, or nobody does.
        case error
        /// Somebody may get in, where more comes together.
        case warning
    }

    /// Its name, for scripts.
    public let rule: String
    public let severity: Severity
    public let file: String
    public let line: Int
    /// What happens, and what to do.
    public let message: String

    public init(_ rule: String, _ severity: Severity, file: String, line: Int, _ message: String) {
        self.rule = rule
        self.severity = severity
        self.file = file
        self.line = line
        self.message = message
    }

    init(_ rule: String, _ severity: Severity, _ directive: Directive, _ message: String) {
        self.init(rule, severity, file: directive.file, line: directive.line, message)
    }
}
