public import FastCGI

/// Says whether a location's parameters can be understood, without a request.
public struct PolicyCheck: Sendable {
    private let classes: PolicyClasses

    /// - Parameter accounts: Of any store: nobody in it is asked.
    public init(accounts: Accounts) { classes = PolicyClasses(accounts: accounts) }

    /// What is wrong with the parameters; nil: nothing.
    public func error(in parameters: Parameters) -> String? {
        do throws(PolicyError) {
            return try Policy(try PolicySettings(parameters), classes) == nil ? "POSTERN_VIEW is missing" : nil
        } catch {
            return error.description
        }
    }
}
