/// What is wrong with a JSON text, in CPython's words.
public struct JSONError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
