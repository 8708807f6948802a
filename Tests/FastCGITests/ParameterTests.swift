import FastCGI
import Testing

@Suite("Parameters, and recognising them again")
struct ParameterTests {
    private static let selection = ParameterGroup.Selection(prefix: "POSTERN_", exceptions: ["POSTERN_OBJECT_OWNER"])

    private static func parameters(_ pairs: [(String, String)]) -> Parameters {
        Parameters(pairs.map { (name: $0.0, value: Array($0.1.utf8)) })
    }

    @Test("Names are told apart to the last byte")
    func names() {
        let parameters = Self.parameters([
            ("HTTP_ACCEPT", "a"), ("HTTP_ACCEPX", "b"), ("HTTP", ""), ("HTTP_COOKIE", "c"),
        ])
        #expect(parameters.isName("HTTP_ACCEPT", at: 0))
        #expect(!parameters.isName("HTTP_ACCEPT", at: 1))
        #expect(!parameters.isName("HTTP_ACCEP", at: 0))
        #expect(!parameters.isName("HTTP_ACCEPTS", at: 0))
        #expect(parameters.hasPrefix("HTTP_", at: 0))
        #expect(!parameters.hasPrefix("HTTP_", at: 2))
        #expect(parameters.hasPrefix("HTTP", at: 2))
        #expect(!parameters.hasPrefix("HTTP_ACCEPTED", at: 0))
        #expect(parameters.value(of: "HTTP_COOKIE").map(Array.init) == Array("c".utf8))
        #expect(parameters.value(of: "HTTP").map(Array.init) == [])
        #expect(parameters.value(of: "HTTP_") == nil)
        #expect(parameters.nameLength(at: 2) == 4)
    }

    @Test("The value of a name that stands twice is none, where there has to be only one")
    func onlyValue() {
        let parameters = Self.parameters([("A", "1"), ("B", "2"), ("A", "1")])
        #expect(parameters.onlyValue(of: "A") == nil)
        #expect(parameters.onlyValue(of: "B").map(Array.init) == Array("2".utf8))
        #expect(parameters.onlyValue(of: "C") == nil)
    }

    private static func holds(_ parameters: Parameters, _ group: ParameterGroup) -> Bool {
        parameters.contains(parameters.select(selection), exactly: group)
    }

    @Test("The same ones are recognised, whatever else comes with them")
    func recognised() {
        let first = Self.parameters([("A", "1"), ("POSTERN_VIEW", "gate"), ("POSTERN_REALM", ""), ("B", "2")])
        let second = Self.parameters([
            ("POSTERN_VIEW", "gate"), ("POSTERN_OBJECT_OWNER", "ann"), ("HTTP_POSTERN_VIEW", "x"),
            ("POSTERN_REALM", ""),
        ])
        #expect(Self.holds(second, first.group(Self.selection)))
        #expect(Self.holds(first, second.group(Self.selection)))
        #expect(first.select(Self.selection).hash == second.select(Self.selection).hash)
        let none = Self.parameters([("A", "1")])
        #expect(Self.holds(none, Parameters().group(Self.selection)))
        #expect(!Self.holds(none, first.group(Self.selection)))
        #expect(!Self.holds(first, none.group(Self.selection)))
    }

    @Test(
        "Others are not, however little they differ",
        arguments: [
            [("POSTERN_VIEW", "gat")], [("POSTERN_VIEW", "gatf")], [("POSTERN_VIEW", "gate ")],
            [("POSTERN_VIEWg", "ate")],
            [("POSTERN_VIE", "Wgate")], [("POSTERN_VIEW", "gate"), ("POSTERN_VIEW", "gate")],
            [("POSTERN_VIEW", "gate"), ("POSTERN_REALM", "")], [("POSTERN_REALM", "gate")], [("Postern_VIEW", "gate")],
            [],
        ]
    )
    func others(_ pairs: [(String, String)]) {
        let group = Self.parameters([("POSTERN_VIEW", "gate")]).group(Self.selection)
        #expect(!Self.holds(Self.parameters(pairs), group))
    }

    @Test("What is not found to the end says so")
    func cutOff() {
        let pairs = (0..<65).map { ("POSTERN_\($0)", "x") }
        #expect(!Self.parameters(Array(pairs[..<64])).select(Self.selection).isCutOff)
        #expect(Self.parameters(pairs).select(Self.selection).isCutOff)
    }

    @Test("Their order counts")
    func order() {
        let pairs = [("POSTERN_VIEW", "gate"), ("POSTERN_REALM", "x")]
        #expect(!Self.holds(Self.parameters(pairs.reversed()), Self.parameters(pairs).group(Self.selection)))
        #expect(
            Self.parameters(pairs.reversed()).select(Self.selection).hash
                != Self.parameters(pairs).select(Self.selection).hash
        )
    }
}
