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
        // The automaton that validates UTF-8 takes up to five for each byte that is not ASCII, and whoever reads on takes two
        // or three more.
        "JSON bytes": 9.5, "JSON name of a user": 9.5, "JSON letters and bytes": 9.5, "JSON bytes unread": 8,
        "form bytes unread": 6.2,
        // Their places are counted in lines and characters.
        "JSON bad bytes": 12, "JSON lines": 7,
        // An escape of two bytes to six becomes one or more, and what follows is copied byte by byte.
        "JSON escapes": 9, "JSON short escapes": 12, "JSON surrogates": 12.5, "JSON halves of pairs": 21.5,
        "JSON text after an escape": 13.5, "JSON long texts": 16.5, "JSON escapes and bytes": 17.5,
        "JSON bytes after an escape": 18,
        // 200 values of a few bytes each.
        "JSON decimals": 5.6,
        // The C library reads all digits, of a field that is read.
        "JSON fraction": 16.5,
        // Fields that are read: each byte is copied, and what is no UTF-8 becomes three.
        "form escapes": 11, "form Latin-1": 17, "form pluses": 17, "form pluses and letters": 20.5,
        "form escapes and letters": 19.5, "form bad bytes": 24.5, "form cut off letters": 25.5,
        "form of another charset": 16, "introspection": 11, "verification": 5.6,
        // Four bytes are compared at each place of the body, and a header of each part is read.
        "multipart letters": 13, "multipart hyphens": 5.8, "multipart lines": 5.8, "multipart header": 6.8,
        "multipart long header": 5.9, "multipart long parts": 34,
        // Up to 3000 texts, of which the view makes names; 11 fields are looked for among a thousand. The costs of 15,000 bytes
        // are bounded by the values that a body may have.
        "JSON of a list": 14, "JSON user": 13.5, "form user": 10,
    ]

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
            if isRead {
                costs[costs.count - 1].read = count
            } else {
                costs.append(Cost(input: words.joined(separator: " "), kind: kind, size: size, unread: count))
            }
        }
        return costs
    }
}
