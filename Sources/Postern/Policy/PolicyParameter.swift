/// The parameters by which a location of the web server says what it wants. No client can send one of
/// them: what a client sends arrives under names that begin with `HTTP_`.
enum PolicyParameter: String, CaseIterable {
    /// The view that answers; without it, the answer is 404.
    case view = "POSTERN_VIEW"
    /// Authenticators in order, by DRF's class names or their short forms; `None` for none.
    case authentication = "POSTERN_AUTHENTICATION"
    /// A permission class; without it, the view's own.
    case permission = "POSTERN_PERMISSION"
    /// The methods that view `message` takes.
    case methods = "POSTERN_METHODS"
    /// The realm of challenges.
    case realm = "POSTERN_REALM"
    /// The word before a token in `Authorization`: DRF's `keyword`.
    case tokenKeyword = "POSTERN_TOKEN_KEYWORD"
    /// `on`, `off`; without it, on for all but clients on the loopback address.
    case requireHTTPS = "POSTERN_REQUIRE_HTTPS"
    /// The text of view `message`.
    case message = "POSTERN_MESSAGE"

    static let prefix = Array("POSTERN_".utf8)
}

/// A parameter of a location that cannot be understood. Such a location lets nobody in.
public struct PolicyError: Error, Equatable, CustomStringConvertible {
    public let parameter: String
    public let value: String
    /// What is wrong with it, as the end of a sentence.
    public let reason: String

    public init(parameter: String, value: String, reason: String) {
        self.parameter = parameter
        self.value = value
        self.reason = reason
    }

    public var description: String { "parameter \(parameter) \"\(value)\" \(reason)" }
}
