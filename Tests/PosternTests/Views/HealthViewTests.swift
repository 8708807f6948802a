import Foundation
import Testing

@testable import Postern

@Suite("Health")
struct HealthViewTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite(lookInterval: 0) }

    private func ask(_ query: String = "") -> InProcessSite.Answer {
        site.ask("health", method: "GET", more: [("QUERY_STRING", query)])
    }

    @Test("A store that can be read and written, with a key, is ready")
    func ready() {
        let answer = ask()
        #expect(answer.status == 200)
        #expect(answer.body == #"{"status":"ok"}"#)
        #expect(answer.values("Cache-Control") == ["no-store"])
    }

    @Test(
        "What is wrong is said without a path; the process lives all the same",
        arguments: [
            ("tokens", "The store cannot be read."), ("keys", "The store cannot be read."),
            ("keys/*", "There is no key that signs JSON Web Tokens."),
        ]
    )
    func notReady(name: String, text: String) throws {
        let path = site.temporary.path
        let names =
            name == "keys/*"
            ? try FileManager.default.contentsOfDirectory(atPath: path + "/keys").map { "keys/" + $0 } : [name]
        for name in names { try FileManager.default.removeItem(atPath: path + "/" + name) }
        let answer = ask()
        #expect(answer.status == 503)
        #expect(answer.body == #"{"status":"unavailable","detail":"\#(text)"}"#)
        #expect(answer.values("Retry-After") == ["1"])
        #expect(ask("live").status == 200)
        // Not whatever looks like it.
        #expect(ask("live=1").status == 503)
    }
}
