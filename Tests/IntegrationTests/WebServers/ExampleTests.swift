import Foundation
import Testing

/// The package in Tests/Example, whose sources are a target of this one as well.
@Suite("An endpoint of one's own")
struct ExampleTests {
    @Test("The example's view and permission class answer behind nginx, beside Postern's own")
    func hello() throws {
        let snippet = try String(contentsOfFile: Site.sources + "/Tests/Example/hello.conf", encoding: .utf8)
        let parameters = snippet.matches(of: /fastcgi_param (\S+) "?([^";]+)"?;/).map { (String($0.1), String($0.2)) }
        #expect(parameters.map(\.0) == ["POSTERN_VIEW", "POSTERN_PERMISSION"])
        let site = try Site(more: [("/hello/", parameters)])
        site.endServers()
        let binary = URL(fileURLWithPath: Site.binary).deletingLastPathComponent().appendingPathComponent("Hello").path
        let program = try Child(binary, [site.store, site.socket], log: site.folder + "/hello.log")
        defer { program.end() }
        try eventually("the example listens") { FastCGIClient.canConnect(site.socket) }
        for (name, status, body) in [
            ("ann", 200, #"{"hello":"ann"}"#), ("stella", 200, #"{"hello":"stella"}"#),
            ("émile", 403, #"{"detail":"You do not have permission to perform this action."}"#),
        ] {
            let answer = try site.get("/hello/", token: site.tokens[name])
            #expect(answer.status == status, "\(name): \(answer.text)")
            #expect(answer.text == body, "\(name): \(answer.text)")
        }
        #expect(try site.get("/hello/").status == 401)
        #expect(try site.get("/whoami/", token: site.tokens["ann"]).text.contains("\"ann\""))
    }
}
