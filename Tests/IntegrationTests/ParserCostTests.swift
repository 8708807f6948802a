import Foundation
import Testing

/// Whether a text costs a server more than it weighs.
///
/// Instructions are counted, not time: valgrind counts the same on a busy machine as on a quiet one. `parser-cost` answers
/// a request with a hostile text where it is read, and one with the same text where nobody reads it, at two sizes; what is
/// between the two is what reading costs.
///
/// `make test` has a release build, for which the bounds are those of a server. In a debug build each byte costs tens of times
/// as much: there the bounds are wide, but what makes a parser dangerous is seen as well: cost that grows faster than the
/// text, an object for each few bytes, and work beyond the limit of a field.
@Suite("What a text costs to read")
struct ParserCostTests {
    private enum Kind: String {
        case field
        /// At most 16 KiB, of which values are made.
        case bodyOfNobody = "nobody's-body"
        /// At most 64 KiB.
        case bodyOfUser = "user's-body"
    }

    private struct Bounds {
        /// Instructions for each byte of the longest text. A header field or a query may have 64 KiB. The body of nobody costs
        /// about what that does.
        let perByte: [Kind: Double]
        /// Sizes of the longest texts. The second is four times the first.
        let sizes: [Int]
        /// Instructions by which two requests may differ that are answered in two ways.
        let difference: Double

        static let released = Bounds(
            perByte: [.field: 5, .bodyOfNobody: 40, .bodyOfUser: 30],
            sizes: [15_000, 60_000],
            difference: 100_000
        )
        static let debug = Bounds(
            perByte: [.field: 200, .bodyOfNobody: 1500, .bodyOfUser: 1500],
            sizes: [4000, 16_000],
            difference: 1_000_000
        )
    }

    private static var binary: String {
        Site.releases.map { $0 + "/parser-cost" }
            ?? URL(fileURLWithPath: Site.binary).deletingLastPathComponent().appendingPathComponent("parser-cost").path
    }

    private struct Cost {
        let input: String
        let kind: Kind
        let size: Int
        var unread = 0
        var read = 0

        var perByte: Double { Double(read - unread) / Double(size) }
    }

    @Test("Every parser is linear, and takes few instructions a byte")
    func costs() throws {
        let bounds: Bounds = Site.releases == nil ? .debug : .released
        let costs = try Self.measure(sizes: bounds.sizes)
        #expect(costs.count > 150)
        for pair in stride(from: 1, to: costs.count, by: 2).map({ (small: costs[$0 - 1], large: costs[$0]) }) {
            let (small, large) = pair
            let bound = try #require(bounds.perByte[large.kind])
            #expect(large.perByte <= bound, "\(large.input): \(large.perByte) instructions a byte")
            // Fields have limits, at which their cost may jump: for them the bound says all.
            guard large.kind != .field else { continue }
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
            // KIND NAME SIZE read|unread STATUS
            var words = line.split(separator: " ")
            words.removeLast()
            let isRead = words.removeLast() == "read"
            let size = try #require(words.popLast().flatMap { Int($0) }, "\(line)")
            let counts = try String(contentsOfFile: "\(folder)/counts.\(number + 1)", encoding: .utf8)
            let total = try #require(
                counts.split(separator: "\n").last { $0.hasPrefix("totals: ") || $0.hasPrefix("summary: ") }
            )
            let count = try #require(Int(total.split(separator: " ")[1]), "\(total)")
            let kind = try #require(Kind(rawValue: String(words.removeFirst())), "\(line)")
            if isRead {
                costs[costs.count - 1].read = count
            } else {
                costs.append(Cost(input: words.joined(separator: " "), kind: kind, size: size, unread: count))
            }
        }
        return costs
    }
}
