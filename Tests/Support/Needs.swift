import Foundation
package import Testing

/// Whether tests run whose tools are missing, and fail of that: in continuous integration no suite vanishes unseen.
private let mustRun = ProcessInfo.processInfo.environment["POSTERN_CI"] == "1"

extension Trait where Self == ConditionTrait {
    /// For tests of tools that may be missing: where they are, and `POSTERN_CI` is not 1, the tests are skipped.
    ///
    /// - Parameter tool: What is to be installed.
    package static func needs(_ tool: String, _ isThere: @autoclosure @escaping @Sendable () throws -> Bool) -> Self {
        .enabled(if: try mustRun || isThere(), "\(tool) is not installed")
    }

    /// Likewise for files of packages.
    package static func needs(_ tool: String, at paths: String...) -> Self {
        .needs(tool, paths.allSatisfy { access($0, F_OK) == 0 })
    }
}
