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
        /// Instructions for each byte of the longest text. A header field or a query may have 64 KiB.
        let perByte: [Kind: Double]
        /// Likewise, of inputs that cost more, by name.
        let exceptions: [String: Double]
        /// Sizes of the longest texts. The second is four times the first.
        let sizes: [Int]
        /// Instructions by which two requests may differ that are answered in two ways.
        let difference: Double

        static let released = Bounds(
            perByte: [.field: 5, .bodyOfNobody: 5, .bodyOfUser: 5],
            exceptions: ParserCostTests.exceptions,
            sizes: [15_000, 60_000],
            difference: 100_000
        )
        static let debug = Bounds(
            perByte: [.field: 200, .bodyOfNobody: 1500, .bodyOfUser: 1500],
            exceptions: [:],
            sizes: [4000, 16_000],
            difference: 1_000_000
        )
    }

    /// A little above what was measured.
    private static let exceptions: [String: Double] = [
        // Whether it is UTF-8 takes three and a half for each byte that is not ASCII, and whoever reads on takes two more.
        "JSON bytes": 6.2, "JSON letters and bytes": 6.2, "JSON name of a user": 6.2, "multipart letters": 6.7,
        // Their places are counted in lines and characters.
        "JSON bad bytes": 8.6, "JSON lines": 5.5,
        // An escape of two bytes to six becomes one or more: each is looked at, looked up and written. What is between two of them
        // is copied eight bytes at a time where it is long.
        "JSON escapes": 7.7, "JSON short escapes": 11, "JSON surrogates": 12.2, "JSON halves of pairs": 12.2,
        "JSON text after an escape": 6.8, "JSON long texts": 10.9, "JSON escapes and bytes": 16.8,
        "JSON bytes after an escape": 9.9,
        // 200 values of a few bytes each.
        "JSON decimals": 5.6,
        // Fields that are read: three bytes become one, what is no UTF-8 becomes three, and letters of Latin-1 become two.
        "form escapes": 8.7, "form Latin-1": 10.1, "form pluses": 7, "form pluses and letters": 8.8,
        "form escapes and letters": 18.4, "form bad bytes": 15.3, "form cut off letters": 22.4,
        "form of another charset": 17.9, "introspection": 8.6,
        // A header of each part is read: of a hundred parts at most.
        "multipart long parts": 32,
        // Up to 3000 texts, of which the view makes names; 11 fields are looked for among a thousand. The costs of 15,000 bytes
        // are bounded by the values that a body may have.
        "JSON of a list": 11.3, "JSON user": 13.5, "form user": 9.5,
    ]

    private static let binary = Site.products + "/parser-cost"

    private struct Cost {
        let input: String
        let kind: Kind
        let size: Int
        /// The least of what was measured.
        var unread = Int.max
        var read = Int.max

        var perByte: Double { Double(read - unread) / Double(size) }
    }

    @Test("Every parser is linear, and takes few instructions a byte")
    func costs() throws {
        let bounds: Bounds = Site.areReleased ? .released : .debug
        let costs = try Self.measure(sizes: bounds.sizes)
        #expect(costs.count > 150)
        for pair in stride(from: 1, to: costs.count, by: 2).map({ (small: costs[$0 - 1], large: costs[$0]) }) {
            let (small, large) = pair
            let bound = try #require(bounds.exceptions[large.input] ?? bounds.perByte[large.kind])
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
            let input = words.joined(separator: " ")
            if costs.last.map({ $0.input != input || $0.size != size }) ?? true {
                costs.append(Cost(input: input, kind: kind, size: size))
            }
            let part = isRead ? \Cost.read : \.unread
            costs[costs.count - 1][keyPath: part] = min(costs[costs.count - 1][keyPath: part], count)
        }
        return costs
    }
}
