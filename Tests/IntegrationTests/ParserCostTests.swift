import Foundation
import Testing

/// Whether a text costs a server more than it weighs.
///
/// Instructions are counted, not time: valgrind counts the same on a busy machine as on a quiet one. `parser-cost` answers
/// a request with a hostile text where it is read, and one with the same text where nobody reads it, at two sizes; what is
/// between the two is what reading costs.
///
/// `make test` builds without the optimiser, and there each byte costs tens of times what it costs a server. To build
/// everything once more with it takes minutes, so that `make test-cost` does: it holds the bounds for servers. Here they
/// are wide, but what makes a parser dangerous is seen as well: cost that grows faster than the text, an object for each
/// few bytes, and work beyond the limit of a field.
@Suite("What a text costs to read")
struct ParserCostTests {
    /// Instructions for each byte of the longest text.
    private struct Bounds {
        /// Of a header field or a query: 5 is asked by issue 15.
        let field: Double
        /// Of a body of 64 KiB, of which values are made.
        let body: Double
        /// Sizes of the texts. The second is four times the first.
        let sizes: [Int]

        /// Instructions by which two requests may differ that are answered in two ways.
        let difference: Double

        static let released = Bounds(field: 5, body: 45, sizes: [15_000, 60_000], difference: 100_000)
        static let debug = Bounds(field: 200, body: 1500, sizes: [4000, 16_000], difference: 1_000_000)
    }

    private static let released = ProcessInfo.processInfo.environment["POSTERN_PARSER_COST"]

    private static var binary: String {
        released
            ?? URL(fileURLWithPath: Site.binary).deletingLastPathComponent().appendingPathComponent("parser-cost").path
    }

    private struct Cost {
        let input: String
        let isBody: Bool
        let size: Int
        var unread = 0
        var read = 0

        var perByte: Double { Double(read - unread) / Double(size) }
    }

    @Test("Every parser is linear, and takes few instructions a byte")
    func costs() throws {
        let bounds: Bounds = Self.released == nil ? .debug : .released
        let costs = try Self.measure(sizes: bounds.sizes)
        #expect(costs.count > 150)
        for large in costs where large.size == bounds.sizes[1] {
            let bound = large.isBody ? bounds.body : bounds.field
            #expect(large.perByte <= bound, "\(large.input): \(large.perByte) instructions a byte")
            // Fields have limits, at which their cost may jump: for them the bound says all.
            guard large.isBody else { continue }
            let small = try #require(costs.first { $0.input == large.input && $0.size == bounds.sizes[0] })
            // Four times the bytes: four times the instructions at most, but for what a request without a body does else.
            let most = 4.8 * Double(max(0, small.read - small.unread)) + bounds.difference
            #expect(
                Double(large.read - large.unread) <= most,
                "\(large.input): \(small.perByte) instructions a byte, then \(large.perByte)"
            )
        }
    }

    private static func measure(sizes: [Int]) throws -> [Cost] {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Valgrind 3.19 cannot read the toolchain's debugging information, and does not go on then.
        let stripped = folder + "/parser-cost"
        try Child.run("/usr/bin/strip", ["-g", "-o", stripped, binary]).expectSuccess()
        let finished = try Child.run(
            "/usr/bin/valgrind",
            [
                "--tool=callgrind", "--zero-before=*measurementBegins*", "--dump-before=*measurementEnds*",
                "--callgrind-out-file=\(folder)/counts", stripped, folder,
            ] + sizes.map(String.init),
            environment: ["SWIFT_DETERMINISTIC_HASHING": "1"]
        )
        try finished.expectSuccess()
        var costs: [Cost] = []
        for (number, line) in finished.output.split(separator: "\n").enumerated() {
            // body|field NAME SIZE read|unread STATUS
            var words = line.split(separator: " ")
            words.removeLast()
            let isRead = words.removeLast() == "read"
            let size = try #require(words.popLast().flatMap { Int($0) }, "\(line)")
            let counts = try String(contentsOfFile: "\(folder)/counts.\(number + 1)", encoding: .utf8)
            let total = try #require(
                counts.split(separator: "\n").last { $0.hasPrefix("totals: ") || $0.hasPrefix("summary: ") }
            )
            let count = try #require(Int(total.split(separator: " ")[1]), "\(total)")
            let isBody = words.removeFirst() == "body"
            if isRead {
                costs[costs.count - 1].read = count
            } else {
                costs.append(Cost(input: words.joined(separator: " "), isBody: isBody, size: size, unread: count))
            }
        }
        return costs
    }
}
