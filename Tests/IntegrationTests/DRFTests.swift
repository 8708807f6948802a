import Foundation
import Testing

/// The answers of a real Django REST Framework, as DRF/record.py wrote them down, against ours.
@Suite("The same answers as Django REST Framework")
struct DRFTests {
    struct Question: Decodable {
        let name: String
        let method: String
        let path: String
        let headers: [[String]]
        let body: String
        let answer: Answer
    }

    struct Answer: Decodable {
        let status: Int
        let body: String
        let challenge: [String]
        let allow: [String]
        let type: [String]

        enum CodingKeys: String, CodingKey {
            case status, body, allow
            case challenge = "www-authenticate"
            case type = "content-type"
        }
    }

    private struct File: Decodable {
        let rows: [Question]
    }

    private static func questions() throws -> [Question] {
        let path = Site.sources + "/Tests/IntegrationTests/DRF/answers.json"
        return try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(fileURLWithPath: path))).rows
    }

    @Test("behind nginx")
    func nginx() throws {
        let site = try Site.shared.get()
        try compare(site, port: site.nginxPort) { _ in true }
    }

    @Test("behind lighttpd")
    func lighttpd() throws {
        let site = try Site.shared.get()
        // lighttpd answers a method that it does not know itself, and drops an empty field.
        try compare(site, port: site.lighttpdPort) { $0.method != "FOO" && $0.name != "Accept ''" }
    }

    private func compare(_ site: Site, port: UInt16, where isAsked: (Question) -> Bool) throws {
        let questions = try Self.questions()
        #expect(questions.count > 600)
        for question in questions where isAsked(question) {
            let fields = question.headers.map { field in
                (field[0], site.tokens.reduce(field[1]) { $0.replacingOccurrences(of: "{\($1.key)}", with: $1.value) })
            }
            let body = [UInt8](Data(base64Encoded: question.body) ?? Data())
            let answer = try HTTP.exchange(port, HTTP.request(question.method, question.path, fields, body: body))
            let name = Comment(rawValue: question.name)
            #expect(answer.status == question.answer.status, name)
            #expect(answer.values("WWW-Authenticate") == question.answer.challenge, name)
            #expect(answer.values("Allow") == question.answer.allow, name)
            #expect(answer.values("Content-Type") == question.answer.type, name)
            // What OPTIONS says of a view of one's own is one's own; an answer to HEAD has no body.
            if question.method == "HEAD" {
                #expect(answer.body.isEmpty, name)
            } else if question.method != "OPTIONS" || question.path == "/api-token-auth/" {
                #expect(answer.text == question.answer.body, name)
            }
        }
    }
}
