import FastCGI
import Foundation
import Logging
import Postern

/// Answers one request after the other whose fields or body cost as much as a client can make them cost, so that
/// callgrind can count what each one takes: `ParserCostTests` starts it under valgrind, and reads the counts.
///
///     parser-cost FOLDER [SIZE ...]
///
/// Each input is sent twice at each size: in the field that is read, and in one that nobody reads. Both have been answered
/// once before, so that policies and what is made on first use are known. Each is measured `repetitions` times, one after the
/// other: once a second a process looks after its files, which is no part of any request's cost, and cannot be in two
/// requests in a row. A line of standard output names each measurement, in the order of callgrind's dumps.
@main
struct ParserCost {
    /// `ParserCostTests` takes the least of so many.
    private static let repetitions = 2

    let application: Application

    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let folder = arguments.first else {
            print("usage: parser-cost FOLDER [SIZE ...]")
            exit(64)
        }
        try Store.create(at: folder + "/store")
        let accounts = Accounts(store: try Store(opening: folder + "/store"))
        let application = Application(
            accounts: accounts,
            logger: Logger(label: "cost") { _ in SwiftLogNoOpLogHandler() }
        )
        let (_, token) = try accounts.addUser(
            try Username("ann".utf8),
            password: nil,
            isStaff: true,
            withToken: true
        )
        let given = arguments.dropFirst().compactMap { Int($0) }
        let sizes = given.isEmpty ? [4000, 16_000] : given
        let cost = ParserCost(application: application)
        for input in HostileInput.all(token: token?.text ?? "") {
            for isRead in [false, true] { cost.answer(input.request(size: input.size(sizes[0]), isRead: isRead)) }
            for size in sizes.map(input.size) {
                for isRead in [false, true] {
                    let kind = input.isBody ? input.isOfNobody ? "nobody's-body" : "user's-body" : "field"
                    for _ in 0..<repetitions {
                        let request = input.request(size: size, isRead: isRead)
                        measurementBegins()
                        let status = cost.answer(request)
                        measurementEnds("\(kind) \(input.name) \(size) \(isRead ? "read" : "unread") \(status)\n")
                    }
                }
            }
        }
    }

    @discardableResult
    private func answer(_ request: FastCGI.Request) -> Int { application.respond(to: request).status }
}

/// Callgrind counts from here on: its option `--zero-before`. Both have an effect, so that no optimiser leaves them out.
@inline(never)
func measurementBegins() { write(STDOUT_FILENO, "", 0) }

/// Callgrind writes down what it has counted: its option `--dump-before`.
@inline(never)
func measurementEnds(_ line: String) {
    write(STDOUT_FILENO, line, line.utf8.count)
}
