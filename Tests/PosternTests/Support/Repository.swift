import Foundation

/// The sources that the tests were built from.
enum Repository {
    static let path = #filePath.components(separatedBy: "/Tests/")[0]
}
