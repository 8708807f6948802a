import FastCGI
import Testing

@Suite("Requests and responses by themselves")
struct ResponseTests {
    private func text(_ response: Response) -> String { String(decoding: response.bytes, as: UTF8.self) }

    @Test("status, fields in order, an empty line, the body")
    func form() {
        let response = Response(status: 401, fields: [("A", "1"), ("B", "2 3")], body: Array("{}".utf8))
        #expect(text(response) == "Status: 401 Unauthorized\r\nA: 1\r\nB: 2 3\r\n\r\n{}")
    }

    @Test(
        "no value ends its field",
        arguments: [
            ("a\r\nSet-Cookie: x", "a%0D%0ASet-Cookie: x"), ("é", "%C3%A9"), ("\u{0}\u{7F}\t", "%00%7F%09"),
            ("100%", "100%"),
        ]
    )
    func values(value: String, expected: String) {
        #expect(
            text(Response(status: 204, fields: [("X", value)], body: []))
                == "Status: 204 No Content\r\nX: \(expected)\r\n\r\n"
        )
    }

    @Test("a body in memory is held against limit and declared length")
    func body() throws {
        func request(_ declared: String) -> Request {
            Request(parameters: Parameters([("CONTENT_LENGTH", Array(declared.utf8))]), body: [1, 2, 3])
        }
        #expect(try request("3").body(limit: 3) == [1, 2, 3])
        #expect(try request("").body(limit: 3) == [1, 2, 3])
        #expect(throws: BodyError.tooLarge(limit: 2)) { try request("").body(limit: 2) }
        #expect(throws: BodyError.tooLarge(limit: 2)) { try request("3").body(limit: 2) }
        #expect(throws: BodyError.interrupted) { try request("2").body(limit: 3) }
    }

    @Test("parameters keep their order; the first of a name is its value")
    func parameters() {
        let parameters = Parameters([("A", [1]), ("B", []), ("A", [2])])
        #expect(parameters.count == 3)
        #expect(parameters.value(of: "A") == [1])
        #expect(parameters.value(of: "B") == [])
        #expect(parameters.value(of: "C") == nil)
        #expect(parameters[2].name == Array("A".utf8)[...])
        #expect(parameters[2].value == [2])
    }
}
